"""The tables of ``projections.availability`` that say what is taken, and all rows that a batch of facts touches."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Cursor

from application.journal import Recorded
from application.masks import Block, BlockKey
from domain.availability import blocks_of
from domain.bit_planes import Planes, packed, unpacked
from domain.booking_page import BookingPageFact, VisitEntered
from domain.interval import Interval
from domain.possible_starts import BLOCK_MIN
from domain.resource_day import ResourceDayFact
from domain.session import Session, SessionFact
from projections import availability_rules
from projections.availability_rules import RULING, Rules
from projections.table import Row, Table
from projections.touched_rows import Touched

_BLOCK = Table(
    "block",
    {
        "resource_id": "uuid NOT NULL",
        "number": "integer NOT NULL",
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
        "resource_id": "uuid NOT NULL",
        "start": "timestamptz NOT NULL",
        "end": "timestamptz NOT NULL",
        "quantity": "integer NOT NULL",
        "until": "timestamptz",
    },
    key=("page_id", "appointment_id"),
)
_SESSION = Table(
    "session",
    {
        "session_id": "uuid NOT NULL",
        "service_id": "uuid NOT NULL",
        "start": "timestamptz NOT NULL",
        "state": "jsonb NOT NULL",
    },
    key=("session_id",),
)
_VISIT = Table(
    "visit",
    {
        "service_id": "uuid NOT NULL",
        "month": "date NOT NULL",
        "appointment_id": "uuid NOT NULL",
        "start": "timestamptz NOT NULL",
        "until": "timestamptz",
    },
    key=("service_id", "month", "appointment_id"),
)

TABLES = f"""
{_BLOCK.ddl}
{_CLAIM.ddl}
CREATE INDEX claim_with_deadline ON claim (until) WHERE until IS NOT NULL;
{_SESSION.ddl}
CREATE INDEX session_of_service ON session (service_id, start);
{_VISIT.ddl}
CREATE INDEX visit_of_service ON visit (service_id, start);
{availability_rules.TABLES}
"""

SESSION_STATE = msgspec.json.Decoder(Session)

TOUCHING = ResourceDayFact | SessionFact | BookingPageFact | RULING
"""The facts that this read model is made of."""


class ClaimKey(NamedTuple):
    page_id: UUID
    appointment_id: UUID


class LiveClaim(NamedTuple):
    """What an appointment claims on a diary page now; claiming again replaces it."""

    resource_id: UUID
    interval: Interval
    quantity: int
    until: datetime | None


class Used(NamedTuple):
    """The claimed quantity over one block, as of ``position``. A claim past its deadline counts until it is gone."""

    position: int
    planes: Planes


@dataclass(frozen=True, slots=True)
class Rows:
    """``visits`` are those on the booking pages of services, not of customers; ``sessions`` those that are open."""

    claims: Touched[ClaimKey, LiveClaim]
    blocks: Touched[BlockKey, Used]
    sessions: Touched[UUID, Session]
    visits: Touched[tuple[object, ...], VisitEntered]
    rules: Rules

    def written_blocks(self) -> dict[BlockKey, Block]:
        return {key: Block(used.position, packed(used.planes, BLOCK_MIN)) for key, used in self.blocks.written()}

    def save(self, cursor: Cursor[Any]) -> None:
        _CLAIM.delete(cursor, self.claims.removed())
        self.claims.save(cursor, _CLAIM, _claim_row)
        self.blocks.save(cursor, _BLOCK, _block_row)
        _SESSION.delete(cursor, [(key,) for key in self.sessions.removed()])
        _SESSION.upsert(cursor, [_session_row(state) for _, state in self.sessions.written()])
        _VISIT.delete(cursor, self.visits.removed())
        _VISIT.upsert(cursor, [_visit_row(entered) for _, entered in self.visits.written()])
        self.rules.save(cursor)


def load(cursor: Cursor[Any], batch: Sequence[Recorded]) -> Rows:
    """What the facts of ``batch`` may change, in so many reads however many facts there are."""
    claiming = [(recorded.stream_id, r) for recorded in batch if isinstance(r := recorded.fact, ResourceDayFact)]
    claims = _claims(cursor, {ClaimKey(page_id, fact.appointment_id) for page_id, fact in claiming})
    blocks = {BlockKey(fact.resource_id, number) for _, fact in claiming for number in blocks_of(fact.claim)}
    for page_id, fact in claiming:
        old = claims.get(ClaimKey(page_id, fact.appointment_id))
        blocks |= {BlockKey(fact.resource_id, number) for number in (blocks_of(old.interval) if old else ())}
    seated = {recorded.fact.session_id for recorded in batch if isinstance(recorded.fact, SessionFact)}
    return Rows(
        claims=Touched(claims),
        blocks=Touched(_blocks(cursor, blocks)),
        sessions=Touched(_sessions(cursor, seated)),
        visits=Touched(),
        rules=availability_rules.load(cursor, batch),
    )


def _claims(cursor: Cursor[Any], keys: Collection[ClaimKey]) -> dict[ClaimKey, LiveClaim]:
    if not keys:
        return {}
    cursor.execute(
        'SELECT page_id, appointment_id, resource_id, "start", "end", quantity, until FROM claim'
        " JOIN unnest(%s::uuid[], %s::uuid[]) AS wanted (page_id, appointment_id) USING (page_id, appointment_id)",
        ([key.page_id for key in keys], [key.appointment_id for key in keys]),
        prepare=True,
    )
    return {
        ClaimKey(page_id, appointment_id): LiveClaim(
            resource_id, Interval(start, end), quantity, until.astimezone(UTC) if until else None
        )
        for page_id, appointment_id, resource_id, start, end, quantity, until in cursor
    }


def _blocks(cursor: Cursor[Any], keys: Collection[BlockKey]) -> Mapping[BlockKey, Used]:
    if not keys:
        return {}
    cursor.execute(
        "SELECT resource_id, number, position, planes FROM block"
        " JOIN unnest(%s::uuid[], %s::int[]) AS wanted (resource_id, number) USING (resource_id, number)",
        ([key.resource_id for key in keys], [key.number for key in keys]),
        prepare=True,
        binary=True,
    )
    return {
        BlockKey(resource_id, number): Used(position, unpacked(planes, BLOCK_MIN))
        for resource_id, number, position, planes in cursor
    }


def _sessions(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Session]:
    if not ids:
        return {}
    cursor.execute("SELECT session_id, state::text FROM session WHERE session_id = ANY(%s)", (list(ids),), prepare=True)
    return {key: SESSION_STATE.decode(state) for key, state in cursor}


def _claim_row(key: ClaimKey, claim: LiveClaim) -> Row:
    return (*key, claim.resource_id, claim.interval.start, claim.interval.end, claim.quantity, claim.until)


def _block_row(key: BlockKey, used: Used) -> Row:
    return (*key, used.position, packed(used.planes, BLOCK_MIN))


def _session_row(state: Session) -> Row:
    return (state.id, state.service_id, state.visit.start, state)


def _visit_row(entered: VisitEntered) -> Row:
    return (entered.holder_id, entered.month, entered.appointment_id, entered.visit.start, entered.until)
