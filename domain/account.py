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


AccountFact = AccountOpened | AccountAssigned


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    id: UUID
    organization_id: UUID
    subject_id: UUID
    role: Role
    resource_ids: tuple[UUID, ...] = ()
    """Those that a member of staff is assigned to; empty: to none in particular."""


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
