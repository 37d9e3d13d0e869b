"""Who may do what: one table of operation × role × relation, and the rule that reads it.

The relation is how far a role reaches: what is a person's own, what is assigned to a member of staff, or all of the
organization. Nothing reaches further: another organization's objects do not exist.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from domain.account import Role
from domain.refusals import Forbidden


class Reach(IntEnum):
    """How far a role reaches: nothing, what is its own, what is assigned to it, or all of its organization."""

    NONE = 0
    OWN = 1
    ASSIGNED = 2
    """What takes place on a resource that the account is assigned to; all of it for an account assigned to none."""
    ALL = 3


@dataclass(frozen=True, slots=True)
class Actor:
    """Who issues a command. ``subject_id`` is the person; a customer's own appointments carry it.

    ``resource_ids``: those that a member of staff is assigned to; None for the front desk, which reaches all.
    ``session_id``: the sign-in that it goes back to, if it does. ``scopes``: the operations that its token is for, of
    those that its role allows; None for all of them.
    """

    account_id: UUID
    organization_id: UUID
    subject_id: UUID
    role: Role
    session_id: UUID | None = None
    scopes: frozenset[str] | None = None
    resource_ids: frozenset[UUID] | None = None


_OWNER_MANAGER = {Role.OWNER: Reach.ALL, Role.MANAGER: Reach.ALL}
_HOUSE = {**_OWNER_MANAGER, Role.STAFF: Reach.ALL}
_FRONT_DESK = {**_OWNER_MANAGER, Role.STAFF: Reach.ASSIGNED}
_READERS = {**_FRONT_DESK, Role.AUDITOR: Reach.ALL}
_ONESELF = dict.fromkeys((Role.OWNER, Role.MANAGER, Role.STAFF, Role.AUDITOR, Role.CUSTOMER), Reach.OWN)
_EVERYONE = {**_HOUSE, Role.AUDITOR: Reach.ALL, Role.CUSTOMER: Reach.ALL}
_GUESTS = {Role.CUSTOMER: Reach.OWN, Role.VISITOR: Reach.OWN}

PERMISSIONS: dict[str, dict[Role, Reach]] = {
    "organization.read": _EVERYONE,
    "organization.change": {Role.OWNER: Reach.ALL},
    "account.create": _OWNER_MANAGER,
    "account.assign": _OWNER_MANAGER,
    "account.disable": _OWNER_MANAGER,
    "account.grant_role": {Role.OWNER: Reach.ALL},
    "account.verify_email": _ONESELF,
    "account.change_password": _ONESELF,
    "account.change_second_factor": _ONESELF,
    "account.link_identity": _ONESELF,
    "account.read": {**_OWNER_MANAGER, Role.AUDITOR: Reach.ALL, Role.STAFF: Reach.OWN, Role.CUSTOMER: Reach.OWN},
    "identity_provider.read": {Role.OWNER: Reach.ALL, Role.AUDITOR: Reach.ALL},
    "identity_provider.change": {Role.OWNER: Reach.ALL},
    "api_key.issue": _OWNER_MANAGER,
    "api_key.read": {**_OWNER_MANAGER, Role.AUDITOR: Reach.ALL},
    "api_key.revoke": _OWNER_MANAGER,
    "session.read": dict.fromkeys(_EVERYONE, Reach.OWN),
    "session.end": {**dict.fromkeys(_EVERYONE, Reach.OWN), **_OWNER_MANAGER},
    "customer.create": _HOUSE,
    "customer.change": {**_HOUSE, Role.CUSTOMER: Reach.OWN},
    "customer.read": {**_HOUSE, Role.AUDITOR: Reach.ALL, Role.CUSTOMER: Reach.OWN},
    "location.create": _OWNER_MANAGER,
    "location.change": _OWNER_MANAGER,
    "location.read": _EVERYONE,
    "resource.create": _OWNER_MANAGER,
    "resource.change": _OWNER_MANAGER,
    "resource.read": _EVERYONE,
    "closure.create": _OWNER_MANAGER,
    "closure.read": _READERS,
    "calendar.read": _READERS,
    "pool.create": _OWNER_MANAGER,
    "pool.change": _OWNER_MANAGER,
    "pool.read": _EVERYONE,
    "service.create": _OWNER_MANAGER,
    "service.change": _OWNER_MANAGER,
    "service.read": _EVERYONE,
    "slots.read": _EVERYONE,
    "service.read_public": {Role.VISITOR: Reach.ALL},
    "slots.read_public": {Role.VISITOR: Reach.ALL},
    "appointment.book_public": {Role.VISITOR: Reach.OWN},
    "appointment.prove_contact": {Role.VISITOR: Reach.OWN},
    "appointment.book": {**_FRONT_DESK, **_GUESTS},
    "appointment.confirm": {**_FRONT_DESK, **_GUESTS},
    "appointment.reschedule": {**_FRONT_DESK, **_GUESTS},
    "appointment.cancel": {**_FRONT_DESK, **_GUESTS},
    "appointment.check_in": _FRONT_DESK,
    "appointment.fulfil": _FRONT_DESK,
    "appointment.no_show": {**_FRONT_DESK, Role.SERVICE: Reach.ALL},
    "appointment.approve": _FRONT_DESK,
    "appointment.override": _FRONT_DESK,
    "appointment.lapse": {Role.SERVICE: Reach.ALL},
    "appointment.release": {Role.SERVICE: Reach.ALL},
    "appointment.remind": {Role.SERVICE: Reach.ALL},
    "appointment.read": {**_READERS, **_GUESTS},
    "appointment.history": {**_READERS, Role.CUSTOMER: Reach.OWN},
    "series.begin": {**_FRONT_DESK, Role.CUSTOMER: Reach.OWN},
    "series.reschedule": {**_FRONT_DESK, Role.CUSTOMER: Reach.OWN},
    "series.cancel": {**_FRONT_DESK, Role.CUSTOMER: Reach.OWN},
    "series.read": {**_READERS, Role.CUSTOMER: Reach.OWN},
    "waitlist.join": {**_FRONT_DESK, Role.CUSTOMER: Reach.OWN},
    "waitlist.answer": {**_FRONT_DESK, Role.CUSTOMER: Reach.OWN},
    "waitlist.leave": {**_FRONT_DESK, Role.CUSTOMER: Reach.OWN},
    "waitlist.read": {**_READERS, Role.CUSTOMER: Reach.OWN},
    "waitlist.offer": {Role.SERVICE: Reach.ALL},
    "attention.read": _READERS,
    "notification.read": _READERS,
    "webhook.add": _OWNER_MANAGER,
    "webhook.change": _OWNER_MANAGER,
    "webhook.remove": _OWNER_MANAGER,
    "webhook.test": _OWNER_MANAGER,
    "webhook.rotate_secret": _OWNER_MANAGER,
    "webhook.read": _OWNER_MANAGER,
    "webhook.disable": {Role.SERVICE: Reach.ALL},
    "audit.read": {Role.OWNER: Reach.ALL, Role.AUDITOR: Reach.ALL},
}


def reach(actor: Actor, operation: str) -> Reach:
    if actor.scopes is not None and operation not in actor.scopes:
        return Reach.NONE
    found = PERMISSIONS[operation].get(actor.role, Reach.NONE)
    return Reach.ALL if found is Reach.ASSIGNED and actor.resource_ids is None else found


def only_assigned(actor: Actor) -> UUID | None:
    """The one resource that the account is assigned to, if it is one."""
    return next(iter(actor.resource_ids)) if actor.resource_ids and len(actor.resource_ids) == 1 else None


def ensure_may(
    actor: Actor, operation: str, *, subject_id: UUID | None = None, resource_ids: Iterable[UUID] = ()
) -> None:
    """Raises ``Forbidden`` unless the role reaches the object.

    ``subject_id``: the person that it is about. ``resource_ids``: what it takes place on.
    """
    match reach(actor, operation):
        case Reach.ALL:
            return
        case Reach.OWN if subject_id == actor.subject_id:
            return
        case Reach.ASSIGNED if actor.resource_ids and not actor.resource_ids.isdisjoint(resource_ids):
            return
        case _:
            raise Forbidden(operation)
