"""Whoever is refused is told the nearest starts that can be had, by the memory that refused."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from application.booking import Book, Reschedule, book
from application.close_by import TRIED_MAX, close_by
from application.decision import Stream
from application.nearest import Sought, nearest
from application.slots import Slot
from domain.resource_day import page_id
from domain.rules import Rule
from domain.service import Requirement
from tests.desk import HOUR, NINE, OFFICE_HOURS, Desk
from tests.desk_sources import DeskSources

QUARTER = timedelta(minutes=15)


class Nothing:
    """A memory that is empty."""

    def get(self, _: UUID) -> Stream | None:
        return None


@dataclass
class Besides:
    """All that a desk has in memory, besides one stream."""

    desk: Desk
    forgotten: UUID
    missed: list[UUID] = field(default_factory=list)

    def get(self, stream_id: UUID) -> Stream | None:
        if stream_id == self.forgotten:
            self.missed.append(stream_id)
            return None
        return self.desk.get(stream_id)


def wish(desk: Desk, service_id: UUID, start: datetime, **more: Any) -> Book:
    return Book(appointment_id=desk.new_id(), service_id=service_id, customer_id=desk.customer(), start=start, **more)


def told(desk: Desk, wanted: Book) -> Sequence[Slot] | None:
    return close_by(desk, wanted, wanted.service_id, desk.staff, desk.now, count=3)


def test_the_nearest_come_first_and_of_two_as_near_the_earlier() -> None:
    desk = Desk()
    room = desk.resource()
    service = desk.service(Requirement(resource_id=room), slot_step_min=30)
    desk.booked(service, NINE)

    found = told(desk, wish(desk, service, NINE))

    assert found == [Slot(start, start + HOUR, (room,)) for start in (NINE - HOUR, NINE + HOUR, NINE - 1.5 * HOUR)]


def test_nothing_comes_of_it() -> None:
    desk = Desk()
    service = desk.service(Requirement(resource_id=desk.resource()))
    desk.booked(service, NINE)
    wanted = wish(desk, service, NINE)
    before = dict(desk.streams)

    told(desk, wanted)

    assert dict(desk.streams).items() >= before.items()
    assert not desk.streams[wanted.appointment_id].version


def test_who_is_elsewhere_is_not_told_of_that_time() -> None:
    desk = Desk()
    here, there = (desk.service(Requirement(resource_id=desk.resource())) for _ in range(2))
    desk.booked(here, NINE)
    wanted = wish(desk, here, NINE)
    desk.do(
        book, Book(appointment_id=desk.new_id(), service_id=there, customer_id=wanted.customer_id, start=NINE - HOUR)
    )

    found = told(desk, wanted)

    assert found
    assert all(not NINE - HOUR < slot.end <= NINE for slot in found)


def test_a_visit_that_is_moved_may_stay_on_part_of_its_own_time() -> None:
    desk = Desk()
    room = desk.resource()
    service = desk.service(Requirement(resource_id=room))
    mine, _ = desk.booked(service, NINE).id, desk.booked(service, NINE + HOUR)
    wanted = Reschedule(appointment_id=mine, start=NINE + HOUR)

    found = close_by(desk, wanted, service, desk.staff, desk.now, count=3)

    assert found
    assert found[0].start == NINE


def test_a_start_for_which_a_rule_must_be_broken_is_no_alternative() -> None:
    desk = Desk()
    room = desk.resource(shifts=OFFICE_HOURS)
    service = desk.service(Requirement(resource_id=room))
    desk.booked(service, NINE)

    found = told(desk, wish(desk, service, NINE, override=frozenset({Rule.WORKING_HOURS})))

    assert found
    assert found[0].start == NINE + HOUR


def test_so_many_starts_are_looked_at_and_no_more() -> None:
    desk = Desk()
    service = desk.service(Requirement(resource_id=desk.resource()), slot_step_min=60)
    reach = TRIED_MAX // 2
    for away in range(1 - reach, reach + 1):
        desk.booked(service, NINE + away * HOUR)

    def found(count: int) -> Sequence[Slot] | None:
        return close_by(desk, wish(desk, service, NINE), service, desk.staff, desk.now, count=count)

    assert found(1)
    assert found(2) is None


def test_a_hold_of_ones_own_is_no_reason_not_to_be_told_of_its_time() -> None:
    desk = Desk()
    room = desk.resource()
    service = desk.service(Requirement(resource_id=room), slot_step_min=60)
    desk.booked(service, NINE)
    wanted = wish(desk, service, NINE)
    held = replace(wanted, appointment_id=desk.new_id(), start=NINE - HOUR, hold_min=10)
    desk.do(book, held)

    found = told(desk, wanted)

    assert found
    assert [slot.start for slot in found] == [NINE - HOUR, NINE + HOUR, NINE - 2 * HOUR]


def test_a_hold_of_someone_else_is_in_the_way() -> None:
    desk = Desk()
    service = desk.service(Requirement(resource_id=desk.resource()), slot_step_min=60)
    desk.booked(service, NINE)
    desk.do(book, wish(desk, service, NINE - HOUR, hold_min=10))

    found = told(desk, wish(desk, service, NINE))

    assert found
    assert found[0].start == NINE + HOUR


def test_what_is_not_in_memory_is_not_loaded_for_it() -> None:
    desk = Desk()
    room = desk.resource()
    service = desk.service(Requirement(resource_id=room))
    wanted = wish(desk, service, NINE)
    assert close_by(Nothing(), wanted, service, desk.staff, desk.now, count=3) is None
    desk.booked(service, NINE)
    page = page_id(room, NINE.date())
    without = Besides(desk, page)
    assert close_by(without, wanted, service, desk.staff, desk.now, count=3) is None
    assert page in without.missed


def test_a_wide_choice_and_seats_are_left_to_the_read_model() -> None:
    desk = Desk()
    room = desk.resource()
    wide, course = desk.service(), desk.service(Requirement(resource_id=room), seats=2)
    assert told(desk, wish(desk, wide, NINE)) is None
    assert told(desk, wish(desk, course, NINE)) is None
    assert told(desk, wish(desk, wide, NINE, resource_ids=(room,))) is not None


@settings(max_examples=30, deadline=None)
@given(taken=st.sets(st.integers(0, 7), max_size=6), wanted_at=st.integers(0, 31))
def test_memory_tells_what_the_read_model_would(taken: set[int], wanted_at: int) -> None:
    desk = Desk()
    room = desk.resource(shifts=OFFICE_HOURS)
    service = desk.service(Requirement(resource_id=room))
    for hour in taken:
        desk.booked(service, NINE + hour * HOUR)
    start = NINE + wanted_at * QUARTER
    sought = Sought(service_id=service, count=3)

    read = asyncio.run(nearest(DeskSources(desk).sources, desk.organization_id, sought, [start])).get(start, ())
    remembered = told(desk, wish(desk, service, start))

    # The start itself is no alternative to itself; memory is asked only where it was refused.
    assert remembered is None or list(remembered) == list(read)
