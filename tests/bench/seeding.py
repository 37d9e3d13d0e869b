"""Bookings of before the bench: the facts and receipts that booking them would have written, straight into the journal.

Tens of thousands of facts a second, so that a history of years is there in the time that it takes to read of it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from itertools import islice
from random import Random
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg import Cursor

from adapters.fact_codec import FactMapper
from application.journal import Provenance
from application.visits import appointment_answer
from domain.appointment import Allotment, AppointmentBooked, evolve
from domain.booking_page import VisitEntered, booking_page_id
from domain.fact import Fact
from domain.interval import Interval
from domain.resource_day import SlotClaimed, page_id
from tests.bench.house import VISIT_MIN, House

FACTS_PER_BOOKING = 3
BOOKINGS_PER_COPY = 20_000
BOOKED_AHEAD = timedelta(days=1)
CLERK = UUID(int=0xC1E2)
"""Whoever has booked all this."""

_Row = tuple[Any, ...]
_ENCODER = msgspec.json.Encoder()
_FACTS = """
COPY stored_events (originator_id, originator_version, topic, state, notification_id) FROM STDIN (FORMAT binary)
"""
_VERSIONS = """
SELECT originator_id, max(originator_version) FROM stored_events WHERE originator_id = ANY (%s) GROUP BY originator_id
"""
_RECEIPTS = "COPY receipts (command_id, fingerprint, answer, position) FROM STDIN (FORMAT binary)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """Of a service that needs one room all day long and nothing else, in a house whose zone is UTC."""

    appointment_id: UUID
    organization_id: UUID
    service_id: UUID
    room_id: UUID
    customer_id: UUID
    visit: Interval

    def _booked(self) -> AppointmentBooked:
        return AppointmentBooked(
            appointment_id=self.appointment_id,
            organization_id=self.organization_id,
            service_id=self.service_id,
            customer_id=self.customer_id,
            visit=self.visit,
            claim=self.visit,
            allotments=(Allotment(self.room_id, 1),),
        )

    def answer(self) -> dict[str, object]:
        return appointment_answer(evolve(None, self._booked()), 1)

    def facts(self) -> tuple[tuple[UUID, Fact], ...]:
        """What ``application.booking.book`` decides, by stream."""
        day = self.visit.start.date()
        month = day.replace(day=1)
        claimed = SlotClaimed(
            resource_id=self.room_id, day=day, appointment_id=self.appointment_id, claim=self.visit, quantity=1
        )
        entered = VisitEntered(
            holder_id=self.customer_id,
            month=month,
            appointment_id=self.appointment_id,
            service_id=self.service_id,
            visit=self.visit,
        )
        diary_page, booking_page = self.pages()
        return (self.appointment_id, self._booked()), (diary_page, claimed), (booking_page, entered)

    def pages(self) -> tuple[UUID, UUID]:
        """The diary page, the booking page."""
        day = self.visit.start.date()
        return page_id(self.room_id, day), booking_page_id(self.customer_id, day.replace(day=1))


def past_bookings(house: House, how_many: int, *, rooms: Sequence[int] | None = None) -> Iterator[Booking]:
    """Every slot of these rooms, of all unless named by their places, in the time before the house's first start."""
    chosen = range(len(house.rooms)) if rooms is None else rooms
    random = Random(how_many)  # the same ids each time, and as scattered as real ones
    slots = -(-how_many // len(chosen))
    for number in range(how_many):
        slot, place = divmod(number, len(chosen))
        start = house.first_start - timedelta(minutes=VISIT_MIN * (slots - slot))
        yield Booking(
            appointment_id=UUID(int=random.getrandbits(128)),
            organization_id=UUID(house.organization_id),
            service_id=UUID(house.services[chosen[place]]),
            room_id=UUID(house.rooms[chosen[place]]),
            customer_id=UUID(house.customers[number % len(house.customers)]),
            visit=Interval(start, start + timedelta(minutes=VISIT_MIN)),
        )


def seed(database_url: str, bookings: Iterable[Booking], *, say: Callable[[str], None] = lambda _: None) -> int:
    """Write them in order; how many facts. Raises ``psycopg.errors.UniqueViolation`` for one that was written before.

    Whether a slot is free is not looked at.
    """
    coming = iter(bookings)
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE journal_epoch IN EXCLUSIVE MODE")  # as whoever appends
        found = cursor.execute("SELECT coalesce(max(notification_id), 0) FROM stored_events").fetchone()
        assert found
        rows = _Rows(head=found[0])
        while some := list(islice(coming, BOOKINGS_PER_COPY)):
            rows.learn_versions(cursor, some)
            facts, receipts = rows.of(some)
            _copy(cursor, _FACTS, ("uuid", "int8", "text", "bytea", "int8"), facts)
            _copy(cursor, _RECEIPTS, ("uuid", "bytea", "bytea", "int8"), receipts)
            say(f"{rows.head - found[0]:,} facts seeded")
        cursor.execute("SELECT setval(pg_get_serial_sequence('stored_events', 'notification_id'), %s)", [rows.head])
        cursor.execute("NOTIFY daybook_journal")
    with psycopg.connect(database_url, autocommit=True) as connection:
        # What the server would do about so many rows in its own time, it is not to do while something is measured.
        connection.execute("VACUUM (ANALYZE) stored_events, receipts")
        connection.execute("CHECKPOINT")
    return rows.head - int(found[0])


class _Rows:
    """Gives facts their versions and positions. ``head``: the last position."""

    def __init__(self, head: int) -> None:
        self.head = head
        self._versions: dict[UUID, int] = {}
        self._mapper = FactMapper()

    def learn_versions(self, cursor: Cursor[_Row], bookings: Sequence[Booking]) -> None:
        """Of the pages that are not known yet."""
        pages = {stream_id for booking in bookings for stream_id in booking.pages()} - self._versions.keys()
        self._versions |= dict.fromkeys(pages, 0)
        self._versions |= dict(cursor.execute(_VERSIONS, [list(pages)]).fetchall())

    def of(self, bookings: Sequence[Booking]) -> tuple[list[_Row], list[_Row]]:
        """Those of the facts, those of the receipts."""
        facts: list[_Row] = []
        receipts: list[_Row] = []
        for booking in bookings:
            command_id = UUID(int=booking.appointment_id.int ^ 1)
            provenance = Provenance(
                organization_id=booking.organization_id,
                actor_id=CLERK,
                at=booking.visit.start - BOOKED_AHEAD,
                command_id=command_id,
            )
            for stream_id, fact in booking.facts():
                self.head += 1
                version = self._versions[stream_id] = self._versions.get(stream_id, 0) + 1
                facts.append((stream_id, version, fact.TOPIC, self._mapper.state(fact, provenance), self.head))
            fingerprint, answer = sha256(command_id.bytes).digest(), _ENCODER.encode(booking.answer())
            receipts.append((command_id, fingerprint, answer, self.head))
        return facts, receipts


def _copy(cursor: Cursor[_Row], statement: LiteralString, types: Sequence[str], rows: Iterable[_Row]) -> None:
    with cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)
