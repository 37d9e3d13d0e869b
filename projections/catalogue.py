"""What an organization has set up: itself, its places, resources, services, customers and accounts, as they are now."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, Cursor

from application.decision import O, Owned, State, evolved
from application.journal import Recorded
from domain.account import Account, AccountFact, Customer, CustomerFact
from domain.api_key import ApiKey, ApiKeyFact
from domain.location import Location, LocationFact
from domain.organization import Organization, OrganizationFact
from domain.pool import Pool, PoolFact
from domain.resource import Resource, ResourceFact
from domain.service import Service, ServiceFact
from projections.reads import Reads
from projections.table import Row, Table

KINDS: dict[str, type[Owned]] = {
    "organization": Organization,
    "location": Location,
    "resource": Resource,
    "pool": Pool,
    "service": Service,
    "customer": Customer,
    "account": Account,
    "api_key": ApiKey,
}
"""The kinds that are small and few. Closures are part of the resource."""

_DECODERS = {kind: msgspec.json.Decoder(state) for kind, state in KINDS.items()}
_NAMES: dict[type, str] = {state: kind for kind, state in KINDS.items()}

_ENTRY = Table(
    "entry",
    {
        "id": "uuid NOT NULL",
        "kind": "text NOT NULL",
        "organization_id": "uuid NOT NULL",
        "created_position": "bigint NOT NULL",
        "position": "bigint NOT NULL",
        "version": "bigint NOT NULL",
        "state": "jsonb NOT NULL",
    },
    key=("id",),
)
_SELECT = "SELECT kind, created_position, position, version, state::text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Generic[O]):
    """An object with its stream's ``version``, and the positions of its first and of its latest fact."""

    state: O
    version: int
    created_position: int
    position: int


class Catalogue:
    NAME: ClassVar = "catalogue"
    FACTS: ClassVar = (
        OrganizationFact
        | LocationFact
        | ResourceFact
        | PoolFact
        | ServiceFact
        | CustomerFact
        | AccountFact
        | ApiKeyFact
    )
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"""
    {_ENTRY.ddl}
    CREATE INDEX entry_in_order ON entry (organization_id, kind, created_position);
    CREATE INDEX resource_by_kind ON entry (organization_id, (state->>'kind')) WHERE kind = 'resource';
    """

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        entries = _load(cursor, {recorded.stream_id for recorded in batch if recorded.version > 1})
        for recorded in batch:
            entries[recorded.stream_id] = _after(entries.get(recorded.stream_id), recorded)
        _ENTRY.upsert(cursor, [_row(entry) for entry in entries.values()])


def _after(entry: Entry[Owned] | None, recorded: Recorded) -> Entry[Owned]:
    state: State = evolved(entry.state if entry else None, recorded.fact)
    assert isinstance(state, Owned)
    return Entry(
        state=state,
        version=recorded.version,
        created_position=entry.created_position if entry else recorded.position,
        position=recorded.position,
    )


def _load(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Entry[Owned]]:
    if not ids:
        return {}
    cursor.execute(f"{_SELECT} FROM entry WHERE id = ANY(%s)", (list(ids),), prepare=True)
    return {entry.state.id: entry for entry in _entries(cursor)}


def _entries(rows: Iterable[tuple[Any, ...]]) -> list[Entry[Any]]:
    return [
        Entry(state=_DECODERS[kind].decode(state), version=version, created_position=created, position=position)
        for kind, created, position, version, state in rows
    ]


def _row(entry: Entry[Owned]) -> Row:
    return (
        entry.state.id,
        _NAMES[type(entry.state)],
        entry.state.organization_id,
        entry.created_position,
        entry.position,
        entry.version,
        entry.state,
    )


async def listed(
    pool: Reads, organization_id: UUID, kind: type[O], *, after: int | None = None, limit: int
) -> list[Entry[O]]:
    """The organization's objects of a kind in the order of their making, those made after position ``after``."""
    async with pool.connection() as connection:
        rows = await connection.execute(
            f"{_SELECT} FROM catalogue.entry WHERE organization_id = %s AND kind = %s AND created_position > %s"
            " ORDER BY created_position LIMIT %s",
            (organization_id, _NAMES[kind], after or 0, limit),
        )
        return _entries(await rows.fetchall())


async def public_services(
    pool: Reads, organization_id: UUID, *, after: int | None = None, limit: int
) -> list[Entry[Service]]:
    """``listed``, of the services that anyone may book."""
    async with pool.connection() as connection:
        rows = await connection.execute(
            f"{_SELECT} FROM catalogue.entry WHERE organization_id = %s AND kind = 'service' AND created_position > %s"
            " AND state->'terms'->>'public' = 'true' ORDER BY created_position LIMIT %s",
            (organization_id, after or 0, limit),
        )
        return _entries(await rows.fetchall())


async def one(pool: Reads, organization_id: UUID, kind: type[O], object_id: UUID) -> Entry[O] | None:
    """None if the organization has no such object."""
    found = await several(pool, organization_id, kind, (object_id,))
    return found.get(object_id)


async def several(pool: Reads, organization_id: UUID, kind: type[O], ids: Collection[UUID]) -> dict[UUID, Entry[O]]:
    """Those of ``ids`` that exist in the organization, by id."""
    async with pool.connection() as connection:
        return await _several(connection, organization_id, kind, ids)


async def _several(
    connection: AsyncConnection, organization_id: UUID, kind: type[O], ids: Collection[UUID]
) -> dict[UUID, Entry[O]]:
    rows = await connection.execute(
        f"{_SELECT} FROM catalogue.entry WHERE id = ANY(%s) AND organization_id = %s AND kind = %s",
        (list(ids), organization_id, _NAMES[kind]),
    )
    return {entry.state.id: entry for entry in _entries(await rows.fetchall())}


async def resources_at(pool: Reads, organization_id: UUID, location_id: UUID) -> list[Resource]:
    """The resources of a location, in the order in which they were added, without the holidays that they keep."""
    async with pool.connection() as connection:
        rows = await connection.execute(
            f"{_SELECT} FROM catalogue.entry WHERE organization_id = %s AND kind = 'resource'"
            " AND state->>'location_id' = %s ORDER BY created_position",
            (organization_id, str(location_id)),
        )
        return [entry.state for entry in _entries(await rows.fetchall())]


async def service_with_resources(
    pool: Reads, organization_id: UUID, service_id: UUID
) -> tuple[Service, list[Resource]] | None:
    """A service, and all resources that meet one of its requirements, in the order in which they were added.

    None if the organization has no such service.
    """
    async with pool.connection() as connection:
        found = await _several(connection, organization_id, Service, (service_id,))
        if service_id not in found:
            return None
        service = found[service_id].state
        named = [r.resource_id for r in service.terms.requirements if r.resource_id]
        kinds = [r.kind for r in service.terms.requirements if r.kind]
        rows = await connection.execute(
            f"{_SELECT} FROM catalogue.entry WHERE organization_id = %s AND kind = 'resource'"
            " AND (id = ANY(%s) OR state->>'kind' = ANY(%s)) ORDER BY created_position",
            (organization_id, named, kinds),
        )
        return service, [entry.state for entry in _entries(await rows.fetchall())]
