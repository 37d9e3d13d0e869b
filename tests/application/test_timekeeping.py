"""Which timers a history leaves set, and what each comes to when it fires."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application import booking, visits
from application.journal import Recorded
from application.timekeeping import Timer, TimerKind, command_of, net_change, timer_changes
from domain.account import Role
from domain.appointment import Appointment, Status
from domain.lifecycle import TENTATIVE
from tests.desk import HOUR, MINUTE, NINE, Desk
from tests.post_room import PostRoom
from tests.projections.history import Clinic, Deed, deeds, journal_of

Set = set[tuple[UUID, TimerKind, datetime]]
HOLD, NO_SHOW, RELEASE, REMINDER = TimerKind


def left(batches: Iterable[Iterable[Recorded]]) -> Set:
    """The timers that are set once each batch has been applied, as a table would be."""
    timers: dict[UUID, Timer] = {}
    for batch in batches:
        net = net_change(change for recorded in batch for change in timer_changes(recorded))
        timers = {i: timer for i, timer in timers.items() if (timer.about_id, timer.kind) not in net.cleared}
        timers |= {timer.id: timer for timer in net.set}
    return {(timer.about_id, timer.kind, timer.due_at) for timer in timers.values()}


def expected(clinics: Iterable[Clinic]) -> Set:
    """The naive answer, from how the visits stand in the end."""
    found: Set = set()
    for clinic in clinics:
        for visit in map(clinic.desk.appointment, clinic.appointments):
            if visit.status in TENTATIVE:
                assert visit.held_until
                found.add((visit.id, HOLD, visit.held_until))
            if visit.status in (*TENTATIVE, Status.BOOKED):
                deadlines = visit.deadlines
                found |= {(visit.id, NO_SHOW, deadlines.no_show_at)} if deadlines.no_show_at else set()
                found |= {(visit.id, RELEASE, deadlines.release_at)} if deadlines.release_at else set()
                found |= {(visit.id, REMINDER, remind_at) for remind_at in deadlines.remind_at}
            if visit.status is Status.NOSHOW and not visit.released and visit.deadlines.release_at:
                found.add((visit.id, RELEASE, visit.deadlines.release_at))
    return found


def parted(journal: list[Recorded], sizes: list[int]) -> list[list[Recorded]]:
    """The journal in batches of these sizes, the last as large as it must be."""
    batches, begin = [], 0
    for size in sizes:
        batches.append(journal[begin : begin + size])
        begin += size
    return [*batches, journal[begin:]]


@given(deeds, st.lists(st.integers(1, 40), max_size=10))
def test_after_any_history_the_timers_that_are_left_are_those_of_visits_to_come(
    history: list[Deed], sizes: list[int]
) -> None:
    clinics, journal = journal_of(history)

    assert left(parted(journal, sizes)) == expected(clinics)


class Diary:
    """A room, a visit of an hour in it that the clock has a say in, and the timers that are left."""

    def __init__(self, **terms: Any) -> None:
        self.desk = Desk()
        self.room = self.desk.resource()
        self.service = self.desk.service(
            no_show_after_min=15, release_after_min=30, remind_before_min=(120, 30), **terms
        )

    def books(self, **wish: Any) -> Appointment:
        return self.desk.booked(self.service, **wish)

    def moves(self, visit: Appointment, hours: int) -> None:
        self.desk.do(booking.reschedule, booking.Reschedule(appointment_id=visit.id, start=NINE + hours * HOUR))

    def timers(self) -> list[tuple[TimerKind, datetime]]:
        return sorted((kind, due_at) for _, kind, due_at in left([PostRoom(self.desk).journal()]))


def of_the_visit_at(start: datetime) -> list[tuple[TimerKind, datetime]]:
    return sorted(
        [
            (NO_SHOW, start + 15 * MINUTE),
            (RELEASE, start + 30 * MINUTE),
            (REMINDER, start - 120 * MINUTE),
            (REMINDER, start - 30 * MINUTE),
        ]
    )


def test_a_booking_sets_the_timers_of_its_terms_and_a_move_sets_them_anew() -> None:
    diary = Diary()
    visit = diary.books()
    assert diary.timers() == of_the_visit_at(NINE)

    diary.moves(visit, 5)
    assert diary.timers() == of_the_visit_at(NINE + 5 * HOUR)

    diary.moves(visit, 0)
    assert diary.timers() == of_the_visit_at(NINE)


def test_a_hold_keeps_its_deadline_when_it_is_moved() -> None:
    diary = Diary()
    visit = diary.books(hold_min=30)
    diary.moves(visit, 1)

    assert diary.timers() == [(HOLD, diary.desk.now + 30 * MINUTE), *of_the_visit_at(NINE + HOUR)]


def test_a_request_lapses_when_the_visit_would_begin_also_when_it_is_moved() -> None:
    diary = Diary(approval_required=True)
    visit = diary.books()
    assert diary.timers() == [(HOLD, NINE), *of_the_visit_at(NINE)]

    diary.moves(visit, 1)
    assert diary.timers() == [(HOLD, NINE + HOUR), *of_the_visit_at(NINE + HOUR)]


def test_a_hold_that_becomes_a_request_gets_the_requests_deadline() -> None:
    diary = Diary(approval_required=True)
    visit = diary.books(hold_min=30)
    diary.desk.do(visits.confirm, visits.Confirm(appointment_id=visit.id))

    assert diary.timers() == [(HOLD, NINE), *of_the_visit_at(NINE)]


def test_what_is_agreed_does_not_lapse() -> None:
    diary, strict = Diary(), Diary(approval_required=True)
    held, requested = diary.books(hold_min=30), strict.books()
    diary.desk.do(visits.confirm, visits.Confirm(appointment_id=held.id))
    strict.desk.do(visits.approve, visits.Approve(appointment_id=requested.id))

    assert diary.timers() == strict.timers() == of_the_visit_at(NINE)


@pytest.mark.parametrize("end", ["cancelled", "lapsed", "arrived", "released"])
def test_what_is_over_has_no_timers(end: str) -> None:
    diary = Diary()
    desk = diary.desk
    visit = diary.books(hold_min=30 if end == "lapsed" else None)
    desk.now = desk.now + 30 * MINUTE if end == "lapsed" else NINE + 30 * MINUTE
    match end:
        case "cancelled":
            desk.do(visits.cancel, visits.Cancel(appointment_id=visit.id))
        case "lapsed":
            desk.do(visits.lapse, visits.Lapse(appointment_id=visit.id), desk.clock)
        case "arrived":
            desk.do(visits.check_in, visits.CheckIn(appointment_id=visit.id))
        case _:
            desk.do(visits.release, visits.Release(appointment_id=visit.id), desk.clock)

    assert diary.timers() == []


def test_what_a_no_show_claims_is_still_given_back_in_its_time() -> None:
    diary = Diary()
    visit = diary.books()
    diary.desk.now = NINE + 15 * MINUTE
    diary.desk.do(visits.mark_no_show, visits.MarkNoShow(appointment_id=visit.id))

    assert diary.timers() == [(RELEASE, NINE + 30 * MINUTE)]


@pytest.mark.parametrize(
    ("kind", "at", "answer"),
    [
        (HOLD, NINE, "cancelled"),
        (NO_SHOW, NINE + 15 * MINUTE, "noshow"),
        (RELEASE, NINE + 30 * MINUTE, "noshow"),
        (REMINDER, NINE - 30 * MINUTE, "booked"),
    ],
)
def test_a_timer_becomes_the_same_command_however_often_it_fires(kind: TimerKind, at: datetime, answer: str) -> None:
    diary = Diary(approval_required=kind is HOLD)
    visit = diary.books()
    net = net_change(change for fact in PostRoom(diary.desk).journal() for change in timer_changes(fact))
    [timer] = [timer for timer in net.set if (timer.kind, timer.due_at) == (kind, at)]

    caused = command_of(timer)

    assert command_of(timer) == caused
    assert len({command_of(one).command_id for one in net.set}) == len(net.set)
    assert (timer.about_id, timer.organization_id) == (visit.id, diary.desk.organization_id)
    assert (caused.actor.organization_id, caused.actor.role) == (diary.desk.organization_id, Role.SERVICE)
    diary.desk.now = at
    assert diary.desk.do(caused.use_case, caused.command, caused.actor)["status"] == answer
