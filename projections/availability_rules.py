"""The tables of ``projections.availability`` that say who can give a service and when they are open."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from application.journal import Recorded
from domain.location import Location, LocationFact
from domain.organization import DirectoryFact, OrganizationRegistered
from domain.pool import Pool, PoolFact, PoolTurnsFact
from domain.resource import Resource, ResourceFact
from domain.resource_day import ResourceDayFact
from domain.service import Service, ServiceFact
from projections.table import Row, Table
from projections.touched_rows import Touched

_RESOURCE = Table(
    "resource",
    {
        "resource_id": "uuid NOT NULL",
        "location_id": "uuid",
        "position": "bigint NOT NULL",
        "state": "jsonb NOT NULL",
    },
    key=("resource_id",),
)
_LOCATION = Table(
    "location",
    {"location_id": "uuid NOT NULL", "position": "bigint NOT NULL", "state": "jsonb NOT NULL"},
    key=("location_id",),
)
_LISTING = Table(
    "listing",
    {
        "resource_id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "kind": "text NOT NULL",
        "position": "bigint NOT NULL",
    },
    key=("resource_id",),
)
_POOL = Table(
    "pool",
    {
        "pool_id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "position": "bigint NOT NULL",
        "resource_ids": "uuid[] NOT NULL",
        "state": "jsonb NOT NULL",
    },
    key=("pool_id",),
)
_TURN = Table("turn", {"pool_id": "uuid NOT NULL", "last": "uuid NOT NULL"}, key=("pool_id",))
_SERVICE = Table(
    "service",
    {
        "service_id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "position": "bigint NOT NULL",
        "kinds": "text[] NOT NULL",
        "resource_ids": "uuid[] NOT NULL",
        "pool_ids": "uuid[] NOT NULL",
        "state": "jsonb NOT NULL",
    },
    key=("service_id",),
)
_ORGANIZATION = Table(
    "organization",
    {"organization_id": "uuid NOT NULL", "time_zone": "text NOT NULL"},
    key=("organization_id",),
)

TABLES = f"""
{_RESOURCE.ddl}
{_LOCATION.ddl}
{_LISTING.ddl}
CREATE INDEX listing_in_order ON listing (organization_id, position);
{_POOL.ddl}
CREATE INDEX pool_of_organization ON pool (organization_id);
{_TURN.ddl}
{_SERVICE.ddl}
CREATE INDEX service_of_organization ON service (organization_id);
{_ORGANIZATION.ddl}
"""

RULING = ResourceFact | LocationFact | ServiceFact | DirectoryFact | PoolFact | PoolTurnsFact | OrganizationRegistered
"""The facts that these tables are made of."""

RESOURCE_STATE = msgspec.json.Decoder(Resource)
LOCATION_STATE = msgspec.json.Decoder(Location)
POOL_STATE = msgspec.json.Decoder(Pool)
SERVICE_STATE = msgspec.json.Decoder(Service)


class Listing(NamedTuple):
    organization_id: UUID
    kind: str
    position: int


S = TypeVar("S", Resource, Location, Pool, Service)


class Placed(NamedTuple, Generic[S]):
    """A state as of ``position``."""

    position: int
    state: S


@dataclass(frozen=True, slots=True)
class Rules:
    """``turns``: which resource a pool gave last, by the pool; ``time_zones`` by organization.

    ``taking`` remembers ``services_taking`` by resource: to be cleared when any rule changes.
    """

    resources: Touched[UUID, Placed[Resource]]
    locations: Touched[UUID, Placed[Location]]
    listings: Touched[UUID, Listing]
    pools: Touched[UUID, Placed[Pool]]
    turns: Touched[UUID, UUID]
    services: Touched[UUID, Placed[Service]]
    time_zones: Touched[UUID, str]
    taking: dict[UUID, list[UUID]] = field(default_factory=dict)

    def save(self, cursor: Cursor[Any]) -> None:
        _RESOURCE.upsert(cursor, [_resource_row(placed) for _, placed in self.resources.written()])
        _LOCATION.upsert(cursor, [(key, *placed) for key, placed in self.locations.written()])
        _LISTING.upsert(cursor, [(key, *listing) for key, listing in self.listings.written()])
        _POOL.upsert(cursor, [_pool_row(placed) for _, placed in self.pools.written()])
        _TURN.upsert(cursor, list(self.turns.written()))
        _SERVICE.upsert(cursor, [_service_row(placed) for _, placed in self.services.written()])
        _ORGANIZATION.upsert(cursor, list(self.time_zones.written()))

    def services_taking(self, resource_id: UUID, organization_id: UUID) -> Iterator[UUID]:
        """The services whose slots may depend on a resource."""
        if resource_id not in self.taking:
            self.taking[resource_id] = list(self._services_taking(resource_id, organization_id))
        return iter(self.taking[resource_id])

    def _services_taking(self, resource_id: UUID, organization_id: UUID) -> Iterator[UUID]:
        listing = self.listings.get(resource_id)
        pools = {placed.state.id for placed in self.pools.values() if resource_id in placed.state.resource_ids}
        for service in self.services_of(organization_id):
            if any(
                need.resource_id == resource_id
                or need.pool_id in pools
                or (listing is not None and need.kind == listing.kind)
                for need in service.terms.requirements
            ):
                yield service.id

    def services_naming(self, pool_id: UUID, organization_id: UUID) -> Iterator[UUID]:
        for service in self.services_of(organization_id):
            if any(need.pool_id == pool_id for need in service.terms.requirements):
                yield service.id

    def services_of(self, organization_id: UUID) -> Iterator[Service]:
        return (placed.state for placed in self.services.values() if placed.state.organization_id == organization_id)


def load(cursor: Cursor[Any], batch: Sequence[Recorded]) -> Rules:
    """What the facts of ``batch`` may change or are told to, in at most five reads however many facts there are."""
    facts = [recorded.fact for recorded in batch]
    changing = {fact.resource_id for fact in facts if isinstance(fact, ResourceFact)}
    claimed = {fact.resource_id for fact in facts if isinstance(fact, ResourceDayFact)}
    places = {fact.location_id for fact in facts if isinstance(fact, LocationFact)}
    organizations = {recorded.provenance.organization_id for recorded in batch}
    return Rules(
        resources=Touched(_placed(cursor, "resource", "resource_id", changing, RESOURCE_STATE)),
        locations=Touched(_placed(cursor, "location", "location_id", places, LOCATION_STATE)),
        listings=Touched(_listings(cursor, changing | claimed)),
        # All pools and services of these organizations: any of them may take a resource that changes.
        pools=Touched(_placed(cursor, "pool", "organization_id", organizations, POOL_STATE)),
        turns=Touched(),
        services=Touched(_placed(cursor, "service", "organization_id", organizations, SERVICE_STATE)),
        time_zones=Touched(),
    )


def _placed(
    cursor: Cursor[Any], table: str, column: str, ids: Collection[UUID], decoder: "msgspec.json.Decoder[S]"
) -> dict[UUID, Placed[S]]:
    """The states of a table whose ``column`` is one of ``ids``, by their own id."""
    if not ids:
        return {}
    statement = SQL("SELECT {}, position, state::text FROM {} WHERE {} = ANY(%s)").format(
        Identifier(f"{table}_id"), Identifier(table), Identifier(column)
    )
    cursor.execute(statement, (list(ids),), prepare=True)
    return {key: Placed(position, decoder.decode(state)) for key, position, state in cursor}


def _listings(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Listing]:
    if not ids:
        return {}
    cursor.execute(
        "SELECT resource_id, organization_id, kind, position FROM listing WHERE resource_id = ANY(%s)",
        (list(ids),),
        prepare=True,
    )
    return {key: Listing(*row) for key, *row in cursor}


def _resource_row(placed: Placed[Resource]) -> Row:
    return (placed.state.id, placed.state.location_id, *placed)


def _pool_row(placed: Placed[Pool]) -> Row:
    state = placed.state
    return (state.id, state.organization_id, placed.position, state.resource_ids, state)


def _service_row(placed: Placed[Service]) -> Row:
    needs = placed.state.terms.requirements
    return (
        placed.state.id,
        placed.state.organization_id,
        placed.position,
        [need.kind for need in needs if need.kind],
        [need.resource_id for need in needs if need.resource_id],
        [need.pool_id for need in needs if need.pool_id],
        placed.state,
    )
