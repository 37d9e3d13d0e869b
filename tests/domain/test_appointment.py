from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.appointment import Allotment, Appointment, AppointmentRescheduled, Deadlines, Status, evolve
from domain.interval import Interval
from domain.lifecycle import (
    CHECK_IN_OPENS_BEFORE,
    NO_SHOW_GRACE,
    TENTATIVE,
    approve,
    cancel,
    check_in,
    confirm,
    ensure_may_move,
    ensure_may_remind,
    fulfil,
    lapse,
    mark_no_show,
    release,
    request,
)
from domain.refusals import CancelledTooLate, HoldLapsed, NotInThatState, TooEarly
from tests.desk import HOUR, MINUTE, NINE

A_DAY_AHEAD = timedelta(days=1)
DEADLINE = NINE - 48 * HOUR
SECOND = timedelta(seconds=1)
NONE = Deadlines()


def visit(status: Status = Status.BOOKED, deadlines: Deadlines = NONE) -> Appointment:
    at_nine = Interval(NINE, NINE + HOUR)
    return Appointment(
        id=UUID(int=1),
        organization_id=UUID(int=2),
        service_id=UUID(int=3),
        customer_id=UUID(int=4),
        status=status,
        visit=at_nine,
        claim=at_nine,
        allotments=(Allotment(UUID(int=5), 1),),
        held_until=DEADLINE if status in TENTATIVE else None,
        deadlines=deadlines,
    )


def test_a_hold_confirmed_before_its_deadline_is_a_booking() -> None:
    held = visit(Status.HELD)
    booked = evolve(held, confirm(held, now=DEADLINE - SECOND))
    assert (booked.status, booked.held_until) == (Status.BOOKED, None)


def test_a_hold_cannot_be_confirmed_at_its_deadline() -> None:
    with pytest.raises(HoldLapsed) as refusal:
        confirm(visit(Status.HELD), now=DEADLINE)
    assert refusal.value.lapsed_at == DEADLINE


def test_a_hold_lapses_at_its_deadline_and_not_before() -> None:
    held = visit(Status.HELD)
    with pytest.raises(TooEarly):
        lapse(held, now=DEADLINE - SECOND)
    assert evolve(held, lapse(held, now=DEADLINE)).status is Status.CANCELLED


def test_a_customer_cannot_cancel_within_the_notice_period() -> None:
    with pytest.raises(CancelledTooLate) as refusal:
        cancel(visit(), notice=A_DAY_AHEAD, now=NINE - 2 * HOUR)
    assert refusal.value.deadline == NINE - 24 * HOUR


def test_a_customer_can_cancel_at_the_last_moment_of_the_notice() -> None:
    booked = visit()
    assert evolve(booked, cancel(booked, notice=A_DAY_AHEAD, now=NINE - 24 * HOUR)).status is Status.CANCELLED


def test_the_house_may_always_cancel() -> None:
    cancel(visit(), notice=None, now=NINE + HOUR)


def test_a_hold_may_be_given_back_within_the_notice() -> None:
    cancel(visit(Status.HELD), notice=A_DAY_AHEAD, now=NINE - HOUR)


def test_a_visit_moves_with_its_resources() -> None:
    booked, later = visit(), Interval(NINE + HOUR, NINE + 2 * HOUR)
    elsewhere = (Allotment(UUID(int=6), 1),)
    moved = evolve(
        booked, AppointmentRescheduled(appointment_id=booked.id, visit=later, claim=later, allotments=elsewhere)
    )
    assert (moved.visit, moved.claim, moved.allotments, moved.status) == (later, later, elsewhere, Status.BOOKED)


@pytest.mark.parametrize(
    ("now", "early"),
    [(NINE - CHECK_IN_OPENS_BEFORE - SECOND, True), (NINE - CHECK_IN_OPENS_BEFORE, False), (NINE + HOUR, False)],
)
def test_check_in_opens_shortly_before_the_visit(now: datetime, early: bool) -> None:
    if early:
        with pytest.raises(TooEarly):
            check_in(visit(), now=now)
    else:
        assert evolve(visit(), check_in(visit(), now=now)).status is Status.ARRIVED


def test_a_no_show_is_marked_after_a_grace_period() -> None:
    with pytest.raises(TooEarly):
        mark_no_show(visit(), now=NINE + NO_SHOW_GRACE - MINUTE)
    assert evolve(visit(), mark_no_show(visit(), now=NINE + NO_SHOW_GRACE)).status is Status.NOSHOW


