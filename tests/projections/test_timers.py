"""A hold lapses at its deadline: never early, soon after, once, whoever keeps the time and whoever dies."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from application import visits
from application.decision import UseCase
from application.firing import Fired, fire
from application.writer import Answer, Busy, Writer
from domain.appointment import Appointment
from projections.arriving import runs
from projections.timers import Timers
from tests.desk import MINUTE
from tests.projections.front_desk import FrontDesk, fed, follower
from tests.projections.timekeeper_scene import Keeper, kept, lapsed, timers

HOLD = 30 * MINUTE


class Killed(BaseException):
    """The process ends here."""


def holds(front: FrontDesk, count: int = 1) -> list[Appointment]:
    customer = front.customer()
    return [front.books(customer, n * 2, hold_min=30) for n in range(count)]


def test_a_hold_lapses_at_its_deadline_and_not_a_microsecond_before(front: FrontDesk) -> None:
    [visit] = holds(front)
    front.follow(Timers())
    deadline = front.desk.now + HOLD
    assert timers(front) == [(visit.id, deadline)]

    async def story(keeper: Keeper) -> None:
        front.desk.now = deadline - timedelta(microseconds=1)
        assert await keeper.fires(now=front.desk.now) == Fired()
        front.desk.now = deadline
        assert await keeper.fires(now=front.desk.now) == Fired(settled=1)
        assert await keeper.fires(now=front.desk.now) == Fired()

    kept(front, story)
    assert lapsed(front) == 1
    assert timers(front) == []


def test_by_default_the_database_says_what_is_due(front: FrontDesk) -> None:
    holds(front, 2)
    front.follow(Timers())
    with psycopg.connect(front.url) as connection:
        connection.execute(
            "UPDATE timers.timer SET due_at = now() + CASE WHEN due_at = (SELECT min(due_at) FROM timers.timer)"
            " AND id = (SELECT min(id::text)::uuid FROM timers.timer) THEN interval '0' ELSE interval '1 hour' END"
        )

    async def story(keeper: Keeper) -> None:
        front.desk.now += HOLD
        assert (await keeper.fires()).settled == 1
        wait_s = await keeper.due.next_due_in_s()
        assert wait_s is not None
        assert 3_000 < wait_s <= 3_600

    kept(front, story)


def test_a_timekeeper_whose_clock_is_behind_tries_again_and_loses_no_timer(front: FrontDesk) -> None:
    holds(front)
    front.follow(Timers())
    deadline = front.desk.now + HOLD

    async def story(keeper: Keeper) -> None:
        assert await keeper.fires(now=deadline) == Fired(put_off=1)  # the writer's clock is still before it
        assert await keeper.fires(now=deadline) == Fired()  # not at once again
        front.desk.now = deadline
        await asyncio.sleep(0.3)
        assert await keeper.fires(now=deadline) == Fired(settled=1)

    kept(front, story)


def test_a_hold_that_was_confirmed_first_keeps_its_slot_and_ends_its_timer(front: FrontDesk) -> None:
    [visit] = holds(front)
    front.follow(Timers())
    front.desk.do(visits.confirm, visits.Confirm(appointment_id=visit.id))
    front.record()  # in the journal; the timekeeper's follower has not heard of it yet
    front.desk.now += HOLD

    async def story(keeper: Keeper) -> None:
        assert await keeper.fires(now=front.desk.now) == Fired(refused=1)

    kept(front, story)
    assert (lapsed(front), timers(front)) == (0, [])


def test_what_ends_a_hold_clears_its_timer(front: FrontDesk) -> None:
    confirmed, cancelled, open_still = holds(front, 3)
    front.follow(Timers())
    front.desk.do(visits.confirm, visits.Confirm(appointment_id=confirmed.id))
    front.cancels(cancelled)
    front.follow(Timers())

    assert [about_id for about_id, _ in timers(front)] == [open_still.id]


def test_facts_that_arrive_twice_or_rewound_set_each_timer_once_and_bring_none_back(front: FrontDesk) -> None:
    visit, open_still = holds(front, 2)
    front.cancels(visit)
    deliveries = fed(front.record())

    for _ in range(2):
        outlet = follower(front.url, Timers())
        outlet.refill((), after=0, complete=True)
        for arriving in (deliveries[:-2], deliveries, deliveries[-4:], deliveries):
            outlet.deliver(runs(arriving))
        outlet.close()  # killed

    assert [about_id for about_id, _ in timers(front)] == [open_still.id]


def test_several_timekeepers_share_the_timers_and_each_hold_lapses_once(front: FrontDesk) -> None:
    holds(front, 60)
    front.follow(Timers())
    front.desk.now += HOLD

    async def story(keeper: Keeper) -> None:
        other = Writer(keeper.writer.journal, front, encode=msgspec.json.encode)
        writing = asyncio.create_task(other.run())
        rounds = await asyncio.gather(
            *(fire(keeper.due, one.submit, now=front.desk.now, limit=10) for one in (keeper.writer, other) * 6)
        )
        assert sum(fired.settled for fired in rounds) == 60
        writing.cancel()

    kept(front, story)
    assert lapsed(front) == 60


def test_a_timekeeper_that_dies_after_its_command_took_effect_leaves_a_timer_that_does_no_harm(
    front: FrontDesk,
) -> None:
    holds(front)
    front.follow(Timers())
    front.desk.now += HOLD

    async def story(keeper: Keeper) -> None:
        async def dies(use_case: UseCase[Any], command: object, **about: Any) -> Answer:
            await keeper.writer.submit(use_case, command, **about)
            raise Killed

        with pytest.raises(Killed):
            await fire(keeper.due, dies, now=front.desk.now)
        assert lapsed(front) == len(timers(front)) == 1

        assert await keeper.fires(now=front.desk.now) == Fired(settled=1)  # answered by the receipt

    kept(front, story)
    assert (lapsed(front), timers(front)) == (1, [])


def test_a_busy_writer_puts_timers_off(front: FrontDesk) -> None:
    holds(front)
    front.follow(Timers())

    async def busy(use_case: UseCase[Any], command: object, **about: Any) -> Answer:
        raise Busy

    async def story(keeper: Keeper) -> None:
        assert await fire(keeper.due, busy, now=front.desk.now + HOLD) == Fired(put_off=1)

    kept(front, story)
    assert len(timers(front)) == 1
