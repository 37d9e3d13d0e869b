"""What an organization demands of those who sign in, and what is left to those who do not meet it yet.

They are let in, for how else could they meet it; but their token is for little. So the demand costs the paths that it
guards nothing, and it holds for everyone within the ten minutes that a token lasts.
"""

from dataclasses import replace

from domain.account import Account, Role
from domain.organization import Organization
from domain.permissions import PERMISSIONS, Actor, Reach, reach

SECOND_FACTOR_REQUIRED = "second-factor-required"
VERIFICATION_REQUIRED = "verification-required"
"""Among the scopes of a token, these say why it is for so little. They are no operations, so they allow nothing."""

ENROLMENT = frozenset({"account.change_second_factor", "account.change_password"})
OF_VERIFIED_CUSTOMERS = frozenset({"appointment.book", "appointment.confirm", "series.begin", "waitlist.join"})
"""What claims something: the rest, calling off above all, is open to customers whose address nobody has verified."""


def narrowed(actor: Actor, account: Account, organization: Organization, *, proved_elsewhere: bool = False) -> Actor:
    """The actor, for no more than the organization lets it do as things are.

    ``proved_elsewhere``: by the organization's own identity provider, whose affair a second factor is then.
    """
    if account.role in organization.second_factor_roles and not account.second_factor and not proved_elsewhere:
        return replace(actor, scopes=ENROLMENT | {SECOND_FACTOR_REQUIRED})
    if account.role is Role.CUSTOMER and organization.verified_customers_only and not account.email_verified:
        allowed = {operation for operation in PERMISSIONS if reach(actor, operation) is not Reach.NONE}
        return replace(actor, scopes=frozenset(allowed - OF_VERIFIED_CUSTOMERS) | {VERIFICATION_REQUIRED})
    return actor
