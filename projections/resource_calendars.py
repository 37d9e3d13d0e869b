"""What stands in each resource's calendar: the appointments that claim it, group appointments, and its closures.

A group appointment is ONE entry with its seats and its guests, however many those are: so many claims would look like
as many bookings of one resource at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from application.hints import Hints
from application.journal import Recorded
from domain.appointment import AppointmentFact
from domain.resource import ResourceClosedFor, ResourceReopened
from domain.service import BUFFER_MAX_MIN, DURATION_MAX_MIN
from domain.session import SessionFact
from projections import changes
from projections.calendar_batch import loaded
from projections.calendar_rows import ENTRY, GUEST, SEAT, Entry, Guest, entry_from
from projections.changes import ChangeLog
from projections.reads import Reads

CLAIM_MAX = timedelta(minutes=BUFFER_MAX_MIN + DURATION_MAX_MIN + BUFFER_MAX_MIN)
"""No appointment claims longer, so what overlaps an interval began at most this long before it."""
GUESTS_MAX = 200
"""So many of a session are in an answer; all of them are in the list of appointments, page by page."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry; of a session also its guests, in the order in which they took their seats, the first ``GUESTS_MAX``."""

    entry: Entry
    guests: Sequence[Guest] = ()


class ResourceCalendars:
    NAME: ClassVar = "resource_calendars"
    FACTS: ClassVar = AppointmentFact | SessionFact | ResourceClosedFor | ResourceReopened
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"""
    {ENTRY.ddl}
    CREATE INDEX entry_by_time ON entry (resource_id, kind, claim_start);
    {SEAT.ddl}
    {GUEST.ddl}
    {changes.TABLES}
    """

    def __init__(self, partitions: int, hints: Hints | None = None) -> None:
        self._changes = ChangeLog(partitions, hints)

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        calendars = loaded(cursor, batch)
        for recorded in batch:
            calendars.take(recorded)
        calendars.store(cursor)
        self._changes.record(cursor, calendars.news)

    def after_commit(self, batch: Sequence[Recorded]) -> None:  # noqa: ARG002  the changes are known
        self._changes.announce()


_ENTRY_COLUMNS = SQL(", ").join(SQL("e.{}").format(Identifier(name)) for name in ENTRY.columns)
_GUESTS = SQL(
    "CASE e.kind WHEN 'session' THEN (SELECT jsonb_agg(to_jsonb(g) ORDER BY g.place) FROM"
    " (SELECT g.*, s.position AS place FROM resource_calendars.seat AS s JOIN resource_calendars.guest AS g"
    " ON g.appointment_id = s.appointment_id AND g.session_id = s.session_id"
    " WHERE s.session_id = e.id ORDER BY s.position LIMIT %(guests_max)s) AS g)::text END"
)


async def entries(pool: Reads, organization_id: UUID, resource_id: UUID, start: datetime, end: datetime) -> list[Shown]:
    """The entries whose claim overlaps the interval from ``start`` up to ``end``, by the start of the claim."""
    # Closures may be of any length; of all else a short index range is enough.
    of_kind = SQL(
        "SELECT {columns}, {guests} FROM resource_calendars.entry AS e WHERE e.resource_id = %(resource_id)s"
        " AND e.organization_id = %(organization_id)s AND e.claim_start < %(end)s AND e.claim_end > %(start)s AND "
    ).format(columns=_ENTRY_COLUMNS, guests=_GUESTS)
    statement = SQL(
        "{of_kind} e.kind IN ('appointment', 'session') AND e.claim_start > %(earliest)s"
        " UNION ALL {of_kind} e.kind = 'closure' ORDER BY claim_start, id"
    ).format(of_kind=of_kind)
    wanted = {
        "organization_id": organization_id,
        "resource_id": resource_id,
        "earliest": start - CLAIM_MAX,
        "start": start,
        "end": end,
        "guests_max": GUESTS_MAX,
    }
    async with pool.connection() as connection:
        rows = await connection.execute(statement, wanted)
        return [_shown(row) async for row in rows]


def _shown(row: tuple[Any, ...]) -> Shown:
    *columns, guests = row
    entry = entry_from(dict(zip(ENTRY.columns, columns, strict=True)))
    return Shown(entry, msgspec.json.decode(guests, type=list[Guest]) if guests else ())
