from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from application.booking import Book, Reschedule, book, reschedule
from application.visits import Cancel, CheckIn, cancel, check_in
from domain.account import Role
from domain.permissions import Actor
from domain.refusals import (
    CancelledTooLate,
    Forbidden,
    NotFound,
    VersionMismatch,
)
from tests.desk import HOUR, NINE, Desk


def test_a_change_of_what_the_client_has_not_seen_is_refused() -> None:
    desk = Desk()
    desk.resource()
    visit = desk.booked(desk.service())
    with pytest.raises(VersionMismatch) as refusal:
        desk.do(cancel, Cancel(appointment_id=visit.id, if_version=2))
    assert (refusal.value.expected, refusal.value.current) == (2, 1)


def test_a_customer_books_and_cancels_only_for_himself() -> None:
    desk = Desk()
    desk.resource()
    service, ana, rui = desk.service(), desk.customer(), desk.customer()
    of_ana = desk.booked(service, customer_id=ana)
    command = Book(appointment_id=desk.new_id(), service_id=service, customer_id=ana, start=NINE + HOUR)
    with pytest.raises(Forbidden):
        desk.do(book, command, desk.as_customer(rui))
    with pytest.raises(NotFound):
        desk.do(cancel, Cancel(appointment_id=of_ana.id), desk.as_customer(rui))
    desk.do(cancel, Cancel(appointment_id=of_ana.id), desk.as_customer(ana))


def test_the_notice_binds_customers_and_not_the_house() -> None:
    desk = Desk(now=NINE - HOUR)
    desk.resource()
    ana = desk.customer()
    visit = desk.booked(desk.service(cancellation_notice_min=120), customer_id=ana)
    with pytest.raises(CancelledTooLate):
        desk.do(cancel, Cancel(appointment_id=visit.id), desk.as_customer(ana))
    desk.do(cancel, Cancel(appointment_id=visit.id))


def test_a_customer_cannot_check_in_by_himself() -> None:
    desk = Desk(now=NINE - HOUR)
    desk.resource()
    ana = desk.customer()
    visit = desk.booked(desk.service(), customer_id=ana)
    with pytest.raises(Forbidden):
        desk.do(check_in, CheckIn(appointment_id=visit.id), desk.as_customer(ana))


MOVES: list[Callable[[UUID], tuple[Any, Any]]] = [
    lambda visit: (cancel, Cancel(appointment_id=visit)),
    lambda visit: (reschedule, Reschedule(appointment_id=visit, start=NINE + HOUR)),
    lambda visit: (check_in, CheckIn(appointment_id=visit)),
]


@pytest.mark.parametrize("move", MOVES)
def test_what_belongs_to_another_organization_is_not_found(move: Callable[[UUID], tuple[Any, Any]]) -> None:
    desk = Desk()
    desk.resource()
    visit = desk.booked(desk.service())
    stranger = Actor(desk.new_id(), desk.new_id(), desk.new_id(), Role.OWNER)
    use_case, command = move(visit.id)
    with pytest.raises(NotFound):
        desk.do(use_case, command, stranger)
