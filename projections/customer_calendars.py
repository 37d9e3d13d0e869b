"""Each customer's appointments, whatever became of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL

from application.hints import Hints
from application.journal import Recorded
from domain.appointment import Allotment, Appointment, AppointmentFact, InSeries, Status, evolve
from domain.interval import Interval
from domain.service import DURATION_MAX_MIN
from projections import changes
from projections.changes import Change, ChangeLog
from projections.reads import Reads
from projections.table import Table

VISIT_MAX = timedelta(minutes=DURATION_MAX_MIN)
"""No visit is longer, so what overlaps an interval began at most this long before it."""

_ENTRY = Table(
    "entry",
    {
        "id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "customer_id": "uuid NOT NULL",
        "service_id": "uuid NOT NULL",
        "status": "text NOT NULL",
        "start": "timestamptz NOT NULL",
        "end": "timestamptz NOT NULL",
        "resource_ids": "uuid[] NOT NULL",
        "held_until": "timestamptz",
        "seats": "integer NOT NULL",
        "session_id": "uuid",
        "series_id": "uuid",
        "recurrence_id": "timestamp",
        "waitlist_entry_id": "uuid",
        "version": "bigint NOT NULL",
        "position": "bigint NOT NULL",
    },
    key=("id",),
)
_COLUMNS = SQL(", ").join(map(SQL, [f'"{name}"' for name in _ENTRY.columns]))
_SHOWN = tuple(name for name in _ENTRY.columns if name not in {"organization_id", "position"})
"""What a change's frame says of an entry; the position stands beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An appointment as its customer sees it: without buffers. ``version`` and ``position`` of its latest fact.

    ``waitlist_entry_id``: it is an offer, or was one. ``recurrence_id``, a wall-clock time, names it in its series.
    """

    id: UUID
    organization_id: UUID
    customer_id: UUID
    service_id: UUID
    status: Status
    start: datetime
    end: datetime
    resource_ids: list[UUID]
    held_until: datetime | None
    seats: int
    session_id: UUID | None
    series_id: UUID | None
    recurrence_id: datetime | None
    waitlist_entry_id: UUID | None
    version: int
    position: int


class CustomerCalendars:
    NAME: ClassVar = "customer_calendars"
    FACTS: ClassVar = AppointmentFact
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"""
    {_ENTRY.ddl}
    CREATE INDEX entry_by_time ON entry (customer_id, start);
    {changes.TABLES}
    """

    def __init__(self, partitions: int, hints: Hints | None = None) -> None:
        self._changes = ChangeLog(partitions, hints)

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        facts = [(recorded, recorded.fact) for recorded in batch if isinstance(recorded.fact, AppointmentFact)]
        begun = {fact.appointment_id for recorded, fact in facts if recorded.version == 1}
        visits = _load(cursor, {fact.appointment_id for _, fact in facts} - begun)
        known = frozenset(visits)
        written: dict[UUID, Entry] = {}
        news: list[Change] = []
        for recorded, fact in facts:
            visit = visits[fact.appointment_id] = evolve(visits.get(fact.appointment_id), fact)
            written[visit.id] = entry = _seen(recorded, visit)
            news.append(_change(recorded, entry))
        _ENTRY.save(cursor, dict(zip(written, _ENTRY.rows_of(written.values()), strict=True)), known)
        self._changes.record(cursor, news)

    def after_commit(self, batch: Sequence[Recorded]) -> None:  # noqa: ARG002  the changes are known
        self._changes.announce()


def _seen(recorded: Recorded, visit: Appointment) -> Entry:
    return Entry(
        id=visit.id,
        organization_id=visit.organization_id,
        customer_id=visit.customer_id,
        service_id=visit.service_id,
        status=visit.status,
        start=visit.visit.start,
        end=visit.visit.end,
        resource_ids=[allotment.resource_id for allotment in visit.allotments],
        held_until=_utc(visit.held_until),
        seats=visit.seats,
        session_id=visit.session_id,
        series_id=visit.occurrence.series_id if visit.occurrence else None,
        recurrence_id=visit.occurrence.recurrence_id if visit.occurrence else None,
        waitlist_entry_id=visit.entry_id,
        version=recorded.version,
        position=recorded.position,
    )


def _change(recorded: Recorded, entry: Entry) -> Change:
    return Change(
        position=recorded.position,
        organization_id=recorded.provenance.organization_id,
        topic=f"customer:{entry.customer_id}:appointments",
        at=recorded.provenance.at,
        data=msgspec.json.encode({name: getattr(entry, name) for name in _SHOWN}),
    )


def _load(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Appointment]:
    if not ids:
        return {}
    statement = SQL("SELECT {} FROM entry WHERE id = ANY(%s)").format(_COLUMNS)
    cursor.execute(statement, (list(ids),), prepare=True)
    return {entry.id: _visit(entry) for entry in map(_entry, cursor)}


def _visit(entry: Entry) -> Appointment:
    """As much of the appointment as its customer sees, to be evolved: claim and quantities are not shown."""
    visit = Interval(entry.start, entry.end)
    in_series = InSeries(entry.series_id, entry.recurrence_id) if entry.series_id and entry.recurrence_id else None
    return Appointment(
        id=entry.id,
        organization_id=entry.organization_id,
        service_id=entry.service_id,
        customer_id=entry.customer_id,
        status=entry.status,
        visit=visit,
        claim=visit,
        allotments=tuple(Allotment(resource_id, 1) for resource_id in entry.resource_ids),
        held_until=entry.held_until,
        seats=entry.seats,
        session_id=entry.session_id,
        occurrence=in_series,
        entry_id=entry.waitlist_entry_id,
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(_ENTRY.columns, row, strict=True))
    for name in ("start", "end", "held_until"):
        values[name] = _utc(values[name])
    return Entry(**{**values, "status": Status(values["status"])})


def _utc(moment: datetime | None) -> datetime | None:
    # Whatever zone the session shows: one representation of an instant keeps what is written the same.
    return moment.astimezone(UTC) if moment else None


async def entries(pool: Reads, organization_id: UUID, customer_id: UUID, start: datetime, end: datetime) -> list[Entry]:
    """The visits that overlap the interval from ``start`` up to ``end``, by start; cancelled ones included."""
    statement = SQL(
        "SELECT {} FROM customer_calendars.entry WHERE customer_id = %s AND organization_id = %s"
        ' AND start > %s AND start < %s AND "end" > %s ORDER BY start, id'
    ).format(_COLUMNS)
    async with pool.connection() as connection:
        rows = await connection.execute(statement, (customer_id, organization_id, start - VISIT_MAX, end, start))
        return [_entry(row) async for row in rows]
