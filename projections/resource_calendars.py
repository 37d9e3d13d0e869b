"""What stands in each resource's calendar: the appointments that claim it, and its closures."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL
from psycopg_pool import AsyncConnectionPool

from application.hints import Hints
from application.journal import Recorded
from domain.appointment import Allotment, Appointment, AppointmentFact, Status, evolve
from domain.interval import Interval
from domain.resource import ResourceClosedFor, ResourceReopened
from domain.service import BUFFER_MAX_MIN, DURATION_MAX_MIN
from projections import changes
from projections.changes import Change, ChangeLog
from projections.table import Table

CLAIM_MAX = timedelta(minutes=BUFFER_MAX_MIN + DURATION_MAX_MIN + BUFFER_MAX_MIN)
"""No appointment claims longer, so what overlaps an interval began at most this long before it."""

_ENTRY = Table(
    "entry",
    {
        "id": "uuid NOT NULL",
        "resource_id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "kind": "text NOT NULL",
        "start": "timestamptz NOT NULL",
        "end": "timestamptz NOT NULL",
        "claim_start": "timestamptz NOT NULL",
        "claim_end": "timestamptz NOT NULL",
        "quantity": "int",
        "status": "text",
        "customer_id": "uuid",
        "service_id": "uuid",
        "held_until": "timestamptz",
        "version": "bigint NOT NULL",
        "position": "bigint NOT NULL",
    },
    key=("id", "resource_id"),
)
_COLUMNS = SQL(", ").join(map(SQL, [f'"{name}"' for name in _ENTRY.columns]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """``id`` is the appointment's or the closure's, ``start`` and ``end`` the visit's; the claim adds the buffers.

    A closure claims all of the resource: it has no quantity, status, customer or service. ``version`` and
    ``position`` are those of the fact that last changed the entry.
    """

    id: UUID
    resource_id: UUID
    organization_id: UUID
    kind: Literal["appointment", "closure"]
    start: datetime
    end: datetime
    claim_start: datetime
    claim_end: datetime
    quantity: int | None = None
    status: Status | None = None
    customer_id: UUID | None = None
    service_id: UUID | None = None
    held_until: datetime | None = None
    version: int
    position: int


_SHOWN = tuple(name for name in _ENTRY.columns if name not in {"organization_id", "position"})
"""What a change's frame says of an entry; the position stands beside it."""

Key = tuple[UUID, UUID]
"""An entry's: appointment or closure, resource."""


class ResourceCalendars:
    NAME: ClassVar = "resource_calendars"
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"""
    {_ENTRY.ddl}
    CREATE INDEX entry_by_time ON entry (resource_id, kind, claim_start);
    {changes.TABLES}
    """

    def __init__(self, partitions: int, hints: Hints | None = None) -> None:
        self._changes = ChangeLog(partitions, hints)

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        visits = _load(cursor, _known_before(batch))
        written: dict[Key, Entry] = {}
        removed: set[Key] = set()
        news: list[Change] = []
        for recorded in batch:
            for key, entry in _effects(recorded, visits):
                news.append(_change(recorded, key, entry))
                if entry is None:
                    written.pop(key, None)
                    removed.add(key)
                else:
                    written[key] = entry
        # In this order: what was removed may have been written again.
        _ENTRY.delete(cursor, removed)
        _ENTRY.upsert(cursor, written.values())
        self._changes.record(cursor, news)

    def after_commit(self, batch: Sequence[Recorded]) -> None:  # noqa: ARG002  the changes are known
        self._changes.announce()


def _known_before(batch: Sequence[Recorded]) -> set[UUID]:
    """The appointments that are touched, but not begun, by the batch."""
    facts = [(recorded.version, recorded.fact) for recorded in batch]
    touched = {fact.appointment_id for _, fact in facts if isinstance(fact, AppointmentFact)}
    return touched - {
        fact.appointment_id for version, fact in facts if isinstance(fact, AppointmentFact) and version == 1
    }


def _effects(recorded: Recorded, visits: dict[UUID, Appointment]) -> Iterator[tuple[Key, Entry | None]]:
    """The entries that a fact writes, None for one that it removes; ``visits`` follows."""
    match recorded.fact:
        case ResourceClosedFor(resource_id=resource_id, closure_id=closure_id, closed=closed):
            yield (closure_id, resource_id), _closure(recorded, closure_id, resource_id, closed)
        case ResourceReopened(resource_id=resource_id, closure_id=closure_id):
            yield (closure_id, resource_id), None
        case fact if isinstance(fact, AppointmentFact):
            before = visits.get(fact.appointment_id)
            visit = visits[fact.appointment_id] = evolve(before, fact)
            claims = () if visit.status is Status.CANCELLED else visit.allotments
            for allotment in claims:
                yield (visit.id, allotment.resource_id), _claim(recorded, visit, allotment)
            given_back = {a.resource_id for a in before.allotments} if before else set()
            for resource_id in sorted(given_back - {allotment.resource_id for allotment in claims}):
                yield (visit.id, resource_id), None


