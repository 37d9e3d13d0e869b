"""What a batch of facts does to resources' calendars: the rows that it writes and removes, and what followers hear."""

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from application.journal import Recorded
from domain.appointment import Appointment, AppointmentFact
from domain.appointment import evolve as evolve_visit
from domain.resource import ResourceClosedFor, ResourceReopened
from domain.session import SeatsLeft, SeatsTaken, Session, SessionFact
from domain.session import evolve as evolve_session
from projections.calendar_entries import (
    closure_entry,
    guest_of,
    session_entries,
    session_from,
    visit_entries,
    visit_from,
    visit_of,
)
from projections.calendar_rows import ENTRY, GUEST, SEAT, Entry, Guest, Seat, entry_from, guest_from, seat_from
from projections.changes import Change
from projections.table import Table

_SHOWN = tuple(name for name in ENTRY.columns if name not in {"organization_id", "position"})
"""What a change's frame says of an entry; the position stands beside it."""
_GUEST_SHOWN = ("status", "customer_id", "seats", "held_until", "version")

Key = tuple[UUID, UUID]
"""An entry's: appointment, session or closure, and resource."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that stands in calendars, with the version and position of its latest fact, and its seats."""

    session: Session
    version: int
    position: int
    seats: Mapping[UUID, Seat]

    def entries(self) -> list[Entry]:
        return list(session_entries(self.session, self.version, self.position))


@dataclass(slots=True)
class CalendarBatch:
    """As much of the calendars as the batch touches. What is to be written is by key, None: to be removed.

    ``known``: the keys of all rows that are there, by table.
    """

    known: Mapping[str, Container[Any]]
    visits: dict[UUID, Appointment]
    guests: dict[UUID, Guest]
    sessions: dict[UUID, Opened]
    news: list[Change] = field(default_factory=list)
    _entries: dict[Key, Entry | None] = field(default_factory=dict)
    _seats: dict[tuple[UUID, UUID], Seat | None] = field(default_factory=dict)
    _guests: dict[tuple[UUID], Guest | None] = field(default_factory=dict)

    def take(self, recorded: Recorded) -> None:
        fact = recorded.fact
        match fact:
            case ResourceClosedFor():
                self._write(recorded, [closure_entry(fact, recorded)])
            case ResourceReopened(resource_id=resource_id, closure_id=closure_id):
                self._remove(recorded, closure_id, [resource_id])
            case _ if isinstance(fact, AppointmentFact):
                self._follow_visit(recorded, fact)
            case _ if isinstance(fact, SessionFact):
                self._follow_session(recorded, fact)

    def store(self, cursor: Cursor[Any]) -> None:
        """Write and remove, once for all facts."""
        for table, rows in ((ENTRY, self._entries), (SEAT, self._seats), (GUEST, self._guests)):
            _store(cursor, table, rows, self.known[table.name])

    def _follow_visit(self, recorded: Recorded, fact: AppointmentFact) -> None:
        before = self.visits.get(fact.appointment_id)
        visit = self.visits[fact.appointment_id] = evolve_visit(before, fact)
        entered = list(visit_entries(visit, recorded))
        left = {entry.resource_id for entry in visit_entries(before, recorded)} if before else set()
        self._write(recorded, entered)
        self._remove(recorded, visit.id, left - {entry.resource_id for entry in entered})
        guest = guest_of(visit, recorded.version)
        if guest:
            self._guests[visit.id,] = self.guests[visit.id] = guest
        elif self.guests.pop(visit.id, None):
            self._guests[visit.id,] = None
        opened = self.sessions.get(guest.session_id) if guest else None
        if guest and opened and visit.id in opened.seats:
            self._tell(recorded, opened.entries(), _shown_guest(guest))

    def _follow_session(self, recorded: Recorded, fact: SessionFact) -> None:
        before = self.sessions.get(fact.session_id)
        session = evolve_session(before.session if before else None, fact)
        seats = dict(before.seats) if before and session.takers else {}
        match fact:
            case SeatsTaken(appointment_id=guest_id):
                first = seats[guest_id].position if guest_id in seats else recorded.position
                seats[guest_id] = Seat(
                    session_id=session.id, appointment_id=guest_id, seats=fact.seats, until=fact.until, position=first
                )
            case SeatsLeft(appointment_id=guest_id):
                seats.pop(guest_id, None)
        after = Opened(session, recorded.version, recorded.position, seats)
        self._follow_seats(session.id, before.seats if before else {}, seats)
        entered = after.entries()
        left = {entry.resource_id for entry in before.entries()} if before else set()
        self._write(recorded, entered, self._guest_told(fact))
        self._remove(recorded, session.id, left - {entry.resource_id for entry in entered})
        if session.is_open:
            self.sessions[session.id] = after
        else:
            self.sessions.pop(session.id, None)

    def _follow_seats(self, session_id: UUID, before: Mapping[UUID, Seat], after: Mapping[UUID, Seat]) -> None:
        self._seats.update({(session_id, gone): None for gone in before.keys() - after.keys()})
        changed = {guest_id: seat for guest_id, seat in after.items() if seat != before.get(guest_id)}
        self._seats.update({(session_id, guest_id): seat for guest_id, seat in changed.items()})

    def _guest_told(self, fact: SessionFact) -> dict[str, object] | None:
        """The guest whom a session's fact concerns, as followers of its calendars hear of them."""
        match fact:
            case SeatsLeft(appointment_id=guest_id):
                return {"id": guest_id, "removed": True}
            case SeatsTaken(appointment_id=guest_id) if guest_id in self.guests:
                return _shown_guest(self.guests[guest_id])
            case _:
                return None

    def _write(self, recorded: Recorded, entries: Sequence[Entry], guest: Mapping[str, object] | None = None) -> None:
        self._entries.update({(entry.id, entry.resource_id): entry for entry in entries})
        self._tell(recorded, entries, guest)

    def _remove(self, recorded: Recorded, entry_id: UUID, resource_ids: Collection[UUID]) -> None:
        for resource_id in sorted(resource_ids):
            self._entries[entry_id, resource_id] = None
            gone = {"id": entry_id, "resource_id": resource_id, "removed": True}
            self.news.append(_change(recorded, resource_id, gone))

    def _tell(self, recorded: Recorded, entries: Iterable[Entry], guest: Mapping[str, object] | None = None) -> None:
        for entry in entries:
            shown = {name: getattr(entry, name) for name in _SHOWN}
            told = shown if guest is None else {**shown, "appointment": guest}
            self.news.append(_change(recorded, entry.resource_id, told))


