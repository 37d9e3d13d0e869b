"""For each of many starts that cannot be had, the nearest that can."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from application.nearest import nearest
from application.slots import Slot
from domain.interval import Interval
from domain.service import BookingLimit, Holder, Period, Requirement
from tests.application.test_slots import found
from tests.desk import HOUR, MONDAY, NINE, OFFICE_HOURS, Desk
from tests.desk_sources import DeskSources

A_DAY = timedelta(days=1)


def near(desk: Desk, service_id: UUID, refused: Iterable[datetime], **wish: Any) -> Mapping[datetime, Slot]:
    return asyncio.run(nearest(DeskSources(desk).sources, desk.organization_id, service_id, refused, **wish))


def test_the_nearest_start_lies_before_or_after_and_of_two_as_near_it_is_the_earlier() -> None:
    desk = Desk()
    desk.resource()
    service = desk.service(slot_step_min=30)
    desk.booked(service, NINE)
    desk.booked(service, NINE + A_DAY)
    desk.booked(service, NINE + A_DAY + HOUR)
    desk.booked(service, NINE + 2 * A_DAY)
    desk.booked(service, NINE + 2 * A_DAY - HOUR)

    answer = near(desk, service, [NINE + n * A_DAY for n in range(3)])

    assert {start: slot.start for start, slot in answer.items()} == {
        NINE: NINE - HOUR,
        NINE + A_DAY: NINE + A_DAY - HOUR,
        NINE + 2 * A_DAY: NINE + 2 * A_DAY + HOUR,
    }


def test_whom_one_asked_for_comes_first_even_if_others_are_nearer() -> None:
    desk = Desk()
    first, other = desk.resource(), desk.resource()
    service = desk.service()
    for hour in range(24):
        desk.booked(service, MONDAY + hour * HOUR, resource_ids=(first,))

    (asked,) = near(desk, service, [NINE], resource_ids=(first,)).values()
    (any_one,) = near(desk, service, [NINE]).values()

    assert asked == Slot(MONDAY + A_DAY, MONDAY + A_DAY + HOUR, (first,))
    assert any_one.resource_ids == (other,)
    assert abs(any_one.start - NINE) == timedelta(minutes=15)


def test_where_there_is_nothing_within_a_fortnight_there_is_no_alternative() -> None:
    desk = Desk()
    office = desk.resource(shifts=())
    service = desk.service(Requirement(resource_id=office))

    assert near(desk, service, [NINE]) == {}
    assert near(desk, desk.new_id(), [NINE]) == {}


def test_what_is_busy_is_no_alternative() -> None:
    desk = Desk()
    desk.resource()
    service = desk.service()
    desk.booked(service, NINE)
    busy = [Interval(NINE - 2 * HOUR, NINE), Interval(NINE + HOUR, NINE + 3 * HOUR)]

    (slot,) = near(desk, service, [NINE], busy=busy).values()

    assert slot.start in {NINE - 3 * HOUR, NINE + 3 * HOUR}


def test_the_start_that_was_refused_is_no_alternative_to_itself() -> None:
    desk = Desk()
    desk.resource()
    (slot,) = near(desk, desk.service(), [NINE]).values()
    assert slot.start == NINE - timedelta(minutes=15)


def test_for_what_is_past_the_first_start_of_all_is_the_nearest() -> None:
    desk = Desk(now=NINE)
    desk.resource()
    service = desk.service(min_notice_min=60)
    assert near(desk, service, [NINE - A_DAY])[NINE - A_DAY].start == NINE + HOUR


def test_a_course_with_seats_left_is_nearer_than_one_of_its_own() -> None:
    desk = Desk()
    desk.resource()
    service = desk.service(seats=2, slot_step_min=30)
    for start, seats in ((NINE, 2), (NINE - HOUR, 1), (NINE + HOUR, 2)):
        desk.booked(service, start, seats=seats)

    (one,) = near(desk, service, [NINE]).values()
    (two,) = near(desk, service, [NINE], seats=2).values()

    assert (one.start, two.start) == (NINE - HOUR, NINE - 2 * HOUR)


def test_a_period_that_is_full_has_no_alternative() -> None:
    desk = Desk()
    desk.resource()
    service = desk.service(booking_limits=(BookingLimit(Holder.SERVICE, Period.DAY, 1),))
    desk.booked(service, NINE)

    (slot,) = near(desk, service, [NINE]).values()

    assert slot.start == MONDAY + A_DAY


@settings(max_examples=30, deadline=None)
@given(
    taken=st.lists(st.integers(0, 14 * 24), max_size=40),
    refused=st.sets(st.integers(0, 13 * 24), min_size=1, max_size=10),
)
def test_nothing_that_is_free_is_nearer(taken: list[int], refused: set[int]) -> None:
    desk = Desk()
    desk.resource(shifts=OFFICE_HOURS)
    service = desk.service(slot_step_min=60)
    for hour in taken:
        start = MONDAY + hour * HOUR
        if found(desk, service, start, start + HOUR / 60).slots:
            desk.booked(service, start)

    answer = near(desk, service, [MONDAY + hour * HOUR for hour in refused])

    free = [slot.start for slot in found(desk, service, MONDAY, MONDAY + 31 * A_DAY).slots]
    for hour in refused:
        start = MONDAY + hour * HOUR
        distances = sorted(abs(one - start) for one in free if one != start and abs(one - start) <= 14 * A_DAY)
        assert abs(answer[start].start - start) == distances[0]