def _claim(recorded: Recorded, visit: Appointment, allotment: Allotment) -> Entry:
    return Entry(
        id=visit.id,
        resource_id=allotment.resource_id,
        organization_id=visit.organization_id,
        kind="appointment",
        start=visit.visit.start,
        end=visit.visit.end,
        claim_start=visit.claim.start,
        claim_end=visit.claim.end,
        quantity=allotment.quantity,
        status=visit.status,
        customer_id=visit.customer_id,
        service_id=visit.service_id,
        held_until=_utc(visit.held_until),
        version=recorded.version,
        position=recorded.position,
    )


def _closure(recorded: Recorded, closure_id: UUID, resource_id: UUID, closed: Interval) -> Entry:
    return Entry(
        id=closure_id,
        resource_id=resource_id,
        organization_id=recorded.provenance.organization_id,
        kind="closure",
        start=closed.start,
        end=closed.end,
        claim_start=closed.start,
        claim_end=closed.end,
        version=recorded.version,
        position=recorded.position,
    )


def _change(recorded: Recorded, key: Key, entry: Entry | None) -> Change:
    entry_id, resource_id = key
    if entry is None:
        data: dict[str, object] = {"id": entry_id, "resource_id": resource_id, "removed": True}
    else:
        data = {name: getattr(entry, name) for name in _SHOWN}
    return Change(
        position=recorded.position,
        organization_id=recorded.provenance.organization_id,
        topic=f"resource:{resource_id}:calendar",
        at=recorded.provenance.at,
        data=msgspec.json.encode(data),
    )


def _load(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Appointment]:
    """The appointments as far as calendars know them, from their entries."""
    if not ids:
        return {}
    statement = SQL("SELECT {} FROM entry WHERE id = ANY(%s) ORDER BY id, resource_id").format(_COLUMNS)
    cursor.execute(statement, (list(ids),), prepare=False)
    entries = [_entry(row) for row in cursor]
    return {visit_id: _visit(list(its)) for visit_id, its in groupby(entries, key=attrgetter("id"))}


def _visit(entries: Sequence[Entry]) -> Appointment:
    one = entries[0]
    assert one.customer_id
    assert one.service_id
    assert one.status
    return Appointment(
        id=one.id,
        organization_id=one.organization_id,
        service_id=one.service_id,
        customer_id=one.customer_id,
        status=one.status,
        visit=Interval(one.start, one.end),
        claim=Interval(one.claim_start, one.claim_end),
        allotments=tuple(Allotment(entry.resource_id, entry.quantity or 0) for entry in entries),
        held_until=one.held_until,
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(_ENTRY.columns, row, strict=True))
    for name in ("start", "end", "claim_start", "claim_end", "held_until"):
        values[name] = _utc(values[name])
    values["status"] = values["status"] and Status(values["status"])
    return Entry(**values)


def _utc(moment: datetime | None) -> datetime | None:
    # Whatever zone the session shows: one representation of an instant keeps what is written the same.
    return moment.astimezone(UTC) if moment else None


async def entries(
    pool: AsyncConnectionPool, organization_id: UUID, resource_id: UUID, start: datetime, end: datetime
) -> list[Entry]:
    """The entries whose claim overlaps the interval from ``start`` up to ``end``, by the start of the claim."""
    statement = SQL(
        "SELECT {0} FROM resource_calendars.entry WHERE resource_id = %(resource_id)s AND kind = 'appointment'"
        " AND claim_start > %(earliest)s AND claim_start < %(end)s AND claim_end > %(start)s"
        " AND organization_id = %(organization_id)s UNION ALL "
        "SELECT {0} FROM resource_calendars.entry WHERE resource_id = %(resource_id)s AND kind = 'closure'"
        " AND claim_start < %(end)s AND claim_end > %(start)s"
        " AND organization_id = %(organization_id)s ORDER BY claim_start, id"
    ).format(_COLUMNS)
    wanted = {
        "organization_id": organization_id,
        "resource_id": resource_id,
        "earliest": start - CLAIM_MAX,
        "start": start,
        "end": end,
    }
    async with pool.connection() as connection:
        rows = await connection.execute(statement, wanted)
        return [_entry(row) async for row in rows]
