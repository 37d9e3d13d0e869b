"""Group appointments: one claim on the resources, so many seats, and a session that is there while somebody has one."""

from dataclasses import replace
from typing import Any

import pytest

from application.booking import Reschedule, reschedule
from application.catalogue import ChangeTerms, change_terms
from application.resource_times import (
    CloseResource,
    RetireResource,
    SetHolidays,
    SetWorkingHours,
    close_resource,
    retire_resource,
    set_holidays,
    set_working_hours,
)
from application.visits import (
    Cancel,
    cancel,
)
from domain.location import Holiday
from domain.refusals import (
    ClosedForHoliday,
    InvalidValue,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceNotSuitable,
    ResourceRetired,
    SessionFull,
    SlotTaken,
)
from domain.service import Requirement, Service
from domain.session import SessionOpened, session_id
from tests.desk import HOUR, MINUTE, NINE, Desk
from tests.seats import claim_of_the_session, the_session


def test_two_bookings_of_one_start_have_seats_in_one_session() -> None:
    desk = Desk()
    room, yoga = desk.resource(), desk.service(seats=3)

    first, second = desk.booked(yoga, seats=2), desk.booked(yoga)

    assert first.session_id == second.session_id == session_id(yoga, NINE)
    assert desk.claims_on(room) == [session_id(yoga, NINE)]
    assert first.allotments == second.allotments
    assert sum(isinstance(fact, SessionOpened) for _, fact in desk.facts) == 1


def test_the_last_seat_is_not_sold_twice_and_whoever_comes_late_hears_how_many_are_free() -> None:
    desk = Desk()
    desk.resource()
    yoga = desk.service(seats=3)
    desk.booked(yoga, seats=2)

    with pytest.raises(SessionFull) as refusal:
        desk.booked(yoga, seats=2)

    assert (refusal.value.session_id, refusal.value.seats_free) == (session_id(yoga, NINE), 1)
    desk.booked(yoga)
    with pytest.raises(SessionFull):
        desk.booked(yoga)


@pytest.mark.parametrize("seats", [0, 4])
def test_nobody_has_no_seat_or_more_than_there_are(seats: int) -> None:
    desk = Desk()
    desk.resource()
    with pytest.raises(InvalidValue):
        desk.booked(desk.service(seats=3), seats=seats)


def test_a_full_session_does_not_open_a_second_room() -> None:
    desk = Desk()
    desk.resource()
    other, yoga = desk.resource(), desk.service(seats=1 + 1)
    desk.booked(yoga, seats=2)
    with pytest.raises(SessionFull):
        desk.booked(yoga)
    assert desk.claims_on(other) == []


def test_two_services_at_one_start_are_two_sessions_in_two_rooms() -> None:
    desk = Desk()
    rooms = [desk.resource(), desk.resource()]
    yoga, dance, choir = (desk.service(seats=3) for _ in range(3))
    desk.booked(yoga)
    desk.booked(dance)
    assert [desk.claims_on(room) for room in rooms] == [[session_id(yoga, NINE)], [session_id(dance, NINE)]]
    with pytest.raises(SlotTaken):
        desk.booked(choir)


def test_a_session_gives_its_resources_back_with_its_last_seat_and_not_before() -> None:
    desk = Desk()
    room, yoga = desk.resource(), desk.service(seats=3)
    visits = [desk.booked(yoga, seats=2), desk.booked(yoga)]

    desk.do(cancel, Cancel(appointment_id=visits[0].id))
    assert desk.claims_on(room) == [session_id(yoga, NINE)]
    assert the_session(desk, yoga).seats_free(now=desk.now) == 2
    desk.do(cancel, Cancel(appointment_id=visits[1].id))

    assert desk.claims_on(room) == []
    assert not the_session(desk, yoga).is_open
    desk.booked(desk.service())


def test_a_session_that_closed_opens_again_where_there_is_room_then() -> None:
    desk = Desk()
    first_room, other = desk.resource(), desk.resource()
    yoga, single = desk.service(seats=2), desk.service()
    visit = desk.booked(yoga)
    desk.do(cancel, Cancel(appointment_id=visit.id))
    desk.booked(single, resource_ids=(first_room,))

    again = desk.booked(yoga, seats=2)

    assert again.session_id == visit.session_id
    assert [allotment.resource_id for allotment in again.allotments] == [other]
    assert desk.claims_on(other) == [again.session_id]


