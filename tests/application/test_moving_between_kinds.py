"""A visit that moves when its service has become a class, or is one no more: nothing of it stays behind."""

from dataclasses import replace
from uuid import UUID

from application.booking import Reschedule, reschedule
from application.catalogue import ChangeTerms, change_terms
from domain.service import Service
from domain.session import session_id
from tests.desk import HOUR, MINUTE, NINE, Desk


def has_now(desk: Desk, service_id: UUID, *, seats: int) -> None:
    service = desk.streams[service_id].state
    assert isinstance(service, Service)
    desk.do(change_terms, ChangeTerms(service_id=service_id, terms=replace(service.terms, seats=seats)), desk.owner)


def test_a_visit_that_joins_a_class_on_the_same_day_leaves_no_claim_of_its_own() -> None:
    desk = Desk()  # given
    room = desk.resource()
    service = desk.service()
    visit = desk.booked(service)
    has_now(desk, service, seats=3)
    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 3 * HOUR))  # when
    assert desk.claims_on(room) == [session_id(service, NINE + 3 * HOUR)]  # then


def test_a_visit_may_join_a_class_that_takes_its_own_time() -> None:
    desk = Desk()  # given
    room = desk.resource()
    service = desk.service()
    visit = desk.booked(service)
    has_now(desk, service, seats=3)
    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 30 * MINUTE))  # when
    assert desk.claims_on(room) == [session_id(service, NINE + 30 * MINUTE)]  # then


def test_the_last_guest_of_a_class_that_is_none_any_more_may_stay_at_its_time() -> None:
    desk = Desk()  # given
    room = desk.resource()
    service = desk.service(seats=3)
    visit = desk.booked(service)
    has_now(desk, service, seats=1)
    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE))  # when
    assert desk.claims_on(room) == [visit.id]  # then
    assert desk.appointment(visit.id).session_id is None