def test_the_services_own_grace_period_takes_the_place_of_the_usual_one() -> None:
    impatient = visit(deadlines=Deadlines(no_show_at=NINE + 5 * MINUTE))
    with pytest.raises(TooEarly) as refusal:
        mark_no_show(impatient, now=NINE + 4 * MINUTE)
    assert refusal.value.opens_at == NINE + 5 * MINUTE
    mark_no_show(impatient, now=NINE + 5 * MINUTE)


def test_a_visit_to_which_nobody_came_gives_back_what_it_claimed_and_not_before_its_time() -> None:
    strict = visit(deadlines=Deadlines(release_at=NINE + 10 * MINUTE))
    with pytest.raises(TooEarly):
        release(strict, now=NINE + 9 * MINUTE)
    missed = evolve(strict, release(strict, now=NINE + 10 * MINUTE))
    assert (missed.status, missed.has_claims) == (Status.NOSHOW, False)


def test_a_no_show_that_was_noted_gives_back_what_it_claimed_in_its_own_time_and_once() -> None:
    strict = visit(deadlines=Deadlines(no_show_at=NINE + 5 * MINUTE, release_at=NINE + 10 * MINUTE))
    noted = evolve(strict, mark_no_show(strict, now=NINE + 5 * MINUTE))
    released = evolve(noted, release(noted, now=NINE + 10 * MINUTE))
    assert (noted.has_claims, released.has_claims) == (True, False)
    with pytest.raises(NotInThatState):
        release(released, now=NINE + 10 * MINUTE)


def test_a_visit_of_a_service_without_auto_release_is_never_released() -> None:
    with pytest.raises(NotInThatState):
        release(visit(), now=NINE + HOUR)


def test_a_request_is_approved_before_its_deadline_only() -> None:
    pending = visit(Status.PENDING)
    booked = evolve(pending, approve(pending, now=DEADLINE - SECOND))
    assert (booked.status, booked.held_until) == (Status.BOOKED, None)
    with pytest.raises(HoldLapsed):
        approve(pending, now=DEADLINE)


def test_a_hold_becomes_a_request_until_the_visit_begins() -> None:
    held = visit(Status.HELD)
    pending = evolve(held, request(held, now=DEADLINE - SECOND))
    assert (pending.status, pending.held_until) == (Status.PENDING, NINE)


@pytest.mark.parametrize(
    ("now", "expected"),
    [(NINE - HOUR - SECOND, TooEarly), (NINE - HOUR, None), (NINE, NotInThatState)],
    ids=["early", "due", "begun"],
)
def test_a_reminder_is_due_from_its_time_until_the_visit_begins(
    now: datetime, expected: type[Exception] | None
) -> None:
    booked = visit(deadlines=Deadlines(remind_at=(NINE - HOUR,)))
    if expected is None:
        ensure_may_remind(booked, NINE - HOUR, now=now)
    else:
        with pytest.raises(expected):
            ensure_may_remind(booked, NINE - HOUR, now=now)


def test_a_visit_is_fulfilled_after_arrival() -> None:
    assert evolve(visit(Status.ARRIVED), fulfil(visit(Status.ARRIVED))).status is Status.FULFILLED


ALLOWED = {
    "confirm": {Status.HELD},
    "approve": {Status.PENDING},
    "reschedule": {Status.HELD, Status.PENDING, Status.BOOKED},
    "cancel": {Status.HELD, Status.PENDING, Status.BOOKED},
    "check-in": {Status.BOOKED},
    "fulfil": {Status.ARRIVED},
    "no-show": {Status.BOOKED},
    "release": {Status.BOOKED, Status.NOSHOW},
    "lapse": {Status.HELD, Status.PENDING},
}


def attempt(operation: str, of: Appointment) -> None:
    early, late = DEADLINE - HOUR, NINE + HOUR
    match operation:
        case "confirm":
            confirm(of, now=early)
        case "reschedule":
            ensure_may_move(of, notice=None, now=early)
        case "approve":
            approve(of, now=early)
        case "release":
            release(of, now=late)
        case "cancel":
            cancel(of, notice=None, now=early)
        case "check-in":
            check_in(of, now=late)
        case "fulfil":
            fulfil(of)
        case "no-show":
            mark_no_show(of, now=late)
        case "lapse":
            lapse(of, now=late)


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("operation", list(ALLOWED))
def test_only_the_transitions_of_the_lifecycle_exist(operation: str, status: Status) -> None:
    of = visit(status, Deadlines(release_at=NINE))
    if status in ALLOWED[operation]:
        attempt(operation, of)
    else:
        with pytest.raises(NotInThatState) as refusal:
            attempt(operation, of)
        assert (refusal.value.status, refusal.value.operation) == (status, operation)
