"""A history that was seeded is the one that bookings would have left: the same facts, receipts, versions and order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from adapters.fact_codec import FactMapper
from adapters.journal_reader import PostgresJournalReader
from application.booking import Book, book
from domain.interval import Interval
from domain.resource_day import page_id
from domain.service import Requirement
from tests.bench.house import PER_DAY, VISIT_MIN, House
from tests.bench.seeding import BOOKED_AHEAD, FACTS_PER_BOOKING, Booking, past_bookings, seed
from tests.desk import MONDAY, NINE, Desk

FIRST = datetime(2027, 3, 1, tzinfo=UTC)
HOUSE = House(
    url="",
    organization_id=str(UUID(int=1)),
    rooms=[str(UUID(int=10)), str(UUID(int=11))],
    services=[str(UUID(int=20)), str(UUID(int=21))],
    customers=[str(UUID(int=30 + number)) for number in range(5)],
    first_start=FIRST,
)


def test_the_facts_of_a_seeded_booking_are_those_that_booking_it_decides() -> None:
    desk = Desk(now=MONDAY)
    room, customer = desk.resource(), desk.customer()
    service = desk.service(Requirement(resource_id=room), duration_min=VISIT_MIN)
    wanted = Booking(
        appointment_id=desk.new_id(),
        organization_id=desk.organization_id,
        service_id=service,
        room_id=room,
        customer_id=customer,
        visit=Interval(NINE, NINE + timedelta(minutes=VISIT_MIN)),
    )
    before = len(desk.facts)
    command = Book(
        appointment_id=wanted.appointment_id, service_id=wanted.service_id, customer_id=wanted.customer_id, start=NINE
    )
    answer = desk.do(book, command)
    assert tuple(desk.facts[before:]) == wanted.facts()
    assert answer == wanted.answer()


def test_every_slot_before_the_first_start_is_taken_once() -> None:
    both = list(past_bookings(HOUSE, 10))
    assert len({(one.room_id, one.visit.start) for one in both}) == 10
    assert {one.room_id for one in both} == {UUID(room) for room in HOUSE.rooms}
    assert max(one.visit.end for one in both) == FIRST
    one_room = list(past_bookings(HOUSE, 3 * PER_DAY, rooms=[1]))
    assert {one.room_id for one in one_room} == {UUID(HOUSE.rooms[1])}
    assert min(one.visit.start for one in one_room) == FIRST - timedelta(days=3)


def test_the_journal_goes_on_where_the_seed_has_ended(postgres_url: str) -> None:
    bookings = list(past_bookings(HOUSE, 2 * PER_DAY, rooms=[0]))
    assert seed(postgres_url, bookings[:PER_DAY]) == PER_DAY * FACTS_PER_BOOKING
    assert seed(postgres_url, bookings[PER_DAY:]) == PER_DAY * FACTS_PER_BOOKING
    expected = [(stream_id, fact) for booking in bookings for stream_id, fact in booking.facts()]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        recorded = PostgresJournalReader(connection, FactMapper()).read(after=0, limit=10_000)
        receipts = connection.execute("SELECT position FROM receipts ORDER BY position").fetchall()
        following = connection.execute("SELECT nextval('stored_events_notification_id_seq')").fetchone()
    assert [(one.stream_id, one.fact) for one in recorded] == expected
    assert [one.position for one in recorded] == list(range(1, len(expected) + 1))
    assert recorded[0].provenance.at == bookings[0].visit.start - BOOKED_AHEAD
    assert [position for (position,) in receipts] == list(range(3, len(expected) + 1, 3))
    assert following == (len(expected) + 1,)
    page = page_id(UUID(HOUSE.rooms[0]), FIRST.date() - timedelta(days=1))
    assert [one.version for one in recorded if one.stream_id == page] == list(range(1, PER_DAY + 1))


def test_what_was_booked_already_is_not_seeded_over(postgres_url: str) -> None:
    bookings = list(past_bookings(HOUSE, 4))
    seed(postgres_url, bookings)
    with pytest.raises(psycopg.errors.UniqueViolation):
        seed(postgres_url, bookings)
