"""All appointments as they are now: listed by time, customer, resource or status, and found where hours change."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, LiteralString
from uuid import UUID

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from application.journal import Recorded
from domain.appointment import Allotment, Appointment, AppointmentFact, Deadlines, InSeries, Status, evolve
from domain.interval import Interval
from domain.service import BUFFER_MAX_MIN, DURATION_MAX_MIN
from projections.reads import Reads
from projections.table import Row, Table

ACTIVE = (Status.HELD, Status.PENDING, Status.BOOKED, Status.ARRIVED)
"""An appointment that still is to happen or to end."""

CLAIM_MAX = timedelta(minutes=BUFFER_MAX_MIN + DURATION_MAX_MIN + BUFFER_MAX_MIN)
"""No claim is longer, so what overlaps an interval began at most this long before it: an index range."""

_APPOINTMENT = Table(
    "appointment",
    {
        "id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "service_id": "uuid NOT NULL",
        "customer_id": "uuid NOT NULL",
        "status": "text NOT NULL",
        "start": "timestamptz NOT NULL",
        "end": "timestamptz NOT NULL",
        "claim_start": "timestamptz NOT NULL",
        "claim_end": "timestamptz NOT NULL",
        "resource_ids": "uuid[] NOT NULL",
        "quantities": "integer[] NOT NULL",
        "held_until": "timestamptz",
        "seats": "integer NOT NULL",
        "session_id": "uuid",
        "series_id": "uuid",
        "recurrence_id": "timestamp",
        "entry_id": "uuid",
        "overridden": "text[] NOT NULL",
        "no_show_at": "timestamptz",
        "release_at": "timestamptz",
        "remind_at": "timestamptz[] NOT NULL",
        "released": "boolean NOT NULL",
        "version": "bigint NOT NULL",
        "created_position": "bigint NOT NULL",
        "position": "bigint NOT NULL",
    },
    key=("id",),
)
# A GIN index on resource_ids would find a resource's appointments of all years and then sort them. This
# table has them in list order, so a page of a list and a look around an instant are short index ranges.
_TAKEN = Table(
    "taken",
    {
        "resource_id": "uuid NOT NULL",
        "start": "timestamptz NOT NULL",
        "appointment_id": "uuid NOT NULL",
    },
    key=("resource_id", "start", "appointment_id"),
)
_COLUMNS = SQL(", ").join(SQL("a.{}").format(Identifier(name)) for name in _APPOINTMENT.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An appointment with its stream's ``version``, and the positions of its first and of its latest fact."""

    appointment: Appointment
    version: int
    created_position: int
    position: int


class Appointments:
    NAME: ClassVar = "appointments"
    FACTS: ClassVar = AppointmentFact
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"""
    {_APPOINTMENT.ddl}
    CREATE INDEX appointment_by_start ON appointment (organization_id, start, id);
    CREATE INDEX appointment_by_customer ON appointment (customer_id, start, id);
    CREATE INDEX appointment_by_status ON appointment (organization_id, status, start, id);
    CREATE INDEX appointment_by_series ON appointment (series_id, start, id) WHERE series_id IS NOT NULL;
    CREATE INDEX appointment_by_session ON appointment (session_id, start, id) WHERE session_id IS NOT NULL;
    {_TAKEN.ddl}
    """

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        facts = [(recorded, recorded.fact) for recorded in batch if isinstance(recorded.fact, AppointmentFact)]
        before = _load(cursor, {fact.appointment_id for recorded, fact in facts if recorded.version > 1})
        after = dict(before)
        for recorded, fact in facts:
            known = after.get(fact.appointment_id)
            after[fact.appointment_id] = Entry(
                appointment=evolve(known.appointment if known else None, fact),
                version=recorded.version,
                created_position=known.created_position if known else recorded.position,
                position=recorded.position,
            )
        _APPOINTMENT.save(cursor, {entry_id: _row(entry) for entry_id, entry in after.items()}, before)
        were, are = _taken(before.values()), _taken(after.values())
        _TAKEN.delete(cursor, were - are)
        _TAKEN.insert(cursor, are - were)


def _taken(entries: Iterable[Entry]) -> set[tuple[UUID, datetime, UUID]]:
    appointments = [entry.appointment for entry in entries]
    return {(allotment.resource_id, a.visit.start, a.id) for a in appointments for allotment in a.allotments}


def _load(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Entry]:
    if not ids:
        return {}
    statement = SQL("SELECT {} FROM appointment AS a WHERE id = ANY(%s)").format(_COLUMNS)
    cursor.execute(statement, (list(ids),), prepare=True)
    return {entry.appointment.id: entry for entry in map(_entry, cursor)}


