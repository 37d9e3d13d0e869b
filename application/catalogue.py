"""What an organization offers: places, resources, services. One function per business move.

When a resource can be had is in ``application.resource_times``, which of several is taken in ``application.pooling``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from application.decision import Decision, View
from domain.account import Role
from domain.fact import Fact
from domain.location import Location, LocationChanged, LocationOpened
from domain.organization import (
    Directory,
    Organization,
    OrganizationRenamed,
    ResourceListed,
    SelfServiceLimited,
    SignInDemandsSet,
    directory_id,
)
from domain.permissions import Actor, ensure_may
from domain.pool import Pool
from domain.refusals import InvalidValue
from domain.resource import (
    CAPACITY_MAX,
    Resource,
    ResourceAdded,
    ResourceDetailsChanged,
    Shift,
    ensure_valid_hours,
)
from domain.self_service import ensure_valid_self_service
from domain.service import Requirement, Service, ServiceOffered, ServiceTermsChanged, Terms, ensure_valid_terms

ZONES = frozenset(available_timezones())
"""IANA names, read once: looking a zone up in the file system is nothing to do in a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOrganization:
    """None: as it is. ``open_holds_max``, ``bookings_ahead_max``: see ``SelfServiceTerms``; ``second_factor_roles``,
    ``verified_customers_only``: see ``domain.sign_in_demands``.
    """

    name: str | None = None
    open_holds_max: int | None = None
    bookings_ahead_max: int | None = None
    second_factor_roles: tuple[Role, ...] | None = None
    verified_customers_only: bool | None = None
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLocation:
    location_id: UUID
    name: str
    time_zone: str
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLocation:
    location_id: UUID
    name: str
    address: str | None
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddResource:
    """Its name is in the vault already, under ``resource_id``."""

    resource_id: UUID
    kind: str
    time_zone: str
    location_id: UUID | None = None
    capacity: int = 1
    shifts: tuple[Shift, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeResource:
    """``fields``: the names of what changed in the vault."""

    resource_id: UUID
    fields: tuple[str, ...]
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferService:
    service_id: UUID
    terms: Terms = field()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeTerms:
    service_id: UUID
    terms: Terms
    if_version: int | None = None


def ensure_zone(name: str) -> None:
    """Raises ``InvalidValue`` unless ``name`` is an IANA time zone."""
    if name not in ZONES:
        raise InvalidValue("time_zone", "an IANA time zone name, such as Europe/Lisbon")
    ZoneInfo(name)


def change_organization(view: View, command: ChangeOrganization, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "organization.change")
    own = view.require(Organization, actor.organization_id, actor)
    view.ensure_version(own.id, command.if_version)
    if command.name is not None:
        view.record(own.id, OrganizationRenamed(organization_id=own.id, name=command.name))
    given = {"open_holds_max": command.open_holds_max, "bookings_ahead_max": command.bookings_ahead_max}
    terms = replace(own.self_service, **{name: value for name, value in given.items() if value is not None})
    if terms != own.self_service:
        ensure_valid_self_service(terms)
        view.record(own.id, SelfServiceLimited(organization_id=own.id, terms=terms))
    roles, verified = command.second_factor_roles, command.verified_customers_only
    if roles is not None or verified is not None:
        demands = SignInDemandsSet(
            organization_id=own.id,
            second_factor_roles=own.second_factor_roles if roles is None else tuple(sorted(set(roles))),
            verified_customers_only=own.verified_customers_only if verified is None else verified,
        )
        view.record(own.id, demands)
    changed = view.get(Organization, own.id)
    assert changed
    return view.decision(told_organization(changed, view.version(own.id)))


def told_organization(own: Organization, version: int) -> dict[str, object]:
    return {
        "id": own.id,
        "name": own.name,
        "time_zone": own.time_zone,
        "self_service": own.self_service,
        "second_factor_roles": own.second_factor_roles,
        "verified_customers_only": own.verified_customers_only,
        "version": version,
    }


def open_location(view: View, command: OpenLocation, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "location.create")
    ensure_zone(command.time_zone)
    view.ensure_new(Location, command.location_id)
    opened = LocationOpened(
        location_id=command.location_id,
        organization_id=actor.organization_id,
        name=command.name,
        time_zone=command.time_zone,
        address=command.address,
    )
    return _changed(view, command.location_id, opened)


def change_location(view: View, command: ChangeLocation, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "location.change")
    view.require(Location, command.location_id, actor)
    view.ensure_version(command.location_id, command.if_version)
    changed = LocationChanged(location_id=command.location_id, name=command.name, address=command.address)
    return _changed(view, command.location_id, changed)


def add_resource(view: View, command: AddResource, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """The organization's directory lists it in the same transaction, so bookings by kind see it at once."""
    ensure_may(actor, "resource.create")
    ensure_zone(command.time_zone)
    if not 1 <= command.capacity <= CAPACITY_MAX:
        raise InvalidValue("capacity", f"between 1 and {CAPACITY_MAX}")
    ensure_valid_hours(command.shifts)
    if command.location_id is not None:
        view.require(Location, command.location_id, actor)
    view.ensure_new(Resource, command.resource_id)
    listing = directory_id(actor.organization_id)
    view.get(Directory, listing)
    added = ResourceAdded(
        resource_id=command.resource_id,
        organization_id=actor.organization_id,
        kind=command.kind,
        location_id=command.location_id,
        time_zone=command.time_zone,
        capacity=command.capacity,
        shifts=command.shifts,
    )
    listed = ResourceListed(resource_id=command.resource_id, kind=command.kind)
    return _changed(view, command.resource_id, added, [(listing, listed)])


def change_resource(view: View, command: ChangeResource, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "resource.change")
    view.require(Resource, command.resource_id, actor)
    view.ensure_version(command.resource_id, command.if_version)
    changed = ResourceDetailsChanged(resource_id=command.resource_id, fields=command.fields)
    return _changed(view, command.resource_id, changed)


def offer_service(view: View, command: OfferService, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "service.create")
    _ensure_terms(view, command.terms, actor)
    view.ensure_new(Service, command.service_id)
    offered = ServiceOffered(service_id=command.service_id, organization_id=actor.organization_id, terms=command.terms)
    return _changed(view, command.service_id, offered)


def change_terms(view: View, command: ChangeTerms, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "service.change")
    _ensure_terms(view, command.terms, actor)
    view.require(Service, command.service_id, actor)
    view.ensure_version(command.service_id, command.if_version)
    return _changed(view, command.service_id, ServiceTermsChanged(service_id=command.service_id, terms=command.terms))


def _ensure_terms(view: View, terms: Terms, actor: Actor) -> None:
    ensure_valid_terms(terms)
    for requirement in terms.requirements:
        named = _named(view, requirement, actor)
        if named and all(requirement.quantity > resource.capacity for resource in named):
            raise InvalidValue("requirements", "a quantity within the capacity of a resource that may serve")


def _named(view: View, requirement: Requirement, actor: Actor) -> Sequence[Resource]:
    """The resource, or those of the pool, that the requirement names; none for a kind, which names nobody."""
    if requirement.resource_id is not None:
        return [view.require(Resource, requirement.resource_id, actor)]
    if requirement.pool_id is not None:
        pool = view.require(Pool, requirement.pool_id, actor)
        return [resource for resource in view.get_all(Resource, pool.resource_ids) if resource is not None]
    return []


def _changed(view: View, stream_id: UUID, fact: Fact, besides: Sequence[tuple[UUID, Fact]] = ()) -> Decision:
    return Decision([(stream_id, fact), *besides], {"id": stream_id, "version": view.version(stream_id) + 1})
