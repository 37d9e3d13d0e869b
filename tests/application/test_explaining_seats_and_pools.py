"""What explanations tell of sessions, limits, pools, holidays and retirement."""

from datetime import timedelta

import pytest

from application.explaining import Reasons
from application.resource_times import (
    CloseResource,
    RetireResource,
    SetHolidays,
    close_resource,
    retire_resource,
    set_holidays,
)
from domain.allocation import Allocation
from domain.location import Holiday
from domain.pool import Strategy
from domain.refusals import (
    BookingLimitReached,
    ClosedForHoliday,
    InvalidValue,
    Refusal,
    ResourceClosed,
    ResourceRetired,
    SessionFull,
)
from domain.rules import Rule
from domain.service import BookingLimit, Holder, Period, Requirement
from tests.dated_desk import DatedDesk
from tests.desk import HOUR, NINE

A_DAY = timedelta(days=1)


@pytest.fixture
def desk() -> DatedDesk:
    return DatedDesk()


def blocking(reasons: Reasons) -> list[tuple[Rule, type[Refusal]]]:
    return [(one.finding.rule, type(one.finding.refusal)) for one in reasons.rules if one.finding.refusal]


def topics(reasons: Reasons, rule: Rule) -> list[list[str]]:
    return [[fact.fact.TOPIC for fact in one.facts] for one in reasons.rules if one.finding.rule is rule]


def test_a_full_session_is_told_with_those_who_have_its_seats(desk: DatedDesk) -> None:
    desk.resource()
    course = desk.service(seats=2)
    visit = desk.booked(course, seats=2)

    reasons = desk.why(course)

    assert blocking(reasons) == [(Rule.SEATS, SessionFull)]
    assert topics(reasons, Rule.SEATS) == [["session.opened.v1", "session.seats_taken.v1"]]
    (seats,) = [one for one in reasons.rules if one.finding.rule is Rule.SEATS]
    assert getattr(seats.facts[-1].fact, "appointment_id", None) == visit.id
    assert topics(desk.why(course, actor=desk.as_customer(desk.customer())), Rule.SEATS) == [["session.opened.v1"]]


def test_seats_of_a_session_are_asked_for_by_number(desk: DatedDesk) -> None:
    desk.resource()
    course = desk.service(seats=3)
    desk.booked(course, seats=2)

    assert isinstance(desk.why(course, seats=1).outcome, Allocation)
    assert isinstance(desk.why(course, seats=2).outcome, SessionFull)
    with pytest.raises(InvalidValue):
        desk.why(course, seats=4)


def test_a_limit_that_is_reached_is_told_with_the_visits_that_it_counts(desk: DatedDesk) -> None:
    desk.resource()
    service = desk.service(booking_limits=(BookingLimit(Holder.SERVICE, Period.WEEK, 2),))
    for day in (0, 2):
        desk.booked(service, NINE + day * A_DAY)

    reasons = desk.why(service, NINE + 4 * A_DAY)

    assert blocking(reasons) == [(Rule.BOOKING_LIMITS, BookingLimitReached)]
    (told,) = topics(reasons, Rule.BOOKING_LIMITS)
    assert told == ["service.offered.v1", "booking_page.visit_entered.v1", "booking_page.visit_entered.v1"]
    assert isinstance(desk.why(service, NINE + 7 * A_DAY).outcome, Allocation)


def test_the_pool_that_a_requirement_names_is_behind_whom_it_suits(desk: DatedDesk) -> None:
    rooms = [desk.resource(), desk.resource()]
    pool = desk.pool(*rooms, strategy=Strategy.LEAST_LOADED)
    service = desk.service(Requirement(pool_id=pool))
    desk.booked(service, NINE - 3 * HOUR, resource_ids=(rooms[0],))

    reasons = desk.why(service)

    assert topics(reasons, Rule.SUITABLE_RESOURCE) == [["pool.created.v1", "service.offered.v1"]]
    assert isinstance(reasons.outcome, Allocation)
    assert [allotment.resource_id for allotment in reasons.outcome.allotments] == [rooms[1]]


def test_what_keeps_another_requirement_from_making_room_is_decisive(desk: DatedDesk) -> None:
    either, closed = desk.resource(), desk.resource()
    service = desk.service(Requirement(kind="room"), Requirement(pool_id=desk.pool(either)))
    closure = CloseResource(resource_id=closed, closure_id=desk.new_id(), start=NINE, end=NINE + HOUR)
    desk.do(close_resource, closure, desk.owner)

    reasons = desk.why(service)

    assert isinstance(reasons.outcome, ResourceClosed)
    decisive = [(one.finding.rule, one.finding.requirement) for one in reasons.rules if one.finding.decisive]
    assert decisive == [(Rule.CLOSURES, 0), (Rule.SUITABLE_RESOURCE, 1), (Rule.ONE_REQUIREMENT, 1)]


def test_retirement_and_holidays_are_told_with_the_facts_that_set_them(desk: DatedDesk) -> None:
    location = desk.location()
    room = desk.resource(location_id=location)
    service = desk.service()
    days = (Holiday(NINE.date(), "Founders' Day"),)
    desk.do(set_holidays, SetHolidays(location_id=location, country=None, subdivision=None, holidays=days), desk.owner)
    desk.do(retire_resource, RetireResource(resource_id=room, retired_at=NINE), desk.owner)

    reasons = desk.why(service)

    assert blocking(reasons) == [(Rule.RETIREMENT, ResourceRetired), (Rule.HOLIDAYS, ClosedForHoliday)]
    assert topics(reasons, Rule.RETIREMENT) == [["resource.retired.v1"]]
    assert topics(reasons, Rule.HOLIDAYS) == [["location.holidays_set.v1"]]
