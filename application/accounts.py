"""Who is known: organizations signing up, accounts, customers. Their names and addresses are in the vault already."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.account_changes import told
from application.catalogue import ensure_zone
from application.decision import Decision, View
from application.one_time_codes import code_requested
from domain.account import (
    Account,
    AccountAssigned,
    AccountOpened,
    Customer,
    CustomerDetailsChanged,
    CustomerRegistered,
    Role,
    SignInName,
    SignInNameTaken,
)
from domain.fact import Fact
from domain.one_time_code import Purpose
from domain.organization import Organization, OrganizationRegistered
from domain.permissions import Actor, ensure_may
from domain.refusals import EmailTaken, Forbidden, InvalidValue, NotFound
from domain.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterOrganization:
    """Open sign-up: the organization and its owner. ``sign_in_name_id`` is the keyed digest of the owner's e-mail.

    ``code_id``: of the code that was issued to verify the address.
    """

    organization_id: UUID
    name: str
    time_zone: str
    account_id: UUID
    subject_id: UUID
    sign_in_name_id: UUID
    code_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccount:
    """A member of the house, by owner or manager: manager, staff or auditor."""

    account_id: UUID
    subject_id: UUID
    sign_in_name_id: UUID
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignAccount:
    """A member of staff reaches only what takes place on these resources; empty: all of the house."""

    account_id: UUID
    resource_ids: tuple[UUID, ...]
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterAsCustomer:
    """A visitor signs up with an organization: an account and a customer, the same person. ``code_id``: as above."""

    organization_id: UUID
    account_id: UUID
    subject_id: UUID
    sign_in_name_id: UUID
    code_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCustomer:
    """The front desk enters a customer who has no account."""

    customer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeCustomer:
    """``fields``: the names of what changed in the vault."""

    customer_id: UUID
    fields: tuple[str, ...]
    if_version: int | None = None


def register_organization(view: View, command: RegisterOrganization, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """The actor is the owner to be; nothing is asked of it."""
    ensure_zone(command.time_zone)
    view.ensure_new(Organization, command.organization_id)
    registered = OrganizationRegistered(
        organization_id=command.organization_id, name=command.name, time_zone=command.time_zone
    )
    opened = _account(
        view,
        command.organization_id,
        command.account_id,
        command.subject_id,
        command.sign_in_name_id,
        Role.OWNER,
    )
    sent = _verification(view, command)
    return Decision([(command.organization_id, registered), *opened, *sent], answer_to_sign_up(command))


def answer_to_sign_up(command: RegisterOrganization | RegisterAsCustomer) -> dict[str, object]:
    """The same whether an account came of it or not: see ``application.repeated_sign_up``."""
    if isinstance(command, RegisterAsCustomer):
        return {"account_id": command.account_id, "subject_id": command.subject_id}
    return {
        "id": command.organization_id,
        "name": command.name,
        "time_zone": command.time_zone,
        "owner_account_id": command.account_id,
        "version": 1,
    }


def open_account(view: View, command: OpenAccount, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "account.create")
    if command.role not in {Role.MANAGER, Role.STAFF, Role.AUDITOR}:
        raise Forbidden("account.create")
    opened = _account(
        view,
        actor.organization_id,
        command.account_id,
        command.subject_id,
        command.sign_in_name_id,
        command.role,
    )
    account = Account(
        id=command.account_id,
        organization_id=actor.organization_id,
        subject_id=command.subject_id,
        role=command.role,
    )
    return Decision(opened, told(account, 1))


def assign_account(view: View, command: AssignAccount, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """Whoever is not of the staff is assigned to nothing: managers and auditors reach all, customers what is theirs."""
    ensure_may(actor, "account.assign")
    account = view.require(Account, command.account_id, actor)
    if account.role is not Role.STAFF:
        raise InvalidValue("resource_ids", "only of a member of staff")
    view.ensure_version(account.id, command.if_version)
    resource_ids = tuple(sorted(set(command.resource_ids)))
    view.prepare(resource_ids)
    for resource_id in resource_ids:
        view.require(Resource, resource_id, actor)
    view.record(account.id, AccountAssigned(account_id=account.id, resource_ids=resource_ids))
    assigned = view.get(Account, account.id)
    assert assigned
    return view.decision(told(assigned, view.version(account.id)))


def register_as_customer(view: View, command: RegisterAsCustomer, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """Open to anyone who knows the organization; the actor is the account to be."""
    if view.get(Organization, command.organization_id) is None:
        raise NotFound("organization", command.organization_id)
    opened = _account(
        view,
        command.organization_id,
        command.account_id,
        command.subject_id,
        command.sign_in_name_id,
        Role.CUSTOMER,
    )
    view.ensure_new(Customer, command.subject_id)
    registered = CustomerRegistered(
        customer_id=command.subject_id, organization_id=command.organization_id, account_id=command.account_id
    )
    sent = _verification(view, command)
    return Decision([*opened, (command.subject_id, registered), *sent], answer_to_sign_up(command))


def _verification(view: View, command: RegisterOrganization | RegisterAsCustomer) -> list[tuple[UUID, Fact]]:
    if command.code_id is None:
        return []
    return [
        code_requested(view, command.code_id, Purpose.VERIFY_EMAIL, command.account_id, recipient_id=command.subject_id)
    ]


def register_customer(view: View, command: RegisterCustomer, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "customer.create")
    view.ensure_new(Customer, command.customer_id)
    registered = CustomerRegistered(
        customer_id=command.customer_id, organization_id=actor.organization_id, account_id=None
    )
    return Decision([(command.customer_id, registered)], {"id": command.customer_id, "version": 1})


def change_customer(view: View, command: ChangeCustomer, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    customer = view.require(Customer, command.customer_id, actor)
    if actor.role is Role.CUSTOMER and customer.id != actor.subject_id:
        raise NotFound("customer", customer.id)
    ensure_may(actor, "customer.change", subject_id=customer.id)
    view.ensure_version(customer.id, command.if_version)
    changed = CustomerDetailsChanged(customer_id=customer.id, fields=command.fields)
    return Decision([(customer.id, changed)], {"id": customer.id, "version": view.version(customer.id) + 1})


def _account(
    view: View, organization_id: UUID, account_id: UUID, subject_id: UUID, sign_in_name_id: UUID, role: Role
) -> list[tuple[UUID, Fact]]:
    """An account and the address that signs in to it. Raises ``EmailTaken``."""
    view.ensure_new(Account, account_id)
    if view.get(SignInName, sign_in_name_id) is not None:
        raise EmailTaken
    opened = AccountOpened(account_id=account_id, organization_id=organization_id, subject_id=subject_id, role=role)
    return [(account_id, opened), (sign_in_name_id, SignInNameTaken(account_id=account_id))]
