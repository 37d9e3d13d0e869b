"""Whatever the feed does, and whoever dies when: each fact is applied once, in the order of its partition."""

import random
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from psycopg import Cursor

from application.feed import Delivery
from application.journal import Recorded
from projections.applying import Outlet
from projections.arriving import runs
from projections.checkpoint import PROGRESS_CHANNEL, lowest_checkpoint
from tests.projections.following_scene import EVERYTHING, PARTITIONS, Diary, Scene


@pytest.fixture
def scene(postgres_url: str) -> Iterator[Scene]:
    made = Scene(postgres_url)
    yield made
    made.connection.close()


def test_facts_are_applied_as_they_arrive(scene: Scene) -> None:
    diary = Diary()
    follower = scene.follower(diary)
    scene.turn(follower)
    scene.happen(0, 1, 2, 0)
    scene.turn(follower)
    scene.happen(1)
    scene.turn(follower)
    scene.ensure_exactly_once()
    assert diary.announced == scene.entries()


def test_a_new_sink_catches_up_from_the_journal_before_it_takes_deliveries(scene: Scene) -> None:
    scene.happen(*[n % 5 for n in range(5_000)])
    follower = scene.follower(Diary())
    scene.turn(follower, 2)
    scene.happen(0, 1, 2)
    scene.turn(follower, 4)
    assert follower.caught_up()
    scene.ensure_exactly_once()


@pytest.mark.parametrize("seed", range(5))
def test_doubled_rewound_and_missing_deliveries_make_no_difference(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    follower = scene.follower(Diary())
    scene.turn(follower)
    for _ in range(15):
        scene.happen(*chance.choices(range(6), k=chance.randrange(1, 30)))
        for log in scene.broker.logs:
            start = chance.randrange(len(log) + 1)
            log.extend(log[start : start + chance.randrange(10)])  # rewound, doubled
            if log and chance.random() < 0.3:
                del log[-chance.randrange(1, 4) :]  # lost: a gap, or nothing at all
        scene.turn(follower, 1)
        if chance.random() < 0.2:
            follower = scene.follower(Diary())  # a new process
    scene.wait(1.0)
    scene.turn(follower)
    scene.ensure_exactly_once()


def test_a_gap_is_filled_from_the_journal(scene: Scene) -> None:
    follower = scene.follower(Diary())
    scene.turn(follower)
    scene.happen(0, 0, 0, 1)
    del scene.broker.logs[0][1]
    scene.turn(follower)
    scene.ensure_exactly_once()


def test_a_partition_that_is_silent_while_others_are_not_is_looked_after(scene: Scene) -> None:
    follower = scene.follower(Diary())
    scene.turn(follower)
    scene.happen(1)
    scene.broker.logs[1].clear()
    for _ in range(11):
        scene.wait(1.0)
        scene.happen(0)
        scene.turn(follower)
    scene.ensure_exactly_once()


def test_of_a_partition_that_has_nothing_to_say_the_facts_of_others_are_not_read_again(scene: Scene) -> None:
    follower = scene.follower(Diary())
    scene.turn(follower)
    reads = scene.journal.reads
    for _ in range(11):
        scene.wait(1.0)
        scene.happen(0)
        scene.turn(follower)
    assert scene.journal.reads == reads + 2 * 11, "the relay's alone: the fact, and that there is no more"
    assert lowest_checkpoint(scene.connection) >= 10, "it is known to lack nothing"
    scene.ensure_exactly_once()


def test_each_commit_tells_how_far_the_sink_has_come(scene: Scene) -> None:
    follower = scene.follower(Diary())
    scene.turn(follower)
    scene.connection.execute(f"LISTEN {PROGRESS_CHANNEL}")
    scene.happen(0, 1, 0)
    scene.turn(follower)
    told = sorted(notice.payload for notice in scene.connection.notifies(timeout=1, stop_after=2))
    assert told == ["diary 0 3", "diary 1 2"]


def test_the_lowest_checkpoint_is_what_some_partition_still_needs(scene: Scene) -> None:
    assert lowest_checkpoint(scene.connection) == 0
    follower = scene.follower(Diary())
    scene.happen(0, 0, 1)
    scene.turn(follower)
    assert lowest_checkpoint(scene.connection) == 3, "a partition without facts counts as far as it was looked at"


def test_a_read_model_does_not_wait_for_the_disk_and_a_ledger_does(scene: Scene) -> None:
    said = []

    def ask(_batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        said.append(cursor.execute("SHOW synchronous_commit").fetchone())

    for durable in (False, True):
        diary = type("Kept", (Diary,), {"NAME": f"kept_{uuid4().hex[:8]}", "DURABLE": durable})()
        diary.before = ask
        outlet = Outlet(diary, scene.connect, PARTITIONS)
        outlet.assign(EVERYTHING)
        assert outlet.ready()
        outlet.refill((), after=0, complete=True)
        scene.journal.append(0)
        outlet.deliver(runs([Delivery(0, 0, scene.journal.facts[-1])]))
        outlet.close()
    assert said == [("off",), ("on",)]


def test_a_follower_stops_when_it_is_asked_to(scene: Scene) -> None:
    follower = scene.follower(Diary())
    thread = threading.Thread(target=follower.run)
    thread.start()
    scene.happen(0)
    follower.stop()
    thread.join(5)
    assert not thread.is_alive()
