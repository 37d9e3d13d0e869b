"""Slots, from what a desk's streams say: what is listed can be booked, with the resources it names."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from application.resource_times import CloseResource, close_resource
from application.slots import Found, Offer, find_slots, offer_of, time_zone_of
from application.visits import Cancel, cancel
from domain.refusals import InvalidValue, NotFound, ResourceNotSuitable
from domain.service import BookingLimit, Holder, Period, Requirement
from tests.booked_out import QUARTER, bookable
from tests.desk import HOUR, MONDAY, NINE, OFFICE_HOURS, Desk
from tests.desk_sources import DeskSources

A_DAY = timedelta(days=1)


def found(desk: Desk, service_id: UUID, start: datetime, end: datetime, **wish: object) -> Found:
    sources = DeskSources(desk).sources
    return asyncio.run(find_slots(sources, desk.organization_id, service_id, start, end, **wish))  # type: ignore[arg-type]


def offered(desk: Desk, service_id: UUID) -> Offer:
    return asyncio.run(offer_of(DeskSources(desk).sources, desk.organization_id, service_id))


@pytest.fixture
def desk() -> Desk:
    return Desk(now=MONDAY)


def test_what_is_listed_is_what_the_desk_would_book_with_and_without_a_wish_for_a_resource(desk: Desk) -> None:
    rooms = [desk.resource("room", shifts=OFFICE_HOURS), desk.resource("room", shifts=OFFICE_HOURS)]
    practitioner = desk.resource("practitioner", capacity=2)
    service = desk.service(
        Requirement(kind="room"), Requirement(resource_id=practitioner), buffer_after_min=15, min_notice_min=600
    )
    for hour in (10, 10, 12, 13):
        desk.booked(service, MONDAY + hour * HOUR)
    desk.do(
        close_resource,
        CloseResource(resource_id=rooms[0], closure_id=desk.new_id(), start=NINE + 30 * HOUR, end=NINE + 31 * HOUR),
        desk.owner,
    )

    window, customer_id = (MONDAY, MONDAY + 2 * A_DAY), desk.customer()
    assert list(found(desk, service, *window).slots) == bookable(desk, service, customer_id, *window)
    for wanted in (*rooms, practitioner):
        listed = found(desk, service, *window, resource_id=wanted).slots
        assert listed
        assert list(listed) == bookable(desk, service, customer_id, *window, wanted)
        assert all(wanted in slot.resource_ids for slot in listed)


def test_the_window_is_of_starts_and_half_open(desk: Desk) -> None:
    desk.resource("room", shifts=OFFICE_HOURS)
    service = desk.service(slot_step_min=60)
    listed = found(desk, service, NINE, NINE + 2 * HOUR)
    assert [slot.start for slot in listed.slots] == [NINE, NINE + HOUR]
    assert listed.position == 4711


def test_a_limit_keeps_the_earliest(desk: Desk) -> None:
    desk.resource("room", shifts=OFFICE_HOURS)
    service = desk.service()
    assert [slot.start for slot in found(desk, service, MONDAY, NINE + A_DAY, limit=2).slots] == [NINE, NINE + QUARTER]


def test_nothing_is_offered_in_the_past_or_beyond_the_horizon_however_far(desk: Desk) -> None:
    desk.resource("room")
    service = desk.service(max_advance_days=1, slot_step_min=720)
    assert [s.start for s in found(desk, service, MONDAY - 9 * A_DAY, MONDAY + 9 * A_DAY).slots] == [
        MONDAY,
        MONDAY + A_DAY / 2,
        MONDAY + A_DAY,
    ]
    end_of_time = datetime.max.replace(tzinfo=UTC)
    assert not found(desk, service, end_of_time - A_DAY, end_of_time).slots


@pytest.mark.parametrize(("length", "field"), [(timedelta(0), "end"), (-HOUR, "end"), (62 * A_DAY + HOUR, "end")])
def test_a_window_that_is_empty_or_too_long_is_refused(desk: Desk, length: timedelta, field: str) -> None:
    service = desk.service()
    with pytest.raises(InvalidValue) as refusal:
        found(desk, service, NINE, NINE + length)
    assert refusal.value.field == field


def test_another_organizations_service_is_not_found(desk: Desk) -> None:
    elsewhere = Desk(seed=UUID(int=5))
    service = elsewhere.service()
    desk.streams[service] = elsewhere.streams[service]
    with pytest.raises(NotFound):
        found(desk, service, NINE, NINE + HOUR)
    with pytest.raises(NotFound):
        asyncio.run(offer_of(DeskSources(desk).sources, desk.organization_id, service))


def test_a_resource_that_the_service_never_takes_is_refused(desk: Desk) -> None:
    desk.resource("room")
    car = desk.resource("car")
    with pytest.raises(ResourceNotSuitable) as refusal:
        found(desk, desk.service(), NINE, NINE + HOUR, resource_id=car)
    assert refusal.value.resource_id == car


def test_a_service_without_resources_has_no_slots_and_its_dates_are_utc(desk: Desk) -> None:
    service = desk.service()
    assert not found(desk, service, NINE, NINE + HOUR).slots
    assert time_zone_of(offered(desk, service)) == "UTC"


def test_the_dates_of_a_service_are_those_of_its_first_resource(desk: Desk) -> None:
    desk.resource("room", time_zone="America/Sao_Paulo")
    desk.resource("room", time_zone="Europe/Lisbon")
    assert time_zone_of(offered(desk, desk.service())) == "America/Sao_Paulo"


def test_a_cancelled_visit_gives_its_slot_back(desk: Desk) -> None:
    desk.resource("room")
    service = desk.service(slot_step_min=60)
    visit = desk.booked(service, NINE)
    assert not found(desk, service, NINE, NINE + HOUR).slots
    desk.do(cancel, Cancel(appointment_id=visit.id))
    assert found(desk, service, NINE, NINE + HOUR).slots


# ── Holds, sessions, limits ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_hold_blocks_until_its_deadline_and_not_a_moment_longer_though_no_fact_says_so(desk: Desk) -> None:
    desk.resource("room")
    service = desk.service(slot_step_min=60)
    desk.booked(service, NINE, hold_min=30)
    desk.now = MONDAY + timedelta(minutes=30) - timedelta.resolution
    assert not found(desk, service, NINE, NINE + HOUR).slots
    desk.now = MONDAY + timedelta(minutes=30)
    assert found(desk, service, NINE, NINE + HOUR).slots


def test_a_session_is_offered_while_it_has_so_many_seats_and_its_resources_to_nobody_else(desk: Desk) -> None:
    room = desk.resource("room")
    course, visit = desk.service(seats=3, slot_step_min=60), desk.service(slot_step_min=60)
    desk.booked(course, NINE, seats=2)

    def starts(service: UUID, seats: int = 1) -> list[datetime]:
        return [slot.start for slot in found(desk, service, NINE, NINE + 2 * HOUR, seats=seats).slots]

    assert starts(course) == [NINE, NINE + HOUR]
    assert starts(course, seats=2) == [NINE + HOUR]
    assert starts(visit) == [NINE + HOUR]
    assert found(desk, course, NINE, NINE + HOUR, resource_id=room).slots
    desk.booked(course, NINE, seats=1)
    assert starts(course) == [NINE + HOUR]


def test_a_session_without_the_resource_that_was_asked_for_is_not_offered(desk: Desk) -> None:
    first, second = desk.resource("room"), desk.resource("room")
    course = desk.service(seats=3, slot_step_min=60)
    desk.booked(course, NINE, resource_ids=(first,))
    assert [slot.start for slot in found(desk, course, NINE, NINE + 2 * HOUR, resource_id=second).slots] == [
        NINE + HOUR
    ]


def test_more_seats_than_there_are_cannot_be_asked_for(desk: Desk) -> None:
    desk.resource("room")
    with pytest.raises(InvalidValue) as refusal:
        found(desk, desk.service(seats=3), NINE, NINE + HOUR, seats=4)
    assert refusal.value.field == "seats"


def test_where_a_service_has_reached_its_limit_the_period_is_over_in_the_organizations_zone() -> None:
    desk = Desk(time_zone="America/Sao_Paulo")  # three hours behind UTC
    desk.resource("room")
    limits = (BookingLimit(Holder.SERVICE, Period.DAY, 2),)
    service = desk.service(slot_step_min=60, booking_limits=limits)
    desk.booked(service, NINE, hold_min=30)
    desk.booked(service, NINE + HOUR)
    window = (MONDAY, MONDAY + A_DAY + 4 * HOUR)

    def starts() -> list[datetime]:
        return [slot.start for slot in found(desk, service, *window).slots]

    midnight = MONDAY + 3 * HOUR
    assert starts() == [MONDAY, MONDAY + HOUR, MONDAY + 2 * HOUR, midnight + A_DAY]
    desk.now = MONDAY + timedelta(minutes=30)
    assert NINE in starts()
