"""Where the house approves each booking, a booking is a request first; and what a hold lets its holder do."""

from datetime import timedelta

import pytest

from application.booking import Book, Reschedule, book, reschedule
from application.catalogue import ChangeTerms, change_terms
from application.visits import Approve, Cancel, CheckIn, Confirm, Lapse, approve, cancel, check_in, confirm, lapse
from domain.appointment import AppointmentCancelled, AppointmentRequested, Status
from domain.refusals import Forbidden, HoldLapsed, NotFound, NotInThatState, SlotTaken, TooEarly
from domain.service import Requirement, Service
from tests.desk import HOUR, MINUTE, NINE, Desk

EARLY = NINE - 5 * HOUR
AN_INSTANT = timedelta(microseconds=1)


def test_a_request_claims_its_slot_until_its_start() -> None:
    desk = Desk(now=EARLY)
    room, service = desk.resource(), desk.service(approval_required=True)

    request = desk.booked(service)

    assert (request.status, request.held_until) == (Status.PENDING, NINE)
    assert desk.claims_on(room) == [request.id]


def test_the_second_of_two_requests_that_overlap_is_refused_at_once() -> None:
    desk = Desk(now=EARLY)
    room, service = desk.resource(), desk.service(approval_required=True)
    first = desk.booked(service)
    with pytest.raises(SlotTaken):
        desk.booked(service, NINE + 30 * MINUTE)

    desk.do(approve, Approve(appointment_id=first.id))

    assert desk.appointment(first.id).status is Status.BOOKED
    assert desk.appointment(first.id).held_until is None
    assert desk.claims_on(room) == [first.id]


def test_an_approved_request_keeps_its_slot_beyond_its_start() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    service = desk.service(approval_required=True)
    request = desk.booked(service)
    desk.do(approve, Approve(appointment_id=request.id))
    desk.now = NINE + 30 * MINUTE
    with pytest.raises(SlotTaken):
        desk.booked(service, NINE + 30 * MINUTE)
    desk.do(check_in, CheckIn(appointment_id=request.id))


def test_a_request_that_nobody_approved_lapses_at_its_start_and_is_in_no_ones_way_then() -> None:
    desk = Desk(now=EARLY)
    room, service = desk.resource(), desk.service(approval_required=True)
    request = desk.booked(service)
    desk.now = NINE - AN_INSTANT
    with pytest.raises(TooEarly):
        desk.do(lapse, Lapse(appointment_id=request.id), desk.clock)

    desk.now = NINE

    with pytest.raises(HoldLapsed):
        desk.do(approve, Approve(appointment_id=request.id))
    after = desk.booked(desk.service(), NINE)
    desk.do(lapse, Lapse(appointment_id=request.id), desk.clock)
    assert desk.appointment(request.id).status is Status.CANCELLED
    assert desk.claims_on(room) == [after.id]


def test_a_request_is_turned_down_by_cancelling_it() -> None:
    desk = Desk(now=EARLY)
    room, service = desk.resource(), desk.service(approval_required=True)
    request = desk.booked(service)
    desk.do(cancel, Cancel(appointment_id=request.id))
    assert desk.claims_on(room) == []
    with pytest.raises(NotInThatState):
        desk.do(approve, Approve(appointment_id=request.id))


def test_a_customer_withdraws_a_request_at_any_time_since_nothing_was_agreed() -> None:
    desk = Desk(now=NINE - 30 * MINUTE)
    desk.resource()
    service = desk.service(approval_required=True, cancellation_notice_min=24 * 60)
    customer = desk.customer()
    request = desk.booked(service, customer_id=customer)
    desk.do(cancel, Cancel(appointment_id=request.id), desk.as_customer(customer))
    assert desk.appointment(request.id).status is Status.CANCELLED


def test_only_the_house_approves() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    service, customer = desk.service(approval_required=True), desk.customer()
    request = desk.booked(service, customer_id=customer)
    with pytest.raises(Forbidden):
        desk.do(approve, Approve(appointment_id=request.id), desk.as_customer(customer))
    with pytest.raises(NotFound):
        desk.do(approve, Approve(appointment_id=request.id), desk.as_customer(desk.customer()))


@pytest.mark.parametrize("hold_min", [None, 30])
def test_only_a_request_is_approved(hold_min: int | None) -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    visit = desk.booked(desk.service(), hold_min=hold_min)
    with pytest.raises(NotInThatState):
        desk.do(approve, Approve(appointment_id=visit.id))


def test_a_request_is_not_confirmed_by_its_customer() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    service, customer = desk.service(approval_required=True), desk.customer()
    request = desk.booked(service, customer_id=customer)
    with pytest.raises(NotInThatState):
        desk.do(confirm, Confirm(appointment_id=request.id), desk.as_customer(customer))


def test_a_hold_of_what_needs_approval_becomes_a_request_when_it_is_confirmed() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    service = desk.service(approval_required=True)
    held = desk.booked(service, hold_min=30)
    assert held.status is Status.HELD

    desk.do(confirm, Confirm(appointment_id=held.id))

    request = desk.appointment(held.id)
    assert (request.status, request.held_until) == (Status.PENDING, NINE)
    assert isinstance(desk.facts[-3][1], AppointmentRequested)
    desk.now += HOUR  # long after the hold would have lapsed
    with pytest.raises(SlotTaken):
        desk.booked(service)
    desk.do(approve, Approve(appointment_id=held.id))


def test_a_hold_that_outlives_its_start_is_not_asked_for_any_more() -> None:
    desk = Desk(now=NINE - 10 * MINUTE)
    desk.resource()
    held = desk.booked(desk.service(approval_required=True), hold_min=60)
    desk.now = NINE

    with pytest.raises(HoldLapsed):
        desk.do(confirm, Confirm(appointment_id=held.id))


