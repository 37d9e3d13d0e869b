"""Those who wait, in the order in which they came, and what became of those who did."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, LiteralString
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL

from application.feed import partition_of
from application.hints import Hints
from application.journal import Recorded
from application.waiting import entry_answer
from domain.waitlist import (
    Waitlist,
    WaitlistAccepted,
    WaitlistEnded,
    WaitlistEntry,
    WaitlistFact,
    WaitlistJoined,
    WaitlistLeft,
    evolve,
)
from projections import changes
from projections.changes import Change, ChangeLog
from projections.reads import Reads
from projections.table import Table

ENDS = {WaitlistAccepted: "accepted", WaitlistLeft: "left", WaitlistEnded: "ended"}

_ENTRY = Table(
    "entry",
    {
        "id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "joined": "bigint NOT NULL",  # the position at which it joined: the order of the queue
        "status": "text NOT NULL",
        "customer_id": "uuid NOT NULL",
        "service_id": "uuid NOT NULL",
        "appointment_id": "uuid",
        "state": "jsonb NOT NULL",
        "position": "bigint NOT NULL",
    },
    key=("id",),
)
_COLUMNS: LiteralString = "id, organization_id, joined, status, appointment_id, state::text, position"
_STATE = msgspec.json.Decoder(WaitlistEntry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``state`` as it was when the entry ended, if it has. ``appointment_id``: what it has got.

    ``place``: the how-manieth it is of those who wait for the same service, None if it waits no more or was not asked.
    """

    state: WaitlistEntry
    organization_id: UUID
    joined: int
    status: str
    appointment_id: UUID | None
    position: int
    place: int | None = None


class WaitlistQueue:
    NAME: ClassVar = "waitlist_queue"
    FACTS: ClassVar = WaitlistFact
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"""
    {_ENTRY.ddl}
    CREATE INDEX entry_in_order ON entry (organization_id, joined);
    CREATE INDEX entry_of_customer ON entry (organization_id, customer_id, joined);
    CREATE INDEX entry_that_waits ON entry (organization_id, service_id, joined) WHERE status IN ('waiting', 'offered');
    {changes.TABLES}
    """

    def __init__(self, partitions: int, hints: Hints | None = None) -> None:
        self._changes = ChangeLog(partitions, hints)

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        facts = [(recorded, recorded.fact) for recorded in batch if isinstance(recorded.fact, WaitlistFact)]
        joined = {fact.entry_id for _, fact in facts if isinstance(fact, WaitlistJoined)}
        rows = _load(cursor, {fact.entry_id for _, fact in facts} - joined)
        news: list[Change] = []
        for recorded, fact in facts:
            row = rows[fact.entry_id] = _after(rows.get(fact.entry_id), recorded, fact)
            news.append(_change(recorded, row))
        _ENTRY.upsert(cursor, [_stored(rows[entry_id]) for entry_id in dict.fromkeys(f.entry_id for _, f in facts)])
        self._changes.record(cursor, news)

    def after_commit(self, batch: Sequence[Recorded]) -> None:  # noqa: ARG002  the changes are known
        self._changes.announce()


def _after(before: Row | None, recorded: Recorded, fact: WaitlistFact) -> Row:
    organization_id = recorded.provenance.organization_id
    alone = Waitlist(organization_id=organization_id, entries=(before.state,)) if before else None
    after = evolve(alone, fact).entry(fact.entry_id)
    if before is None:
        assert after
        return Row(
            state=after,
            organization_id=organization_id,
            joined=recorded.position,
            status="waiting",
            appointment_id=None,
            position=recorded.position,
        )
    if after is None:
        return replace(
            before,
            state=replace(before.state, offer=None),
            status=ENDS[type(fact)],
            appointment_id=fact.appointment_id if isinstance(fact, WaitlistAccepted) else None,
            position=recorded.position,
        )
    return replace(before, state=after, status="offered" if after.offer else "waiting", position=recorded.position)


def topic_of(organization_id: UUID) -> str:
    """The changes of an organization's waitlist."""
    return f"organization:{organization_id}:waitlist"


def _change(recorded: Recorded, row: Row) -> Change:
    return Change(
        position=recorded.position,
        organization_id=row.organization_id,
        topic=topic_of(row.organization_id),
        at=recorded.provenance.at,
        data=msgspec.json.encode(shown(row)),
    )


def shown(row: Row) -> dict[str, object]:
    """An entry as the contract has it."""
    answer = entry_answer(row.state, row.status)
    if row.appointment_id is not None:
        answer["appointment_id"] = row.appointment_id
    if row.place is not None:
        answer["place"] = row.place
    return answer


def _stored(row: Row) -> tuple[object, ...]:
    return (
        row.state.id,
        row.organization_id,
        row.joined,
        row.status,
        row.state.customer_id,
        row.state.service_id,
        row.appointment_id,
        row.state,
        row.position,
    )


def _load(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Row]:
    if not ids:
        return {}
    cursor.execute(SQL("SELECT {} FROM entry WHERE id = ANY(%s)").format(SQL(_COLUMNS)), (list(ids),), prepare=True)
    return {row.state.id: row for row in map(_row, cursor)}


def _row(values: tuple[Any, ...]) -> Row:
    _, organization_id, joined, status, appointment_id, state, position, *place = values
    return Row(
        state=_STATE.decode(state),
        organization_id=organization_id,
        joined=joined,
        status=status,
        appointment_id=appointment_id,
        position=position,
        place=place[0] if place else None,
    )


_LISTED = """
WITH queue AS (
    SELECT id, row_number() OVER (PARTITION BY service_id ORDER BY joined) AS place
      FROM waitlist_queue.entry WHERE organization_id = %s AND status IN ('waiting', 'offered'))
SELECT {}, place FROM waitlist_queue.entry LEFT JOIN queue USING (id) WHERE {} ORDER BY joined LIMIT %s
"""


async def listed(
    pool: Reads,
    organization_id: UUID,
    *,
    entry_id: UUID | None = None,
    service_id: UUID | None = None,
    customer_id: UUID | None = None,
    status: str | None = None,
    after: int | None = None,
    limit: int = 1,
) -> list[Row]:
    """The entries that match all that is given, in the order in which they came, those after ``after``."""
    conditions: list[tuple[LiteralString, object]] = [("organization_id = %s", organization_id)]
    if entry_id:
        conditions.append(("id = %s", entry_id))
    if service_id:
        conditions.append(("service_id = %s", service_id))
    if customer_id:
        conditions.append(("customer_id = %s", customer_id))
    if status:
        conditions.append(("status = %s", status))
    if after is not None:
        conditions.append(("joined > %s", after))
    statement = SQL(_LISTED).format(SQL(_COLUMNS), SQL(" AND ").join(SQL(condition) for condition, _ in conditions))
    async with pool.connection() as connection:
        rows = await connection.execute(statement, (organization_id, *(value for _, value in conditions), limit))
        return [_row(row) async for row in rows]


async def queue_of(pool: Reads, organization_id: UUID, partitions: int) -> tuple[list[WaitlistEntry], int]:
    """Who waits, in order; and the position up to which that is all."""
    # One statement, so one snapshot.
    statement = """
    SELECT (SELECT position FROM waitlist_queue.checkpoint WHERE partition = %s),
           (SELECT coalesce(json_agg(state ORDER BY joined), '[]')::text FROM waitlist_queue.entry
             WHERE organization_id = %s AND status IN ('waiting', 'offered'))
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(statement, (partition_of(organization_id, partitions), organization_id))
        row = await cursor.fetchone()
        assert row
        position, states = row
        return msgspec.json.decode(states, type=list[WaitlistEntry]), position or 0
