"""The tables of ``projections.availability``, and those rows of them that a batch of facts touches."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from psycopg import Cursor

from application.journal import Recorded
from application.masks import Block, BlockKey
from domain.availability import BLOCK_MIN, blocks_of
from domain.bit_planes import Planes, packed, unpacked
from domain.interval import Interval
from domain.organization import DirectoryFact
from domain.resource import Resource, ResourceFact
from domain.resource_day import ResourceDayFact
from domain.service import Service, ServiceFact
from projections.table import Table

_BLOCK = Table(
    "block",
    {
        "resource_id": "uuid NOT NULL",
        "number": "int NOT NULL",
        "position": "bigint NOT NULL",
        "planes": "bytea NOT NULL",
    },
    key=("resource_id", "number"),
)
_CLAIM = Table(
    "claim",
    {
        "page_id": "uuid NOT NULL",
        "appointment_id": "uuid NOT NULL",
        "start": "timestamptz NOT NULL",
        "end": "timestamptz NOT NULL",
        "quantity": "int NOT NULL",
    },
    key=("page_id", "appointment_id"),
)
_RESOURCE = Table(
    "resource",
    {"resource_id": "uuid NOT NULL", "position": "bigint NOT NULL", "state": "jsonb NOT NULL"},
    key=("resource_id",),
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
_SERVICE = Table(
    "service",
    {
        "service_id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "position": "bigint NOT NULL",
        "kinds": "text[] NOT NULL",
        "resource_ids": "uuid[] NOT NULL",
        "state": "jsonb NOT NULL",
    },
    key=("service_id",),
)

TABLES = f"""
{_BLOCK.ddl}
{_CLAIM.ddl}
{_RESOURCE.ddl}
{_LISTING.ddl}
CREATE INDEX listing_in_order ON listing (organization_id, position);
{_SERVICE.ddl}
CREATE INDEX service_of_organization ON service (organization_id);
"""

RESOURCE_STATE = msgspec.json.Decoder(Resource)
SERVICE_STATE = msgspec.json.Decoder(Service)

TOUCHING = ResourceDayFact | ResourceFact | ServiceFact | DirectoryFact
"""The facts that this read model is made of."""


class ClaimKey(NamedTuple):
    page_id: UUID
    appointment_id: UUID


class LiveClaim(NamedTuple):
    """What an appointment claims on a diary page now; claiming again replaces it."""

    interval: Interval
    quantity: int


class Used(NamedTuple):
    """The claimed quantity over one block, as of ``position``."""

    position: int
    planes: Planes


class Listing(NamedTuple):
    organization_id: UUID
    kind: str
    position: int


S = TypeVar("S", Resource, Service)


class Placed(NamedTuple, Generic[S]):
    """A state as of ``position``."""

    position: int
    state: S


K = TypeVar("K")
V = TypeVar("V")


class Touched(Generic[K, V]):
    """Rows as they were read and then changed; only the changed ones are written."""

    def __init__(self, read: Mapping[K, V]) -> None:
        self._now = dict(read)
        self._changed: set[K] = set()

    def get(self, key: K) -> V | None:
        return self._now.get(key)

    def values(self) -> Iterable[V]:
        return self._now.values()

    def put(self, key: K, value: V) -> None:
        self._now[key] = value
        self._changed.add(key)

    def remove(self, key: K) -> None:
        self._now.pop(key, None)
        self._changed.add(key)

    def written(self) -> Iterator[tuple[K, V]]:
        return ((key, self._now[key]) for key in self._changed if key in self._now)

    def removed(self) -> list[K]:
        return [key for key in self._changed if key not in self._now]


@dataclass(frozen=True, slots=True)
class Rows:
    claims: Touched[ClaimKey, LiveClaim]
    blocks: Touched[BlockKey, Used]
    resources: Touched[UUID, Placed[Resource]]
    listings: Touched[UUID, Listing]
    services: Touched[UUID, Placed[Service]]

    def written_blocks(self) -> dict[BlockKey, Block]:
        return {key: Block(used.position, packed(used.planes, BLOCK_MIN)) for key, used in self.blocks.written()}

    def save(self, cursor: Cursor[Any]) -> None:
        _CLAIM.delete(cursor, self.claims.removed())
        _CLAIM.upsert(cursor, [_claim_row(key, claim) for key, claim in self.claims.written()])
        _BLOCK.upsert(cursor, [_block_row(key, block) for key, block in self.written_blocks().items()])
        _RESOURCE.upsert(cursor, [{"resource_id": key, **placed._asdict()} for key, placed in self.resources.written()])
        _LISTING.upsert(cursor, [{"resource_id": key, **listing._asdict()} for key, listing in self.listings.written()])
        _SERVICE.upsert(cursor, [_service_row(placed) for _, placed in self.services.written()])


def load(cursor: Cursor[Any], batch: Sequence[Recorded]) -> Rows:
    """What the facts of ``batch`` may change, in at most five reads however many facts there are."""
    claiming = [(recorded.stream_id, r) for recorded in batch if isinstance(r := recorded.fact, ResourceDayFact)]
    changing = {recorded.fact.resource_id for recorded in batch if isinstance(recorded.fact, ResourceFact)}
    claims = _claims(cursor, {ClaimKey(page_id, fact.appointment_id) for page_id, fact in claiming})
    blocks = {BlockKey(fact.resource_id, number) for _, fact in claiming for number in blocks_of(fact.claim)}
    for page_id, fact in claiming:
        old = claims.get(ClaimKey(page_id, fact.appointment_id))
        blocks |= {BlockKey(fact.resource_id, number) for number in (blocks_of(old.interval) if old else ())}
    return Rows(
        claims=Touched(claims),
        blocks=Touched(_blocks(cursor, blocks)),
        resources=Touched(_resources(cursor, changing)),
        listings=Touched(_listings(cursor, changing | {fact.resource_id for _, fact in claiming})),
        services=Touched(_services(cursor, {recorded.provenance.organization_id for recorded in batch})),
    )


def _claims(cursor: Cursor[Any], keys: Collection[ClaimKey]) -> dict[ClaimKey, LiveClaim]:
    if not keys:
        return {}
    cursor.execute(
        'SELECT page_id, appointment_id, "start", "end", quantity FROM claim'
        " JOIN unnest(%s::uuid[], %s::uuid[]) AS wanted (page_id, appointment_id) USING (page_id, appointment_id)",
        ([key.page_id for key in keys], [key.appointment_id for key in keys]),
        prepare=False,
    )
    return {
        ClaimKey(page_id, appointment_id): LiveClaim(Interval(start.astimezone(UTC), end.astimezone(UTC)), quantity)
        for page_id, appointment_id, start, end, quantity in cursor
    }


def _blocks(cursor: Cursor[Any], keys: Collection[BlockKey]) -> dict[BlockKey, Used]:
    if not keys:
        return {}
    cursor.execute(
        "SELECT resource_id, number, position, planes FROM block"
        " JOIN unnest(%s::uuid[], %s::int[]) AS wanted (resource_id, number) USING (resource_id, number)",
        ([key.resource_id for key in keys], [key.number for key in keys]),
        prepare=False,
        binary=True,
    )
    return {
        BlockKey(resource_id, number): Used(position, unpacked(planes, BLOCK_MIN))
        for resource_id, number, position, planes in cursor
    }


def _resources(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Placed[Resource]]:
    if not ids:
        return {}
    cursor.execute(
        "SELECT resource_id, position, state::text FROM resource WHERE resource_id = ANY(%s)",
        (list(ids),),
        prepare=False,
    )
    return {key: Placed(position, RESOURCE_STATE.decode(state)) for key, position, state in cursor}


def _listings(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Listing]:
    if not ids:
        return {}
    cursor.execute(
        "SELECT resource_id, organization_id, kind, position FROM listing WHERE resource_id = ANY(%s)",
        (list(ids),),
        prepare=False,
    )
    return {key: Listing(*row) for key, *row in cursor}


def _services(cursor: Cursor[Any], organization_ids: Collection[UUID]) -> dict[UUID, Placed[Service]]:
    """All services of these organizations: any of them may take a resource that changes."""
    cursor.execute(
        "SELECT service_id, position, state::text FROM service WHERE organization_id = ANY(%s)",
        (list(organization_ids),),
        prepare=False,
    )
    return {key: Placed(position, SERVICE_STATE.decode(state)) for key, position, state in cursor}


def _claim_row(key: ClaimKey, claim: LiveClaim) -> dict[str, object]:
    return {**key._asdict(), "start": claim.interval.start, "end": claim.interval.end, "quantity": claim.quantity}


def _block_row(key: BlockKey, block: Block) -> dict[str, object]:
    # Bytes travel in JSON the way PostgreSQL writes them itself.
    return {**key._asdict(), "position": block.version, "planes": "\\x" + block.planes.hex()}


def _service_row(placed: Placed[Service]) -> dict[str, object]:
    requirements = placed.state.terms.requirements
    return {
        "service_id": placed.state.id,
        "organization_id": placed.state.organization_id,
        "position": placed.position,
        "kinds": [requirement.kind for requirement in requirements if requirement.kind],
        "resource_ids": [requirement.resource_id for requirement in requirements if requirement.resource_id],
        "state": placed.state,
    }
