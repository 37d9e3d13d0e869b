"""Two processes whose clocks differ: what one saw lapse and gave away, the other must not make firm."""

from uuid import UUID

import pytest

from application.visits import Approve, Confirm, approve, confirm
from domain.appointment import Status
from domain.refusals import CustomerElsewhere, HoldLapsed, SessionFull
from domain.rules import Rule
from domain.service import Requirement
from tests.desk import HOUR, MINUTE, NINE, Desk

EARLY = NINE - 2 * HOUR
OVERLAP = frozenset({Rule.CUSTOMER_OVERLAP})


def two_rooms(desk: Desk) -> tuple[UUID, UUID]:
    """Services of two rooms, so that only the person can be in the way."""
    first, second = (desk.service(Requirement(resource_id=desk.resource())) for _ in range(2))
    return first, second


def test_a_hold_cannot_be_confirmed_once_its_customer_has_a_visit_elsewhere() -> None:
    desk = Desk(now=EARLY)  # given
    here, there = two_rooms(desk)
    held = desk.booked(here, hold_min=30)
    desk.now += 30 * MINUTE
    elsewhere = desk.booked(there, customer_id=held.customer_id)
    desk.now -= MINUTE  # the clock of the process that is asked to confirm is behind
    with pytest.raises(CustomerElsewhere) as refusal:  # when
        desk.do(confirm, Confirm(appointment_id=held.id))
    assert refusal.value.appointment_id == elsewhere.id  # then


def test_a_request_is_approved_although_the_house_has_knowingly_booked_its_customer_elsewhere() -> None:
    desk = Desk(now=EARLY)
    here = desk.service(Requirement(resource_id=desk.resource()), approval_required=True)
    there = desk.service(Requirement(resource_id=desk.resource()))
    asked = desk.booked(here)
    desk.booked(there, customer_id=asked.customer_id, override=OVERLAP)
    desk.do(approve, Approve(appointment_id=asked.id))
    assert desk.appointment(asked.id).status is Status.BOOKED


def test_what_was_booked_knowingly_beside_another_visit_may_be_confirmed() -> None:
    desk = Desk(now=EARLY)
    here, there = two_rooms(desk)
    visit = desk.booked(here)
    held = desk.booked(there, customer_id=visit.customer_id, hold_min=30, override=OVERLAP)
    desk.do(confirm, Confirm(appointment_id=held.id))
    assert desk.appointment(held.id).status is Status.BOOKED


def test_held_seats_cannot_be_confirmed_once_they_were_sold() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    service = desk.service(seats=2)
    desk.booked(service)
    held = desk.booked(service, hold_min=30)
    desk.now += 30 * MINUTE
    desk.booked(service)
    desk.now -= MINUTE
    with pytest.raises(SessionFull):
        desk.do(confirm, Confirm(appointment_id=held.id))


def test_held_seats_cannot_be_confirmed_once_the_session_began_anew_without_them() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    service = desk.service(seats=2)
    held = desk.booked(service, hold_min=30)
    desk.now += 30 * MINUTE
    desk.booked(service)
    desk.now -= MINUTE
    with pytest.raises(HoldLapsed):
        desk.do(confirm, Confirm(appointment_id=held.id))
