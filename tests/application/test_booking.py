from datetime import timedelta

import pytest

from application.booking import Book, book
from application.decision import View
from application.resource_times import CloseResource, close_resource
from domain.appointment import Status
from domain.refusals import (
    NothingOffersThis,
    OffGrid,
    OutsideWorkingHours,
    ResourceClosed,
    ResourceNotSuitable,
    SlotTaken,
    TooFarAhead,
    TooSoon,
)
from domain.resource_day import page_id
from domain.service import Requirement
from tests.desk import HOUR, MINUTE, MONDAY, NINE, OFFICE_HOURS, Desk


def test_a_booking_claims_its_room() -> None:
    desk = Desk()
    room, service = desk.resource(), desk.service()
    visit = desk.booked(service)
    assert visit.status is Status.BOOKED
    assert desk.claims_on(room) == [visit.id]


def test_a_second_booking_takes_the_next_room_and_a_third_is_refused() -> None:
    desk = Desk()
    rooms, service = [desk.resource(), desk.resource()], desk.service()
    taken = [desk.booked(service).allotments[0].resource_id for _ in range(2)]
    assert taken == rooms
    with pytest.raises(SlotTaken):
        desk.booked(service)


def test_a_visit_that_needs_two_resources_takes_both_or_none() -> None:
    desk = Desk()
    doctor, room = desk.resource("doctor"), desk.resource("room")
    service = desk.service(Requirement(resource_id=doctor), Requirement(kind="room"))
    alone = desk.service(Requirement(resource_id=room))
    first = desk.booked(alone)
    before = len(desk.facts)
    with pytest.raises(SlotTaken):
        desk.booked(service, customer_id=first.customer_id)
    assert len(desk.facts) == before
    assert desk.claims_on(doctor) == []


def test_two_requirements_of_one_kind_take_two_resources() -> None:
    desk = Desk()
    rooms = [desk.resource(capacity=2), desk.resource(capacity=2)]
    service = desk.service(Requirement(kind="room"), Requirement(kind="room"))
    assert [a.resource_id for a in desk.booked(service).allotments] == rooms


def test_a_quantity_is_taken_from_the_capacity() -> None:
    desk = Desk()
    scanner = desk.resource("scanner", capacity=5)
    service = desk.service(Requirement(resource_id=scanner, quantity=2))
    desk.booked(service)
    desk.booked(service)
    with pytest.raises(SlotTaken):
        desk.booked(service)


def test_a_wished_for_resource_is_taken_or_the_booking_is_refused() -> None:
    desk = Desk()
    _, second, service = desk.resource(), desk.resource(), desk.service()
    assert desk.booked(service, resource_ids=(second,)).allotments[0].resource_id == second
    with pytest.raises(SlotTaken) as refusal:
        desk.booked(service, resource_ids=(second,))
    assert refusal.value.resource_id == second


def test_a_resource_that_the_service_has_no_use_for_is_refused() -> None:
    desk = Desk()
    desk.resource()
    car, service = desk.resource("car"), desk.service()
    with pytest.raises(ResourceNotSuitable):
        desk.booked(service, resource_ids=(car,))


def test_one_wish_leaves_the_other_requirement_of_its_kind_open() -> None:
    desk = Desk()
    first, second = desk.resource(), desk.resource()
    service = desk.service(Requirement(kind="room"), Requirement(kind="room"))
    visit = desk.booked(service, resource_ids=(second,))
    assert {allotment.resource_id for allotment in visit.allotments} == {first, second}


def test_what_a_requirement_names_is_not_taken_by_another() -> None:
    desk = Desk()
    first, second = desk.resource(), desk.resource()
    service = desk.service(Requirement(kind="room"), Requirement(resource_id=first))
    assert [a.resource_id for a in desk.booked(service).allotments] == [second, first]


def test_more_wishes_than_requirements_are_refused() -> None:
    desk = Desk()
    rooms, service = (desk.resource(), desk.resource()), desk.service()
    with pytest.raises(ResourceNotSuitable):
        desk.booked(service, resource_ids=rooms)


def test_a_service_that_no_resource_serves_says_so() -> None:
    desk = Desk()
    service = desk.service(Requirement(kind="sauna"))
    with pytest.raises(NothingOffersThis):
        desk.booked(service)


def test_buffers_keep_others_away_but_are_not_part_of_the_visit() -> None:
    desk = Desk()
    desk.resource()
    service = desk.service(buffer_before_min=15, buffer_after_min=15)
    visit = desk.booked(service)
    assert (visit.visit.start, visit.visit.end) == (NINE, NINE + HOUR)
    with pytest.raises(SlotTaken):
        desk.booked(service, NINE + HOUR + 15 * MINUTE)
    desk.booked(service, NINE + HOUR + 30 * MINUTE)


def test_a_visit_across_midnight_claims_two_pages() -> None:
    desk = Desk()
    room, service = desk.resource(), desk.service(duration_min=120)
    night = NINE + 14 * HOUR
    desk.booked(service, night)
    with pytest.raises(SlotTaken):
        desk.booked(service, night + HOUR)
    assert all(
        desk.streams[page_id(room, day)].version == 1 for day in (night.date(), night.date() + timedelta(days=1))
    )


def test_notice_horizon_grid_hours_and_closures_are_each_named() -> None:
    desk = Desk()
    room = desk.resource(shifts=OFFICE_HOURS)
    service = desk.service(min_notice_min=60, max_advance_days=10, slot_step_min=20)
    desk.do(
        close_resource,
        CloseResource(resource_id=room, closure_id=desk.new_id(), start=NINE + 4 * HOUR, end=NINE + 5 * HOUR),
        desk.owner,
    )
    expected = {
        MONDAY + 40 * MINUTE: TooSoon,
        NINE + 10 * timedelta(days=1): TooFarAhead,
        NINE + 10 * MINUTE: OffGrid,
        NINE + 8 * HOUR: OutsideWorkingHours,
        NINE + 4 * HOUR: ResourceClosed,
    }
    for start, refusal in expected.items():
        with pytest.raises(refusal):
            desk.booked(service, start)


def test_a_decision_reads_only_the_pages_that_it_looks_at() -> None:
    desk = Desk()
    first, second, service = desk.resource(), desk.resource(), desk.service()
    customer = desk.customer()
    view = View(desk)
    command = Book(appointment_id=desk.new_id(), service_id=service, customer_id=customer, start=NINE)
    book(view, command, desk.staff, desk.now)
    assert page_id(first, NINE.date()) in view.read
    assert page_id(second, NINE.date()) not in view.read
