from datetime import timedelta

import pytest

from application.booking import Reschedule, reschedule
from application.visits import Cancel, Confirm, Lapse, cancel, confirm, lapse
from domain.appointment import Status
from domain.refusals import (
    InvalidValue,
    SlotTaken,
)
from tests.desk import HOUR, MINUTE, NINE, Desk


def test_a_held_slot_is_free_again_at_its_deadline_and_its_holder_learns_that() -> None:
    desk = Desk(now=NINE - 2 * HOUR)
    desk.resource()
    service = desk.service()
    held = desk.booked(service, hold_min=30)
    with pytest.raises(SlotTaken):
        desk.booked(service)
    desk.now += 30 * MINUTE
    desk.booked(service)
    desk.do(lapse, Lapse(appointment_id=held.id), desk.clock)
    assert desk.appointment(held.id).status is Status.CANCELLED


def test_a_lapse_takes_nothing_from_those_who_came_after() -> None:
    desk = Desk(now=NINE - 2 * HOUR)
    room, service = desk.resource(), desk.service()
    held = desk.booked(service, hold_min=30)
    desk.now += 30 * MINUTE
    after = desk.booked(service)
    desk.do(lapse, Lapse(appointment_id=held.id), desk.clock)
    assert desk.claims_on(room) == [after.id]


def test_a_confirmed_hold_keeps_its_slot_for_good() -> None:
    desk = Desk(now=NINE - 2 * HOUR)
    desk.resource()
    service = desk.service()
    held = desk.booked(service, hold_min=30)
    desk.do(confirm, Confirm(appointment_id=held.id))
    desk.now += 45 * MINUTE
    with pytest.raises(SlotTaken):
        desk.booked(service)


def test_a_cancelled_visit_gives_its_slot_back() -> None:
    desk = Desk()
    room, service = desk.resource(), desk.service()
    visit = desk.booked(service)
    desk.do(cancel, Cancel(appointment_id=visit.id))
    assert desk.claims_on(room) == []
    desk.booked(service)


def test_a_visit_moves_by_half_its_length_in_its_own_room() -> None:
    desk = Desk()
    room, other, service = desk.resource(), desk.resource(), desk.service()
    visit = desk.booked(service)
    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 30 * MINUTE))
    assert desk.claims_on(room) == [visit.id]
    assert desk.claims_on(other) == []


def test_a_visit_that_moves_to_another_day_leaves_its_page() -> None:
    desk = Desk()
    room, service = desk.resource(), desk.service()
    visit = desk.booked(service)
    desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 24 * HOUR))
    assert desk.claims_on(room) == []


def test_a_refused_move_leaves_the_visit_where_it_was() -> None:
    desk = Desk()
    desk.resource()
    service = desk.service()
    visit, _ = desk.booked(service), desk.booked(service, NINE + HOUR)
    with pytest.raises(SlotTaken):
        desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + HOUR))
    assert desk.appointment(visit.id).visit.start == NINE


@pytest.mark.parametrize("hold_min", [0, -5, 24 * 60 + 1])
def test_a_hold_has_a_sensible_length(hold_min: int) -> None:
    desk = Desk()
    desk.resource()
    with pytest.raises(InvalidValue):
        desk.booked(desk.service(), hold_min=hold_min)


def test_a_hold_ends_when_its_visit_would_begin_wherever_it_is_moved() -> None:
    desk = Desk(now=NINE - HOUR)
    desk.resource()
    held = desk.booked(desk.service(), NINE + HOUR, hold_min=8 * 60)
    assert held.held_until == NINE + HOUR
    desk.do(reschedule, Reschedule(appointment_id=held.id, start=NINE))
    assert desk.appointment(held.id).held_until == NINE


def test_a_hold_that_another_clock_saw_lapse_cannot_be_confirmed_over_whoever_came_after() -> None:
    desk = Desk(now=NINE - 2 * HOUR)
    desk.resource()
    service = desk.service()
    held = desk.booked(service, hold_min=30)
    desk.now += 30 * MINUTE
    desk.booked(service)
    desk.now -= timedelta(seconds=1)  # the clock of the process that is asked to confirm is behind
    with pytest.raises(SlotTaken):
        desk.do(confirm, Confirm(appointment_id=held.id))
