"""Who signs in, and the people that appointments are for. Never their names: those live in the vault."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from domain.fact import Fact, fact


class Role(StrEnum):
    OWNER = "owner"
    MANAGER = "manager"
    STAFF = "staff"
    CUSTOMER = "customer"
    AUDITOR = "auditor"
    SERVICE = "service"
    """Daybook's own processes, which issue commands like any client."""
    VISITOR = "visitor"
    """Someone without an account, by the booking page; nobody signs in as one."""

    @property
    def is_guest(self) -> bool:
        """Acts for themself alone: what is another's does not exist for them, and the house's terms bind them."""
        return self in {Role.CUSTOMER, Role.VISITOR}


HOUSE_ROLES = frozenset({Role.OWNER, Role.MANAGER, Role.STAFF, Role.AUDITOR})
"""Those that can be granted. Who signed up as a customer stays one."""


class AccountStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    """It cannot sign in."""


@fact("account.opened.v1")
class AccountOpened(Fact):
    account_id: UUID
    organization_id: UUID
    subject_id: UUID
    role: Role


@fact("account.assigned.v1")
class AccountAssigned(Fact):
    """A member of staff now reaches only what takes place on these resources; empty: all of the house."""

    account_id: UUID
    resource_ids: tuple[UUID, ...]


@fact("account.email_verified.v1")
class EmailVerified(Fact):
    """Who owns the account received what was sent to its address."""

    account_id: UUID


@fact("account.password_changed.v1")
class PasswordChanged(Fact):
    """By someone who knew the one before."""

    account_id: UUID


@fact("account.password_reset.v1")
class PasswordReset(Fact):
    """By someone who received the link that was sent to the account's address."""

    account_id: UUID


@fact("account.second_factor_enrolled.v1")
class SecondFactorEnrolled(Fact):
    account_id: UUID


@fact("account.second_factor_removed.v1")
class SecondFactorRemoved(Fact):
    account_id: UUID


@fact("account.recovery_codes_renewed.v1")
class RecoveryCodesRenewed(Fact):
    """Those before are good for nothing any more."""

    account_id: UUID


@fact("account.role_granted.v1")
class RoleGranted(Fact):
    account_id: UUID
    role: Role


@fact("account.disabled.v1")
class AccountDisabled(Fact):
    account_id: UUID


@fact("account.enabled.v1")
class AccountEnabled(Fact):
    account_id: UUID


AccountFact = (
    AccountOpened
    | AccountAssigned
    | EmailVerified
    | PasswordChanged
    | PasswordReset
    | SecondFactorEnrolled
    | SecondFactorRemoved
    | RecoveryCodesRenewed
    | RoleGranted
    | AccountDisabled
    | AccountEnabled
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: UUID
    organization_id: UUID
    subject_id: UUID
    role: Role
    resource_ids: tuple[UUID, ...] = ()
    """Those that a member of staff is assigned to; empty: to none in particular."""
    status: AccountStatus = AccountStatus.ACTIVE
    email_verified: bool = False
    second_factor: bool = False
    """Whether signing in takes a code besides the password."""

    @property
    def is_owner(self) -> bool:
        """Whether it is one of the owners that an organization must not be without."""
        return self.role is Role.OWNER and self.status is AccountStatus.ACTIVE


def evolve(state: Account | None, happened: AccountFact) -> Account:
    match happened:
        case AccountOpened():
            return Account(
                id=happened.account_id,
                organization_id=happened.organization_id,
                subject_id=happened.subject_id,
                role=happened.role,
            )
        case AccountAssigned():
            assert state
            return replace(state, resource_ids=happened.resource_ids)
        case _:
            assert state
            return _secured(state, happened)


def _secured(state: Account, happened: AccountFact) -> Account:
    match happened:
        case AccountOpened() | AccountAssigned() | PasswordChanged() | RecoveryCodesRenewed():
            return state
        case EmailVerified() | PasswordReset():
            return replace(state, email_verified=True)  # the link of a reset came to the same address
        case SecondFactorEnrolled() | SecondFactorRemoved():
            return replace(state, second_factor=isinstance(happened, SecondFactorEnrolled))
        case RoleGranted():
            assigned = state.resource_ids if happened.role is Role.STAFF else ()
            return replace(state, role=happened.role, resource_ids=assigned)
        case AccountDisabled() | AccountEnabled():
            disabled = isinstance(happened, AccountDisabled)
            return replace(state, status=AccountStatus.DISABLED if disabled else AccountStatus.ACTIVE)
        case _:
            assert_never(happened)


@fact("sign_in_name.taken.v1")
class SignInNameTaken(Fact):
    """An e-mail address now signs in to ``account_id``. The stream's id is a keyed digest of the address."""

    account_id: UUID


SignInNameFact = SignInNameTaken


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInName:
    """One e-mail address, known here only by its keyed digest: so that it signs in to one account alone."""

    account_id: UUID


def evolve_sign_in_name(state: SignInName | None, happened: SignInNameFact) -> SignInName:  # noqa: ARG001
    match happened:
        case SignInNameTaken():
            return SignInName(account_id=happened.account_id)
        case _:
            assert_never(happened)


@fact("customer.registered.v1")
class CustomerRegistered(Fact):
    """``customer_id`` is the subject id of the person's data in the vault."""

    customer_id: UUID
    organization_id: UUID
    account_id: UUID | None


@fact("customer.details_changed.v1")
class CustomerDetailsChanged(Fact):
    """Something in the vault changed; which fields, but not what they say."""

    customer_id: UUID
    fields: tuple[str, ...]


CustomerFact = CustomerRegistered | CustomerDetailsChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    id: UUID
    organization_id: UUID
    account_id: UUID | None
    changes: int = 0


def evolve_customer(state: Customer | None, happened: CustomerFact) -> Customer:
    match happened:
        case CustomerRegistered():
            return Customer(
                id=happened.customer_id, organization_id=happened.organization_id, account_id=happened.account_id
            )
        case CustomerDetailsChanged():
            assert state
            return replace(state, changes=state.changes + 1)
        case _:
            assert_never(happened)
