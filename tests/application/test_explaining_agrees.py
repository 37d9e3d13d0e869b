"""Whatever booking says to a start, its explanation says too, and names what decides it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from application.booking import Book, book
from application.decision import View
from application.resource_times import (
    CloseResource,
    RetireResource,
    SetHolidays,
    close_resource,
    retire_resource,
    set_holidays,
)
from application.slots import find_slots
from domain.allocation import Allocation
from domain.location import Holiday
from domain.pool import Strategy
from domain.refusals import Refusal, ResourceNotSuitable, TooFarAhead, TooSoon
from domain.service import BookingLimit, Holder, Period, Requirement
from tests.booked_out import bookable
from tests.dated_desk import DatedDesk
from tests.desk import HOUR, MINUTE, MONDAY, OFFICE_HOURS, Desk
from tests.desk_sources import DeskSources


def outcome_of_booking(
    desk: Desk, service: UUID, customer: UUID, start: datetime, wanted: Sequence[UUID] = ()
) -> Refusal | list[UUID]:
    """What the use case says; nothing is kept."""
    wish = Book(
        appointment_id=desk.new_id(),
        service_id=service,
        customer_id=customer,
        start=start,
        resource_ids=tuple(wanted),
    )
    try:
        decision = book(View(desk), wish, desk.staff, desk.now)
    except Refusal as refusal:
        return refusal
    assert isinstance(decision.answer, dict)
    return list(decision.answer["resource_ids"])


class House:
    """Rooms in two zones and a scanner for three; services that take them by kind, by name and from pools."""

    def __init__(self) -> None:
        self.desk = desk = DatedDesk()
        self.location = desk.location()
        self.resources = rooms = [
            desk.resource("room", time_zone="America/St_Johns"),
            desk.resource("room", shifts=OFFICE_HOURS, time_zone="Asia/Kathmandu", location_id=self.location),
            desk.resource("scanner", capacity=3),
        ]
        room, scanner = Requirement(kind="room"), Requirement(kind="scanner", quantity=2)
        loaded = Requirement(pool_id=desk.pool(*rooms, strategy=Strategy.LEAST_LOADED))
        fitting = Requirement(pool_id=desk.pool(rooms[1], rooms[0], strategy=Strategy.BEST_FIT))
        turns = Requirement(pool_id=desk.pool(rooms[0], rooms[1], strategy=Strategy.ROUND_ROBIN))
        first = Requirement(pool_id=desk.pool(rooms[0], rooms[2]))
        daily = BookingLimit(Holder.SERVICE, Period.DAY, 2)
        self.services = [
            desk.service(room, min_notice_min=120, max_advance_days=1),
            desk.service(room, scanner, slot_step_min=20, buffer_before_min=10),
            desk.service(room, room, Requirement(resource_id=rooms[2]), duration_min=45, buffer_after_min=15),
            desk.service(room, min_notice_min=3 * 24 * 60, max_advance_days=1),
            desk.service(loaded, fitting, slot_step_min=15),
            desk.service(turns, first, slot_step_min=15, booking_limits=(daily,)),
            desk.service(turns, scanner, seats=2),
            desk.service(fitting, seats=3, booking_limits=(daily,)),
        ]

    def shut(self, which: int, from_hour: int, hours: int) -> None:
        """A closure, a holiday for the one room that has a place, or the end of a resource."""
        desk, resource_id, start = self.desk, self.resources[which % 3], MONDAY + from_hour * HOUR
        match which // 3:
            case 0:
                end = start + hours * HOUR + MINUTE
                closure = CloseResource(resource_id=resource_id, closure_id=desk.new_id(), start=start, end=end)
                desk.do(close_resource, closure, desk.owner)
            case 1:
                days = (Holiday(start.date(), "Founders' Day"),)
                holidays = SetHolidays(location_id=self.location, country=None, subdivision=None, holidays=days)
                desk.do(set_holidays, holidays, desk.owner)
            case _:
                retired_at = start + 6 * HOUR
                desk.do(retire_resource, RetireResource(resource_id=resource_id, retired_at=retired_at), desk.owner)


which_service = st.sampled_from([0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7])
a_quarter = st.sampled_from([42, 43, 44, 45, 46, 48, 50, 52, 54])
booked = st.lists(
    st.tuples(which_service, a_quarter, st.sampled_from([None, None, 30, 300]), st.integers(1, 2)),
    min_size=4,
    max_size=16,
)
shut = st.lists(st.tuples(st.integers(0, 8), st.integers(8, 14), st.integers(1, 4)), max_size=1)


def house_with(booked: list[tuple[int, int, int | None, int]], shut: list[tuple[int, int, int]], later: int) -> House:
    house = House()
    for which, quarter, hold_min, seats in booked:
        with suppress(Refusal):
            start = MONDAY + quarter * 15 * MINUTE
            house.desk.booked(house.services[which], start, hold_min=hold_min, seats=seats)
    for one in shut:
        house.shut(*one)
    house.desk.now = MONDAY + later * HOUR
    return house


@settings(max_examples=80, deadline=None)
@given(
    booked=booked,
    shut=shut,
    asked=st.lists(
        st.tuples(
            which_service,
            st.one_of(a_quarter, a_quarter, st.integers(32, 104)),
            st.sampled_from([-1, -1, 0, 1, 2]),
            st.sampled_from([0, 0, 0, 0, 0, 5]),
        ),
        min_size=8,
        max_size=12,
    ),
    later=st.integers(0, 9),
)
def test_an_explanation_says_what_booking_says(
    booked: list[tuple[int, int, int | None, int]],
    shut: list[tuple[int, int, int]],
    asked: list[tuple[int, int, int, int]],
    later: int,
) -> None:
    house = house_with(booked, shut, later)
    desk, customer = house.desk, house.desk.customer()

    for which, quarter, wish, odd_min in asked:
        start, wanted = MONDAY + (quarter * 15 + odd_min) * MINUTE, house.resources[wish] if wish >= 0 else None
        said = outcome_of_booking(desk, house.services[which], customer, start, (wanted,) if wanted else ())
        try:
            reasons = desk.why(house.services[which], start, resource_id=wanted)
        except ResourceNotSuitable:
            assert isinstance(said, ResourceNotSuitable | TooSoon | TooFarAhead)
            continue
        decisive = [one.finding.refusal for one in reasons.rules if one.finding.decisive]
        assert all(one.facts for one in reasons.rules)
        if isinstance(said, Refusal):
            assert type(reasons.outcome) is type(said)
            assert str(reasons.outcome) == str(said)
            assert type(said) in {type(refusal) for refusal in decisive}
        else:
            assert isinstance(reasons.outcome, Allocation)
            assert [allotment.resource_id for allotment in reasons.outcome.allotments] == said
            assert decisive == []


@settings(max_examples=40, deadline=None)
@given(booked=booked, shut=shut, later=st.integers(0, 9))
def test_slots_are_what_booking_gives_to_whoever_has_no_other_visit(
    booked: list[tuple[int, int, int | None, int]], shut: list[tuple[int, int, int]], later: int
) -> None:
    house = house_with(booked, shut, later)
    desk, customer, window = house.desk, house.desk.customer(), (house.desk.now, MONDAY + 26 * HOUR)

    for service in house.services:
        found = asyncio.run(find_slots(DeskSources(desk).sources, desk.organization_id, service, *window))
        assert list(found.slots) == bookable(desk, service, customer, *window)
