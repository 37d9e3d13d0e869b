"""Nobody books more often than the house allows, by the days, weeks and months of its own calendar."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from application.booking import Reschedule, reschedule
from application.visits import (
    Approve,
    Cancel,
    Lapse,
    MarkNoShow,
    approve,
    cancel,
    lapse,
    mark_no_show,
)
from domain.refusals import BookingLimitReached
from domain.service import BookingLimit, Holder, Period
from tests.desk import HOUR, MINUTE, MONDAY, NINE, Desk

EARLY = NINE - 5 * HOUR
A_DAY = timedelta(days=1)
ONCE_A_DAY = BookingLimit(Holder.CUSTOMER, Period.DAY, 1)


def test_a_customer_may_book_so_often_in_a_period_and_is_told_which_limit_was_reached() -> None:
    for period, again_after in ((Period.DAY, A_DAY), (Period.WEEK, 7 * A_DAY), (Period.MONTH, 8 * A_DAY)):
        desk = Desk()
        desk.resource()
        service = desk.service(booking_limits=(BookingLimit(Holder.CUSTOMER, period, 2),))
        customer = desk.booked(service).customer_id
        desk.booked(service, NINE + HOUR, customer_id=customer)

        with pytest.raises(BookingLimitReached) as refusal:
            desk.booked(service, NINE + 2 * HOUR, customer_id=customer)

        first = date(2026, 11, 1) if period is Period.MONTH else MONDAY.date()
        told = refusal.value
        assert (told.per, told.period, told.count, told.period_start) == ("customer", period, 2, first)
        desk.booked(service, NINE + again_after, customer_id=customer)
        desk.booked(service, NINE + 2 * HOUR)  # somebody else


def test_a_service_may_be_booked_so_often_in_a_period_by_whomever() -> None:
    desk = Desk()
    desk.resource()
    service, other = desk.service(booking_limits=(BookingLimit(Holder.SERVICE, Period.DAY, 2),)), desk.service()
    visits = [desk.booked(service), desk.booked(service, NINE + HOUR)]

    with pytest.raises(BookingLimitReached) as refusal:
        desk.booked(service, NINE + 2 * HOUR)

    assert (refusal.value.per, refusal.value.count) == ("service", 2)
    desk.booked(other, NINE + 2 * HOUR)
    desk.booked(service, NINE + A_DAY)
    desk.do(cancel, Cancel(appointment_id=visits[0].id))
    desk.booked(service, NINE + 3 * HOUR)


def test_each_limit_of_a_service_holds() -> None:
    desk = Desk()
    desk.resource()
    limits = (ONCE_A_DAY, BookingLimit(Holder.CUSTOMER, Period.WEEK, 2), BookingLimit(Holder.SERVICE, Period.MONTH, 3))
    service = desk.service(booking_limits=limits)
    customer = desk.booked(service).customer_id
    expected = [("customer", Period.DAY), ("customer", Period.WEEK), ("service", Period.MONTH)]
    for days, told in ((0, expected[0]), (1, None), (2, expected[1])):
        start = NINE + HOUR + days * A_DAY
        if told is None:
            desk.booked(service, start, customer_id=customer)
            continue
        with pytest.raises(BookingLimitReached) as refusal:
            desk.booked(service, start, customer_id=customer)
        assert (refusal.value.per, refusal.value.period) == told
    desk.booked(service, NINE + 3 * A_DAY)
    with pytest.raises(BookingLimitReached) as refusal:
        desk.booked(service, NINE + 4 * A_DAY)
    assert (refusal.value.per, refusal.value.period) == expected[2]


def test_holds_and_requests_count_while_they_last_and_a_no_show_always() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    service, customer = desk.service(booking_limits=(ONCE_A_DAY,)), desk.customer()
    held = desk.booked(service, customer_id=customer, hold_min=30)
    with pytest.raises(BookingLimitReached):
        desk.booked(service, NINE + HOUR, customer_id=customer)
    desk.now += 30 * MINUTE
    missed = desk.booked(service, NINE + HOUR, customer_id=customer)
    desk.do(lapse, Lapse(appointment_id=held.id), desk.clock)
    desk.now = NINE + 2 * HOUR
    desk.do(mark_no_show, MarkNoShow(appointment_id=missed.id))
    with pytest.raises(BookingLimitReached):
        desk.booked(service, NINE + 3 * HOUR, customer_id=customer)


def test_a_request_takes_its_place_among_those_counted() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    service = desk.service(booking_limits=(ONCE_A_DAY,), approval_required=True)
    request = desk.booked(service)
    with pytest.raises(BookingLimitReached):
        desk.booked(service, NINE + 2 * HOUR, customer_id=request.customer_id)
    desk.do(approve, Approve(appointment_id=request.id))
    with pytest.raises(BookingLimitReached):
        desk.booked(service, NINE + 2 * HOUR, customer_id=request.customer_id)


def test_a_move_within_the_period_is_no_further_booking_and_one_into_a_full_period_is_refused() -> None:
    desk = Desk()
    desk.resource()
    service = desk.service(booking_limits=(ONCE_A_DAY,))
    visit = desk.booked(service)
    desk.booked(service, NINE + A_DAY, customer_id=visit.customer_id)
    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 2 * HOUR))
    with pytest.raises(BookingLimitReached):
        desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + A_DAY + HOUR))


def test_the_day_of_a_limit_begins_at_the_organizations_midnight() -> None:
    """In São Paulo it is 21:00 of the evening before when UTC's day begins."""
    desk = Desk(time_zone="America/Sao_Paulo")
    desk.resource()
    service, customer = desk.service(duration_min=30, booking_limits=(ONCE_A_DAY,)), desk.customer()
    zone = ZoneInfo("America/Sao_Paulo")
    midnight = datetime(2026, 11, 25, tzinfo=zone)
    desk.booked(service, midnight - 30 * MINUTE, customer_id=customer)  # the 24th, 23:30; in UTC the 25th

    desk.booked(service, midnight, customer_id=customer)

    with pytest.raises(BookingLimitReached) as refusal:
        desk.booked(service, datetime(2026, 11, 24, 9, tzinfo=zone), customer_id=customer)
    assert refusal.value.period_start == date(2026, 11, 24)
    with pytest.raises(BookingLimitReached):
        desk.booked(service, datetime(2026, 11, 25, 23, tzinfo=zone), customer_id=customer)
    desk.booked(service, datetime(2026, 11, 26, tzinfo=zone), customer_id=customer)


def test_weeks_begin_on_monday_and_a_week_across_two_months_is_one() -> None:
    desk = Desk()
    desk.resource()
    service = desk.service(booking_limits=(BookingLimit(Holder.CUSTOMER, Period.WEEK, 1),))
    wednesday = datetime(2026, 12, 2, 9, tzinfo=UTC)
    customer = desk.booked(service, wednesday).customer_id
    monday = datetime(2026, 11, 30, 9, tzinfo=UTC)
    with pytest.raises(BookingLimitReached) as refusal:
        desk.booked(service, monday, customer_id=customer)
    assert refusal.value.period_start == monday.date()
    desk.booked(service, monday - A_DAY, customer_id=customer)
    desk.booked(service, monday + 7 * A_DAY, customer_id=customer)
