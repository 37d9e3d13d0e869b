"""No-shows, releases and reminders: each happens when it is due, once, and not to what is over or has moved."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application import booking, visits
from application.decision import UseCase
from application.firing import Fired, fire
from application.writer import Answer, Busy
from domain.appointment import Appointment, Status
from domain.lifecycle import TENTATIVE
from projections.timers import Timers
from tests.desk import HOUR, MINUTE, NINE
from tests.projections.front_desk import FrontDesk
from tests.projections.history import Deed, deeds, journal_of
from tests.projections.timekeeper_scene import Keeper, happened, kept, timers

INSTANT = timedelta(microseconds=1)
LATE_MAX_S = 5.0
MISSED, RELEASED, REMINDED = "appointment.missed.v1", "appointment.released.v1", "reminder.due.v1"


def visit_with(front: FrontDesk, start: datetime = NINE, *, hold_min: int | None = None, **terms: Any) -> Appointment:
    service = front.desk.service(**terms)
    return front.desk.booked(service, start, resource_ids=(front.room,), hold_min=hold_min)


def moves(front: FrontDesk, visit: Appointment, start: datetime) -> None:
    front.desk.do(booking.reschedule, booking.Reschedule(appointment_id=visit.id, start=start))


@pytest.mark.parametrize(
    ("terms", "due_at", "fact"),
    [
        ({"no_show_after_min": 15}, NINE + 15 * MINUTE, MISSED),
        ({"release_after_min": 20}, NINE + 20 * MINUTE, RELEASED),
        ({"remind_before_min": (90,)}, NINE - 90 * MINUTE, REMINDED),
    ],
)
def test_each_happens_at_its_time_not_a_microsecond_before_and_once(
    front: FrontDesk, terms: dict[str, Any], due_at: datetime, fact: str
) -> None:
    visit = visit_with(front, **terms)
    front.follow(Timers())
    assert timers(front) == [(visit.id, due_at)]

    async def story(keeper: Keeper) -> None:
        front.desk.now = due_at - INSTANT
        assert await keeper.fires(now=front.desk.now) == Fired()
        front.desk.now = due_at
        assert await keeper.fires(now=front.desk.now) == Fired(settled=1)
        assert await keeper.fires(now=front.desk.now) == Fired()

    kept(front, story)
    assert happened(front) == [fact]
    assert timers(front) == []


def test_what_was_due_while_no_timekeeper_ran_happens_when_one_is_back(front: FrontDesk) -> None:
    visit_with(front, no_show_after_min=15, remind_before_min=(60,))
    front.follow(Timers())

    async def story(keeper: Keeper) -> None:
        front.desk.now = NINE - 10 * MINUTE  # down for fifty minutes
        assert await keeper.fires(now=front.desk.now) == Fired(settled=1)
        front.desk.now = NINE + 9 * HOUR
        assert await keeper.fires(now=front.desk.now) == Fired(settled=1)

    kept(front, story)
    assert happened(front) == [REMINDED, MISSED]


def test_nobody_is_reminded_of_what_has_begun(front: FrontDesk) -> None:
    visit_with(front, remind_before_min=(60,))
    front.follow(Timers())

    async def story(keeper: Keeper) -> None:
        front.desk.now = NINE
        assert await keeper.fires(now=NINE) == Fired(refused=1)

    kept(front, story)
    assert (happened(front), timers(front)) == ([], [])


def test_a_visit_that_moves_takes_its_timers_along(front: FrontDesk) -> None:
    visit = visit_with(front, no_show_after_min=15, release_after_min=30, remind_before_min=(60, 120))
    front.follow(Timers())
    moves(front, visit, NINE + 5 * HOUR)
    front.follow(Timers())

    at_two = NINE + 5 * HOUR
    minutes = (-120, -60, 15, 30)
    assert timers(front) == [(visit.id, at_two + minute * MINUTE) for minute in minutes]


def test_the_timer_of_a_visit_that_has_moved_in_the_journal_alone_does_nothing(front: FrontDesk) -> None:
    visit = visit_with(front, no_show_after_min=15, remind_before_min=(60,))
    front.follow(Timers())
    moves(front, visit, NINE + 5 * HOUR)
    front.record()  # the timekeeper's follower has not heard of it yet

    async def story(keeper: Keeper) -> None:
        front.desk.now = NINE - 60 * MINUTE
        assert await keeper.fires(now=front.desk.now) == Fired(refused=1)
        front.desk.now = NINE + 15 * MINUTE
        assert await keeper.fires(now=front.desk.now) == Fired(put_off=1)  # there will be a time for it

    kept(front, story)
    assert happened(front) == []


def test_of_a_release_and_a_no_show_at_the_same_moment_the_release_happens(front: FrontDesk) -> None:
    """It is a no-show either way; released, it needs no mark."""
    visit_with(front, no_show_after_min=15, release_after_min=15)
    front.follow(Timers())

    async def story(keeper: Keeper) -> None:
        front.desk.now = NINE + 15 * MINUTE
        assert await keeper.fires(now=front.desk.now) == Fired(settled=1, refused=1)

    kept(front, story)
    assert happened(front) == [RELEASED]


def test_a_reminder_whose_timekeeper_died_when_it_had_taken_effect_is_due_once(front: FrontDesk) -> None:
    visit_with(front, remind_before_min=(60,))
    front.follow(Timers())
    front.desk.now = NINE - 60 * MINUTE

    async def story(keeper: Keeper) -> None:
        assert await keeper.fires(now=front.desk.now) == Fired(settled=1)
        set_again(front)  # as if the process had died before the timer was gone
        assert len(timers(front)) == 1
        assert await keeper.fires(now=front.desk.now) == Fired(settled=1)

    kept(front, story)
    assert happened(front) == [REMINDED]


def test_one_that_cannot_be_fired_is_reported_and_holds_up_no_other(front: FrontDesk) -> None:
    broken = visit_with(front, no_show_after_min=15)
    visit_with(front, NINE + HOUR, no_show_after_min=15)
    front.follow(Timers())
    front.desk.now = NINE + 2 * HOUR
    reported: list[tuple[UUID, Exception]] = []
    defect = ZeroDivisionError("a defect")

    async def story(keeper: Keeper) -> None:
        async def submit(use_case: UseCase[Any], command: object, **about: Any) -> Answer:
            if isinstance(command, visits.MarkNoShow) and command.appointment_id == broken.id:
                raise defect
            return await keeper.writer.submit(use_case, command, **about)

        fired = await fire(
            keeper.due, submit, now=front.desk.now, report=lambda timer, error: reported.append((timer.about_id, error))
        )
        assert fired == Fired(settled=1, broken=1)

    kept(front, story)
    assert reported == [(broken.id, defect)]
    assert [about_id for about_id, _ in timers(front)] == [broken.id]


def test_however_often_a_timer_was_put_off_it_is_tried_again_well_within_the_time_it_may_be_late(
    front: FrontDesk,
) -> None:
    visit_with(front, no_show_after_min=15)
    front.follow(Timers())

    async def busy(use_case: UseCase[Any], command: object, **about: Any) -> Answer:
        raise Busy

    async def story(keeper: Keeper) -> None:
        with psycopg.connect(front.url) as connection:
            connection.execute("UPDATE timers.timer SET due_at = now()")
        for _ in range(12):
            assert await fire(keeper.due, busy) == Fired(put_off=1)
            wait_s = await keeper.due.next_due_in_s()
            assert wait_s is not None
            assert wait_s < LATE_MAX_S / 2
            retried(front)

    kept(front, story)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds, st.lists(st.integers(1, 40), max_size=6))
def test_the_table_holds_the_timers_of_visits_to_come_and_no_other(
    front: FrontDesk, history: list[Deed], sizes: list[int]
) -> None:
    clinics, journal = journal_of(history)
    with psycopg.connect(front.url) as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path TO timers")
        cursor.execute("TRUNCATE timer")
        for size in [*sizes, len(journal)]:
            batch, journal = journal[:size], journal[size:]
            Timers().project(batch, cursor)
        rows = cursor.execute("SELECT about_id, kind FROM timer").fetchall()

    visits_now = [clinic.desk.appointment(one) for clinic in clinics for one in clinic.appointments]
    tentative = {visit.id for visit in visits_now if visit.status in TENTATIVE}
    booked = {visit.id for visit in visits_now if visit.status is Status.BOOKED}
    missed = {visit.id for visit in visits_now if visit.status is Status.NOSHOW and not visit.released}
    assert {about_id for about_id, kind in rows if kind == "hold"} == tentative
    assert {about_id for about_id, kind in rows if kind != "release"} <= tentative | booked
    assert {about_id for about_id, kind in rows if kind == "release"} <= tentative | booked | missed


def set_again(front: FrontDesk) -> None:
    with psycopg.connect(front.url) as connection:
        connection.execute("UPDATE timers.checkpoint SET position = 0")
    front.follow(Timers())


def retried(front: FrontDesk) -> None:
    """Waiting is skipped: what was put off is due now."""
    with psycopg.connect(front.url) as connection:
        connection.execute("UPDATE timers.timer SET retry_at = NULL")
