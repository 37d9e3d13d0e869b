"""For each of many starts that cannot be had, the nearest that can."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from application.nearest import Sought, nearest
from application.resource_times import CloseResource, close_resource
from application.slots import Slot
from domain.interval import Interval
from domain.service import BookingLimit, Holder, Period, Requirement
from tests.application.test_slots import found
from tests.desk import HOUR, MONDAY, NINE, OFFICE_HOURS, Desk
from tests.desk_sources import DeskSources

A_DAY = timedelta(days=1)


def near(desk: Desk, service_id: UUID, refused: Iterable[datetime], **wish: Any) -> Mapping[datetime, Slot]:
    sought = Sought(service_id=service_id, **wish)
    found = asyncio.run(nearest(DeskSources(desk).sources, desk.organization_id, sought, refused))
    return {start: slot for start, (slot,) in found.items()}


def three_near(desk: Desk, service_id: UUID, refused: datetime, *resource_ids: UUID) -> Sequence[Slot]:
    sought = Sought(service_id=service_id, resource_ids=resource_ids, count=3)
    found = asyncio.run(nearest(DeskSources(desk).sources, desk.organization_id, sought, [refused]))
    return found.get(refused, ())


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


def test_three_are_the_three_nearest_before_and_after_and_never_the_refused_one() -> None:
    desk = Desk()
    desk.resource("room", shifts=OFFICE_HOURS)
    service = desk.service(slot_step_min=60)
    desk.booked(service, NINE + 2 * HOUR)

    starts = [slot.start for slot in three_near(desk, service, NINE + 3 * HOUR)]

    assert starts == [NINE + 4 * HOUR, NINE + HOUR, NINE + 5 * HOUR]


def test_the_resource_that_was_asked_for_comes_first_and_others_fill_up() -> None:
    desk = Desk()
    wanted, other = (desk.resource("room", shifts=OFFICE_HOURS) for _ in range(2))
    service = desk.service(slot_step_min=60)
    closure = CloseResource(resource_id=wanted, closure_id=desk.new_id(), start=NINE + 3 * HOUR, end=NINE + 30 * A_DAY)
    desk.do(close_resource, closure, desk.owner)

    offered = [(slot.start, slot.resource_ids) for slot in three_near(desk, service, NINE + 2 * HOUR, wanted)]

    assert offered == [(NINE + HOUR, (wanted,)), (NINE, (wanted,)), (NINE + 3 * HOUR, (other,))]


def test_alternatives_reach_two_weeks_and_no_further() -> None:
    desk = Desk()
    room = desk.resource("room", shifts=OFFICE_HOURS)
    service = desk.service(slot_step_min=480)

    def closed_for(days: int) -> list[datetime]:
        closure = CloseResource(resource_id=room, closure_id=desk.new_id(), start=NINE, end=NINE + days * A_DAY - HOUR)
        desk.do(close_resource, closure, desk.owner)
        return [slot.start for slot in three_near(desk, service, MONDAY + 8 * HOUR)]

    assert closed_for(13) == [MONDAY + 13 * A_DAY + 16 * HOUR]  # of a grid of 8 hours only 16:00 is in office hours
    assert closed_for(20) == []


def test_of_a_start_long_past_or_too_soon_the_first_that_can_be_booked_are_offered() -> None:
    desk = Desk(now=MONDAY)
    desk.resource("room", shifts=OFFICE_HOURS)
    service = desk.service(slot_step_min=60, min_notice_min=24 * 60)
    for refused in (MONDAY - 300 * A_DAY, MONDAY + HOUR):
        assert [slot.start for slot in three_near(desk, service, refused)][:1] == [NINE + A_DAY]


def test_of_a_start_beyond_the_horizon_the_last_that_can_be_booked_are_offered() -> None:
    desk = Desk(now=MONDAY)
    desk.resource("room", shifts=OFFICE_HOURS)
    service = desk.service(slot_step_min=60, max_advance_days=7)
    assert [slot.start for slot in three_near(desk, service, NINE + 8 * A_DAY)][:1] == [MONDAY + 6 * A_DAY + 16 * HOUR]
    assert three_near(desk, service, NINE + 30 * A_DAY) == ()
    assert three_near(desk, service, datetime.max.replace(tzinfo=UTC)) == ()


def test_a_full_session_is_no_alternative_to_itself_and_another_organizations_service_has_none() -> None:
    desk, elsewhere = Desk(), Desk(seed=UUID(int=5))
    desk.resource("room")
    course = desk.service(seats=3, slot_step_min=60)
    desk.booked(course, NINE, seats=3)
    assert [slot.start for slot in three_near(desk, course, NINE)][:1] == [NINE - HOUR]
    other = elsewhere.service()
    desk.streams[other] = elsewhere.streams[other]
    assert three_near(desk, other, NINE) == ()


def test_a_long_notice_does_not_hide_all_alternatives() -> None:
    desk = Desk(now=MONDAY)
    desk.resource("room", shifts=OFFICE_HOURS)
    service = desk.service(slot_step_min=60, min_notice_min=30 * 24 * 60)
    assert [slot.start for slot in three_near(desk, service, NINE)][:1] == [NINE + 30 * A_DAY]