def test_a_visit_moves_from_one_session_to_another_with_all_its_seats() -> None:
    desk = Desk()
    room, yoga = desk.resource(), desk.service(seats=3)
    staying, moving = desk.booked(yoga), desk.booked(yoga, seats=2)
    ten = NINE + HOUR

    desk.do(reschedule, Reschedule(appointment_id=moving.id, start=ten))

    moved = desk.appointment(moving.id)
    assert (moved.session_id, moved.seats) == (session_id(yoga, ten), 2)
    assert the_session(desk, yoga).seats_free(now=desk.now) == 2
    assert sorted(desk.claims_on(room)) == sorted([session_id(yoga, NINE), session_id(yoga, ten)])
    desk.do(reschedule, Reschedule(appointment_id=staying.id, start=ten))
    assert desk.claims_on(room) == [session_id(yoga, ten)]


def test_a_visit_alone_in_its_session_moves_by_half_its_length_in_its_own_room() -> None:
    desk = Desk()
    room, yoga = desk.resource(), desk.service(seats=3)
    visit = desk.booked(yoga, seats=2)

    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 30 * MINUTE))

    assert desk.appointment(visit.id).visit.start == NINE + 30 * MINUTE
    assert desk.claims_on(room) == [session_id(yoga, NINE + 30 * MINUTE)]


def test_a_session_that_others_are_in_stays_in_the_way_of_one_who_moves() -> None:
    desk = Desk()
    desk.resource()
    yoga = desk.service(seats=3)
    visit, _ = desk.booked(yoga), desk.booked(yoga)
    with pytest.raises(SlotTaken):
        desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 30 * MINUTE))
    assert desk.appointment(visit.id).visit.start == NINE


def test_a_move_into_a_session_that_is_too_full_changes_nothing() -> None:
    desk = Desk()
    desk.resource()
    yoga = desk.service(seats=3)
    visit, _ = desk.booked(yoga, seats=2), desk.booked(yoga, NINE + HOUR, seats=2)
    before = len(desk.facts)
    with pytest.raises(SessionFull):
        desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + HOUR))
    assert len(desk.facts) == before


@pytest.mark.parametrize("refusal", [ResourceClosed, ResourceRetired, ClosedForHoliday, OutsideWorkingHours])
def test_nobody_joins_a_session_whose_room_has_become_unavailable(refusal: type[Refusal]) -> None:
    desk = Desk()
    place = desk.location()
    room, yoga = desk.resource(location_id=place), desk.service(seats=3)
    desk.booked(yoga)
    until_ten = CloseResource(resource_id=room, closure_id=desk.new_id(), start=NINE, end=NINE + HOUR)
    changes: dict[type[Refusal], tuple[Any, object]] = {
        ResourceClosed: (close_resource, until_ten),
        ResourceRetired: (retire_resource, RetireResource(resource_id=room)),
        ClosedForHoliday: (
            set_holidays,
            SetHolidays(
                location_id=place, country=None, subdivision=None, holidays=(Holiday(NINE.date(), "Founders' day"),)
            ),
        ),
        OutsideWorkingHours: (set_working_hours, SetWorkingHours(resource_id=room, shifts=())),
    }
    desk.do(*changes[refusal], desk.owner)

    with pytest.raises(refusal):
        desk.booked(yoga)


def test_whoever_wants_another_resource_than_the_session_has_is_told_so() -> None:
    desk = Desk()
    first, second = desk.resource(), desk.resource()
    yoga = desk.service(seats=3)
    desk.booked(yoga, resource_ids=(second,))
    assert desk.booked(yoga, resource_ids=(second,)).allotments[0].resource_id == second
    with pytest.raises(ResourceNotSuitable):
        desk.booked(yoga, resource_ids=(first,))


def test_new_terms_leave_a_session_the_seats_that_it_opened_with() -> None:
    desk = Desk()
    desk.resource()
    yoga = desk.service(seats=2)
    desk.booked(yoga, seats=2)
    service = desk.streams[yoga].state
    assert isinstance(service, Service)
    desk.do(change_terms, ChangeTerms(service_id=yoga, terms=replace(service.terms, seats=5)), desk.owner)
    with pytest.raises(SessionFull):
        desk.booked(yoga)
    assert desk.booked(yoga, NINE + HOUR, seats=5).seats == 5


def test_the_session_of_two_requirements_claims_both_once() -> None:
    desk = Desk()
    teacher, mats = desk.resource("teacher"), desk.resource("mat", capacity=5)
    yoga = desk.service(Requirement(kind="teacher"), Requirement(resource_id=mats, quantity=3), seats=3)
    for _ in range(3):
        desk.booked(yoga)
    assert desk.claims_on(teacher) == desk.claims_on(mats) == [session_id(yoga, NINE)]
    claimed = claim_of_the_session(desk, mats, yoga)
    assert claimed
    assert claimed.quantity == 3