def loaded(cursor: Cursor[Any], facts: Sequence[Recorded]) -> CalendarBatch:
    """A batch that knows of the calendars what these facts may touch."""
    visit_ids, session_ids, closure_ids = set(), set(), set()
    for recorded in facts:
        match recorded.fact:
            case SeatsTaken(session_id=session_id, appointment_id=appointment_id):
                session_ids.add(session_id)
                visit_ids.add(appointment_id)
            case ResourceClosedFor(closure_id=closure_id):
                closure_ids.add(closure_id)
            case fact if isinstance(fact, SessionFact):
                session_ids.add(fact.session_id)
            case fact if isinstance(fact, AppointmentFact) and recorded.version > 1:
                visit_ids.add(fact.appointment_id)
    seated = [guest_from(row) for row in _rows(cursor, GUEST, "appointment_id", visit_ids)]
    guests = {guest.appointment_id: guest for guest in seated}
    session_ids |= {guest.session_id for guest in guests.values()}
    entries: defaultdict[UUID, list[Entry]] = defaultdict(list)
    for entry in map(entry_from, _rows(cursor, ENTRY, "id", visit_ids | session_ids | closure_ids)):
        entries[entry.id].append(entry)
    seats: defaultdict[UUID, dict[UUID, Seat]] = defaultdict(dict)
    for seat in map(seat_from, _rows(cursor, SEAT, "session_id", session_ids)):
        seats[seat.session_id][seat.appointment_id] = seat
    return CalendarBatch(
        known={
            ENTRY.name: {(entry.id, entry.resource_id) for its in entries.values() for entry in its},
            SEAT.name: {(session_id, appointment_id) for session_id, its in seats.items() for appointment_id in its},
            GUEST.name: {(appointment_id,) for appointment_id in guests},
        },
        visits={its_id: visit_from(its) for its_id, its in entries.items() if its_id in visit_ids}
        | {guest.appointment_id: visit_of(guest) for guest in guests.values()},
        guests=guests,
        sessions={
            its_id: Opened(session_from(its, seats[its_id].values()), its[0].version, its[0].position, seats[its_id])
            for its_id, its in entries.items()
            if its_id in session_ids
        },
    )


def _rows(cursor: Cursor[Any], table: Table, key: str, wanted: Collection[UUID]) -> list[dict[str, Any]]:
    if not wanted:
        return []
    columns = SQL(", ").join(map(Identifier, table.columns))
    statement = SQL("SELECT {} FROM {} WHERE {} = ANY(%s) ORDER BY {}").format(
        columns, Identifier(table.name), Identifier(key), SQL(", ").join(map(Identifier, table.key))
    )
    cursor.execute(statement, (list(wanted),), prepare=True)
    return [dict(zip(table.columns, row, strict=True)) for row in cursor]


def _store(cursor: Cursor[Any], table: Table, rows: Mapping[Any, object | None], known: Container[Any]) -> None:
    table.delete(cursor, [key for key, row in rows.items() if row is None])
    written = {key: row for key, row in rows.items() if row is not None}
    table.save(cursor, dict(zip(written, table.rows_of(written.values()), strict=True)), known)


def _shown_guest(guest: Guest) -> dict[str, object]:
    return {"id": guest.appointment_id, **{name: getattr(guest, name) for name in _GUEST_SHOWN}}


def _change(recorded: Recorded, resource_id: UUID, data: object) -> Change:
    return Change(
        position=recorded.position,
        organization_id=recorded.provenance.organization_id,
        topic=f"resource:{resource_id}:calendar",
        at=recorded.provenance.at,
        data=msgspec.json.encode(data),
    )
