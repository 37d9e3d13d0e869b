"""The tenant, its places, and the directory of its resources."""

from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID, uuid5

from domain.account import Role
from domain.fact import Fact, fact
from domain.self_service import SelfServiceTerms

USUAL_TERMS = SelfServiceTerms()


@fact("organization.registered.v1")
class OrganizationRegistered(Fact):
    organization_id: UUID
    name: str
    time_zone: str


@fact("organization.renamed.v1")
class OrganizationRenamed(Fact):
    organization_id: UUID
    name: str


@fact("organization.self_service_limited.v1")
class SelfServiceLimited(Fact):
    """What customers may have open at once when they book for themselves."""

    organization_id: UUID
    terms: SelfServiceTerms


@fact("organization.sign_in_demands_set.v1")
class SignInDemandsSet(Fact):
    """What the organization demands of those who sign in; see ``domain.sign_in_demands``."""

    organization_id: UUID
    second_factor_roles: tuple[Role, ...]
    verified_customers_only: bool


@fact("organization.owner_joined.v1")
class OwnerJoined(Fact):
    """Beside the one who founded it; or one who was disabled may sign in again."""

    organization_id: UUID
    account_id: UUID


@fact("organization.owner_left.v1")
class OwnerLeft(Fact):
    """Another role, or disabled: the account no longer owns it."""

    organization_id: UUID
    account_id: UUID


OrganizationFact = (
    OrganizationRegistered | OrganizationRenamed | SelfServiceLimited | SignInDemandsSet | OwnerJoined | OwnerLeft
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """A tenant. Every stream, row, message and token belongs to exactly one."""

    id: UUID
    organization_id: UUID
    name: str
    time_zone: str
    self_service: SelfServiceTerms = USUAL_TERMS
    owners: int = 1
    """How many can sign in as its owner: whoever founded it, to begin with. Never none."""
    second_factor_roles: tuple[Role, ...] = ()
    verified_customers_only: bool = False


def evolve(state: Organization | None, happened: OrganizationFact) -> Organization:
    match happened:
        case OrganizationRegistered():
            own = happened.organization_id
            return Organization(id=own, organization_id=own, name=happened.name, time_zone=happened.time_zone)
        case OrganizationRenamed():
            assert state
            return replace(state, name=happened.name)
        case SelfServiceLimited():
            assert state
            return replace(state, self_service=happened.terms)
        case SignInDemandsSet():
            assert state
            return replace(
                state,
                second_factor_roles=happened.second_factor_roles,
                verified_customers_only=happened.verified_customers_only,
            )
        case OwnerJoined():
            assert state
            return replace(state, owners=state.owners + 1)
        case OwnerLeft():
            assert state
            return replace(state, owners=state.owners - 1)
        case _:
            assert_never(happened)


@fact("directory.resource_listed.v1")
class ResourceListed(Fact):
    resource_id: UUID
    kind: str


DirectoryFact = ResourceListed


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The resources of an organization in the order in which they were added.

    A booking that wants "any room" reads it, so a decision notices a room that is added meanwhile.
    """

    listed: tuple[tuple[UUID, str], ...] = ()

    def of_kind(self, kind: str) -> tuple[UUID, ...]:
        return tuple(resource_id for resource_id, its_kind in self.listed if its_kind == kind)


def directory_id(organization_id: UUID) -> UUID:
    return uuid5(organization_id, "directory")


def evolve_directory(state: Directory | None, happened: DirectoryFact) -> Directory:
    match happened:
        case ResourceListed():
            return Directory(listed=(*(state.listed if state else ()), (happened.resource_id, happened.kind)))
        case _:
            assert_never(happened)