def _entry(row: tuple[Any, ...]) -> Entry:
    its = dict(zip(_APPOINTMENT.columns, row, strict=True))
    in_series = InSeries(its["series_id"], its["recurrence_id"]) if its["series_id"] else None
    appointment = Appointment(
        id=its["id"],
        organization_id=its["organization_id"],
        service_id=its["service_id"],
        customer_id=its["customer_id"],
        status=Status(its["status"]),
        visit=Interval(its["start"], its["end"]),
        claim=Interval(its["claim_start"], its["claim_end"]),
        allotments=tuple(Allotment(*pair) for pair in zip(its["resource_ids"], its["quantities"], strict=True)),
        held_until=its["held_until"],
        seats=its["seats"],
        session_id=its["session_id"],
        occurrence=in_series,
        entry_id=its["entry_id"],
        overridden=tuple(its["overridden"]),
        deadlines=Deadlines(
            no_show_at=its["no_show_at"], release_at=its["release_at"], remind_at=tuple(its["remind_at"])
        ),
        released=its["released"],
    )
    return Entry(
        appointment=appointment,
        version=its["version"],
        created_position=its["created_position"],
        position=its["position"],
    )


def _row(entry: Entry) -> Row:
    appointment = entry.appointment
    return (
        appointment.id,
        appointment.organization_id,
        appointment.service_id,
        appointment.customer_id,
        appointment.status,
        appointment.visit.start,
        appointment.visit.end,
        appointment.claim.start,
        appointment.claim.end,
        [allotment.resource_id for allotment in appointment.allotments],
        [allotment.quantity for allotment in appointment.allotments],
        appointment.held_until,
        appointment.seats,
        appointment.session_id,
        appointment.occurrence.series_id if appointment.occurrence else None,
        appointment.occurrence.recurrence_id if appointment.occurrence else None,
        appointment.entry_id,
        list(appointment.overridden),
        appointment.deadlines.no_show_at,
        appointment.deadlines.release_at,
        list(appointment.deadlines.remind_at),
        appointment.released,
        entry.version,
        entry.created_position,
        entry.position,
    )


async def listed(  # noqa: PLR0913  one argument per filter of the contract
    pool: Reads,
    organization_id: UUID,
    *,
    customer_id: UUID | None = None,
    resource_id: UUID | None = None,
    series_id: UUID | None = None,
    session_id: UUID | None = None,
    status: Status | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    after: tuple[datetime, UUID] | None = None,
    limit: int,
) -> list[Entry]:
    """The appointments that match all that is given, by (start, id), those after ``after``.

    ``start`` and ``end`` bound when the visit starts: from ``start`` up to, but not including, ``end``.
    """
    # Of a resource's appointments the order is read from the side table, of all others from the main one.
    source: LiteralString = "appointments.appointment AS a"
    place: LiteralString = "a.start, a.id"
    if resource_id:
        source = "appointments.taken AS t JOIN appointments.appointment AS a ON a.id = t.appointment_id"
        place = "t.start, t.appointment_id"
    begins = place.partition(",")[0]
    conditions: list[tuple[LiteralString, tuple[object, ...]]] = [("a.organization_id = %s", (organization_id,))]
    if resource_id:
        conditions.append(("t.resource_id = %s", (resource_id,)))
    if customer_id:
        conditions.append(("a.customer_id = %s", (customer_id,)))
    if series_id:
        conditions.append(("a.series_id = %s", (series_id,)))
    if session_id:
        conditions.append(("a.session_id = %s", (session_id,)))
    if status:
        conditions.append(("a.status = %s", (str(status),)))
    if start:
        conditions.append((f"{begins} >= %s", (start,)))
    if end:
        conditions.append((f"{begins} < %s", (end,)))
    if after:
        conditions.append((f"({place}) > (%s, %s)", after))
    statement = SQL("SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT %s").format(
        _COLUMNS, SQL(source), SQL(" AND ").join(SQL(condition) for condition, _ in conditions), SQL(place)
    )
    values = [value for _, its in conditions for value in its]
    async with pool.connection() as connection:
        rows = await connection.execute(statement, [*values, limit])
        return [_entry(row) async for row in rows]


async def hits(
    pool: Reads,
    organization_id: UUID,
    resource_ids: Collection[UUID],
    windows: Collection[Interval],
    *,
    now: datetime,
    limit: int,
) -> list[Entry]:
    """The active appointments on these resources whose claim ends after ``now`` and overlaps a window, by start."""
    ahead = [window for window in windows if window.end > now]
    # Each window is a short index range of each resource; then the claims themselves are looked at.
    statement = SQL(
        "WITH w AS (SELECT * FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS w (earliest, latest))"
        " SELECT {} FROM appointments.appointment AS a"
        " WHERE a.id IN (SELECT t.appointment_id FROM w JOIN appointments.taken AS t ON t.resource_id = ANY(%s)"
        " AND t.start > w.earliest - %s AND t.start < w.latest + %s)"
        " AND EXISTS (SELECT FROM w WHERE a.claim_start < w.latest AND a.claim_end > w.earliest)"
        " AND a.organization_id = %s AND a.status = ANY(%s) AND a.claim_end > %s ORDER BY a.start, a.id LIMIT %s"
    ).format(_COLUMNS)
    bounds = [max(window.start, now) for window in ahead], [window.end for window in ahead]
    wanted = (*bounds, [*resource_ids], CLAIM_MAX, CLAIM_MAX, organization_id, [*map(str, ACTIVE)], now, limit)
    async with pool.connection() as connection:
        rows = await connection.execute(statement, wanted)
        return [_entry(row) async for row in rows]