def test_a_request_that_moves_waits_until_its_new_start() -> None:
    desk = Desk(now=EARLY)
    room, service = desk.resource(), desk.service(approval_required=True)
    request = desk.booked(service)

    desk.do(reschedule, Reschedule(appointment_id=request.id, start=NINE + 2 * HOUR))

    moved = desk.appointment(request.id)
    assert (moved.status, moved.held_until) == (Status.PENDING, NINE + 2 * HOUR)
    desk.now = NINE + HOUR
    assert desk.claims_on(room) == [request.id]
    with pytest.raises(SlotTaken):
        desk.booked(service, NINE + 2 * HOUR)


def test_a_service_that_begins_to_ask_for_approval_leaves_bookings_as_they_are() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    service_id = desk.service()
    visit = desk.booked(service_id)
    service = desk.streams[service_id].state
    assert isinstance(service, Service)
    asking = desk.service(approval_required=True)
    terms = desk.streams[asking].state
    assert isinstance(terms, Service)
    desk.do(change_terms, ChangeTerms(service_id=service_id, terms=terms.terms), desk.owner)

    assert desk.appointment(visit.id).status is Status.BOOKED
    assert desk.booked(service_id, NINE + HOUR).status is Status.PENDING


def test_requests_for_seats_claim_the_session_until_its_start_and_one_approval_makes_it_firm() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    yoga, single = desk.service(seats=2, approval_required=True), desk.service()
    first, second = desk.booked(yoga), desk.booked(yoga)
    assert (first.status, first.session_id) == (Status.PENDING, second.session_id)
    with pytest.raises(SlotTaken):
        desk.booked(single)

    desk.do(approve, Approve(appointment_id=second.id))
    desk.now = NINE

    with pytest.raises(SlotTaken):
        desk.booked(single)
    assert desk.booked(yoga).session_id == second.session_id  # the first one's seat has lapsed


def test_a_holder_moves_its_hold_over_the_time_that_it_holds() -> None:
    desk = Desk(now=EARLY)
    room, customer = desk.resource(), desk.customer()
    held = desk.booked(desk.service(), customer_id=customer, hold_min=30)

    later = Reschedule(appointment_id=held.id, start=NINE + 30 * MINUTE)
    desk.do(reschedule, later, desk.as_customer(customer))

    moved = desk.appointment(held.id)
    assert (moved.visit.start, moved.held_until) == (NINE + 30 * MINUTE, EARLY + 30 * MINUTE)
    assert desk.claims_on(room) == [held.id]


@pytest.mark.parametrize("hold_min", [None, 20])
@pytest.mark.parametrize("minutes", [-30, 0, 30])
def test_a_holder_books_over_what_it_holds_and_the_hold_is_given_back(minutes: int, hold_min: int | None) -> None:
    desk = Desk(now=EARLY)
    room, customer, service = desk.resource(), desk.customer(), desk.service()
    held = desk.booked(service, customer_id=customer, hold_min=30)
    with pytest.raises(SlotTaken):
        desk.booked(service, NINE + minutes * MINUTE)

    wanted = Book(
        appointment_id=desk.new_id(),
        service_id=service,
        customer_id=customer,
        start=NINE + minutes * MINUTE,
        hold_min=hold_min,
    )
    answer = desk.do(book, wanted, desk.as_customer(customer))

    assert answer["status"] == ("booked" if hold_min is None else "held")
    assert desk.claims_on(room) == [wanted.appointment_id]
    assert desk.appointment(held.id).status is Status.CANCELLED


def test_a_holder_that_is_refused_keeps_what_it_holds() -> None:
    desk = Desk(now=EARLY)
    room, customer, service = desk.resource(), desk.customer(), desk.service()
    held = desk.booked(service, customer_id=customer, hold_min=30)
    taken = desk.booked(service, NINE + HOUR)
    before = len(desk.facts)

    with pytest.raises(SlotTaken):
        desk.booked(service, NINE + 30 * MINUTE, customer_id=customer)

    assert len(desk.facts) == before
    assert desk.claims_on(room) == [held.id, taken.id]


def test_a_hold_elsewhere_at_another_time_stays() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    customer, service = desk.customer(), desk.service()
    held = desk.booked(service, customer_id=customer, hold_min=30)
    desk.booked(service, NINE + HOUR, customer_id=customer)
    assert desk.appointment(held.id).status is Status.HELD


def test_a_hold_of_another_service_at_that_time_is_given_back_too() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    bath, customer = desk.resource("bath"), desk.customer()
    held = desk.booked(desk.service(), customer_id=customer, hold_min=30)
    desk.booked(desk.service(Requirement(resource_id=bath)), NINE + 30 * MINUTE, customer_id=customer)
    assert desk.appointment(held.id).status is Status.CANCELLED


def test_a_request_or_a_booking_is_not_given_back_for_another() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    customer, service = desk.customer(), desk.service(approval_required=True)
    desk.booked(service, customer_id=customer)
    with pytest.raises(SlotTaken):
        desk.booked(service, customer_id=customer)
    assert not any(isinstance(fact, AppointmentCancelled) for _, fact in desk.facts)


def test_moving_a_booking_over_ones_own_hold_gives_the_hold_back() -> None:
    desk = Desk(now=EARLY)
    room, customer, service = desk.resource(), desk.customer(), desk.service()
    visit = desk.booked(service, customer_id=customer)
    held = desk.booked(service, NINE + 2 * HOUR, customer_id=customer, hold_min=30)

    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 2 * HOUR))

    assert desk.appointment(held.id).status is Status.CANCELLED
    assert desk.claims_on(room) == [visit.id]
