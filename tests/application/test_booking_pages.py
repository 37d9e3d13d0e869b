"""Nobody is in two places at once: decided on the customer's booking pages."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from application.booking import Reschedule, reschedule
from application.visits import (
    Cancel,
    Confirm,
    cancel,
    confirm,
)
from domain.booking_page import BookingPage, booking_page_id
from domain.refusals import CustomerElsewhere
from domain.service import Requirement
from tests.desk import HOUR, MINUTE, NINE, Desk

EARLY = NINE - 5 * HOUR
A_DAY = timedelta(days=1)


def two_services(desk: Desk, **terms: Any) -> tuple[UUID, UUID]:
    """Services of two rooms, so that only the person can be in the way."""
    rooms = desk.resource(), desk.resource()
    first, second = (desk.service(Requirement(resource_id=room), **terms) for room in rooms)
    return first, second


def test_a_customer_is_not_in_two_places() -> None:
    desk = Desk()
    massage, bath = two_services(desk)
    visit = desk.booked(massage)

    with pytest.raises(CustomerElsewhere) as refusal:
        desk.booked(bath, NINE + 30 * MINUTE, customer_id=visit.customer_id)

    assert refusal.value.appointment_id == visit.id
    assert refusal.value.elsewhere == visit.visit
    desk.booked(bath, NINE + 30 * MINUTE)  # somebody else


def test_one_visit_may_begin_when_another_ends_whatever_their_buffers() -> None:
    desk = Desk()
    massage, bath = two_services(desk, buffer_before_min=10, buffer_after_min=10)
    visit = desk.booked(massage)
    desk.booked(bath, NINE + HOUR, customer_id=visit.customer_id)
    desk.booked(bath, NINE - HOUR - 20 * MINUTE + 5 * MINUTE, customer_id=visit.customer_id)


@pytest.mark.parametrize("allowing", [0, 1])
def test_one_of_two_services_that_lets_its_customers_be_elsewhere_is_enough(allowing: int) -> None:
    desk = Desk()
    rooms = desk.resource(), desk.resource()
    services = [
        desk.service(Requirement(resource_id=room), customer_overlap_allowed=place == allowing)
        for place, room in enumerate(rooms)
    ]
    visit = desk.booked(services[0])
    desk.booked(services[1], customer_id=visit.customer_id)


def test_a_move_is_held_against_the_customers_other_visits_but_not_against_itself() -> None:
    desk = Desk()
    massage, bath = two_services(desk)
    visit = desk.booked(massage)
    other = desk.booked(bath, NINE + 2 * HOUR, customer_id=visit.customer_id)
    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 30 * MINUTE))
    with pytest.raises(CustomerElsewhere) as refusal:
        desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 2 * HOUR))
    assert refusal.value.appointment_id == other.id


def test_a_visit_that_ended_is_no_reason_to_be_elsewhere() -> None:
    desk = Desk(now=EARLY)
    massage, bath = two_services(desk)
    visit = desk.booked(massage)
    desk.do(cancel, Cancel(appointment_id=visit.id))
    second = desk.booked(bath, customer_id=visit.customer_id)
    with pytest.raises(CustomerElsewhere):
        desk.booked(massage, customer_id=visit.customer_id)
    desk.do(reschedule, Reschedule(appointment_id=second.id, start=NINE + 30 * A_DAY))  # in another month
    desk.booked(massage, customer_id=visit.customer_id)


def test_a_request_counts_until_it_lapses() -> None:
    desk = Desk(now=EARLY)
    massage, bath = two_services(desk, approval_required=True)
    request = desk.booked(massage)
    half_past = NINE + 30 * MINUTE
    with pytest.raises(CustomerElsewhere):
        desk.booked(bath, half_past, customer_id=request.customer_id)
    desk.now = NINE
    desk.booked(bath, half_past, customer_id=request.customer_id)


def test_a_confirmed_hold_is_not_given_back_any_more() -> None:
    desk = Desk(now=EARLY)
    massage, bath = two_services(desk)
    held = desk.booked(massage, hold_min=30)
    desk.do(confirm, Confirm(appointment_id=held.id))
    with pytest.raises(CustomerElsewhere):
        desk.booked(bath, customer_id=held.customer_id)
    desk.now += HOUR  # and it counts beyond what was its deadline
    with pytest.raises(CustomerElsewhere):
        desk.booked(bath, customer_id=held.customer_id)


def test_a_visit_across_the_end_of_a_month_is_seen_from_both() -> None:
    desk = Desk()
    massage, bath = two_services(desk, duration_min=120)
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    visit = desk.booked(massage, midnight - HOUR)
    for start in (midnight - 2 * HOUR, midnight):
        with pytest.raises(CustomerElsewhere):
            desk.booked(bath, start, customer_id=visit.customer_id)
    desk.do(cancel, Cancel(appointment_id=visit.id))
    for month in (date(2026, 11, 1), date(2026, 12, 1)):
        page = desk.streams[booking_page_id(visit.customer_id, month)].state
        assert isinstance(page, BookingPage)
        assert not page.visits
