"""Followers, databases and groups fail: each fact is still applied once, and nothing waits that need not."""

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from psycopg import Cursor

from adapters.memory_feed import MemoryFeed
from application.journal import Recorded
from projections.following import JOINING_S, ORPHANED_AFTER_S
from tests.projections.following_scene import Diary, Scene


@pytest.fixture
def scene(postgres_url: str) -> Iterator[Scene]:
    made = Scene(postgres_url)
    yield made
    made.connection.close()


def test_a_broker_that_is_gone_for_good_delays_but_loses_nothing(scene: Scene) -> None:
    follower = scene.follower(Diary())
    scene.turn(follower)
    scene.broker.reachable = False
    scene.journal.append(0, 1, 2, 0)
    scene.wait(1.0)
    scene.turn(follower)
    scene.ensure_exactly_once()


def test_an_error_before_the_commit_undoes_rows_and_checkpoint_alike(scene: Scene) -> None:
    diary = Diary()
    follower = scene.follower(diary)
    scene.turn(follower)

    def fail_once(_batch: Sequence[Recorded], _cursor: Cursor[Any]) -> None:
        diary.before = lambda _batch, _cursor: None
        raise RuntimeError("after the rows, before the commit")

    diary.before = fail_once
    scene.happen(0, 1, 2, 0, 1)
    scene.turn(follower)
    scene.ensure_exactly_once()


def test_a_connection_that_dies_before_the_commit_is_replaced(scene: Scene) -> None:
    diary = Diary()
    follower = scene.follower(diary)
    scene.turn(follower)

    def kill(_batch: Sequence[Recorded], _cursor: Cursor[Any]) -> None:
        diary.before = lambda _batch, _cursor: None
        scene.kill_followers()

    diary.before = kill
    scene.happen(0, 1, 2)
    scene.turn(follower)
    assert scene.entries() == []
    scene.happen(0)
    scene.wait(0.1)
    scene.turn(follower)
    scene.ensure_exactly_once()


def test_a_fact_that_cannot_be_applied_halts_its_partition_of_its_sink_and_nothing_else(scene: Scene) -> None:
    diary, twin = Diary(), type("Twin", (Diary,), {"NAME": "twin"})()

    def poison(batch: Sequence[Recorded], _cursor: Cursor[Any]) -> None:
        if any(fact.position == 4 for fact in batch):
            raise ValueError("not this one")

    diary.before = poison
    follower = scene.follower(diary, twin)
    scene.turn(follower)
    scene.happen(0, 1, 0, 0, 1, 0, 2)  # when
    scene.turn(follower)
    scene.happen(0, 1)
    scene.turn(follower)
    assert sorted(scene.entries()) == [1, 2, 3, 5, 7, 9]  # then
    scene.ensure_exactly_once("twin")
    diary.before = lambda _batch, _cursor: None  # and when it can be applied again
    scene.wait(60.0)
    scene.turn(follower)
    scene.ensure_exactly_once()


def test_a_partition_whose_back_off_ends_while_a_later_page_is_read_is_not_carried_past_what_it_lacks(
    scene: Scene,
) -> None:
    diary = Diary()

    def poison(batch: Sequence[Recorded], _cursor: Cursor[Any]) -> None:
        if any(fact.position == 1 for fact in batch):
            raise ValueError("not this one")

    diary.before = poison
    follower = scene.follower(diary)
    scene.turn(follower)
    scene.happen(1, 0)
    scene.turn(follower)  # given: partition 1 waits at 0, partition 0 has come to 2

    class SlowReader:
        """The clock goes on while it reads."""

        head, organizations = scene.journal.head, scene.journal.organizations

        def read(self, *, after: int, limit: int, upto: int | None = None) -> Sequence[Recorded]:
            page = scene.journal.read(after=after, limit=limit, upto=upto)
            scene.wait(60.0)
            return page

    scene.happen(0, 0, 1)
    del scene.broker.logs[0][-2]
    diary.before = lambda _batch, _cursor: None
    follower._reader = SlowReader()  # type: ignore[assignment]
    scene.turn(follower)  # when: partition 0 has a gap, and is read from 2 on
    scene.turn(follower)
    scene.ensure_exactly_once()  # then


def test_of_two_followers_on_one_partition_the_slower_finds_its_work_done(scene: Scene) -> None:
    diary = Diary()
    zombie, heir = scene.follower(diary), scene.follower(Diary())
    scene.turn(zombie)
    scene.turn(heir)
    scene.happen(0, 1, 2)
    in_transaction, may_commit = threading.Event(), threading.Event()

    def linger(_batch: Sequence[Recorded], _cursor: Cursor[Any]) -> None:
        in_transaction.set()
        may_commit.wait(10)

    diary.before = linger
    first = threading.Thread(target=zombie.step, args=(0.0,))
    second = threading.Thread(target=heir.step, args=(0.0,))
    first.start()
    assert in_transaction.wait(10)
    second.start()
    time.sleep(0.2)
    assert second.is_alive(), "it waits at the checkpoint"
    may_commit.set()
    first.join(10)
    second.join(10)
    diary.before = lambda _batch, _cursor: None
    scene.happen(0, 1)
    scene.turn(heir)
    scene.turn(zombie)
    scene.ensure_exactly_once()


def test_partitions_move_between_followers(scene: Scene) -> None:
    left, right = scene.follower(Diary(), assigned=frozenset({0, 1})), scene.follower(Diary(), assigned=frozenset({2}))
    for follower in (left, right):
        scene.turn(follower)
    scene.happen(0, 1, 2)
    for follower in (left, right):
        scene.turn(follower)
    for follower, share in ((left, frozenset({0})), (right, frozenset({1, 2}))):
        assert isinstance(follower._feed, MemoryFeed)
        follower._feed.assigned = share
    scene.happen(1, 1, 0)
    for follower in (left, right):
        scene.turn(follower)
    scene.ensure_exactly_once()


def test_a_new_process_follows_the_journal_until_its_group_has_shared_the_partitions_out(scene: Scene) -> None:
    scene.happen(0, 1, 2)
    follower = scene.follower(Diary(), assigned=frozenset())
    scene.turn(follower)
    scene.ensure_exactly_once()
    scene.wait(JOINING_S)
    scene.turn(follower)
    scene.happen(0)
    scene.wait(1.0)
    scene.turn(follower)
    assert scene.entries() == [1, 2, 3], "one follower too many: the partitions are others'"


def test_a_partition_that_no_one_follows_is_adopted_until_partitions_are_shared_out_again(scene: Scene) -> None:
    follower = scene.follower(Diary(), assigned=frozenset({0}))
    scene.turn(follower)
    for _ in range(3):
        scene.happen(0, 1, 2)
        scene.wait(ORPHANED_AFTER_S)
        scene.turn(follower)
    scene.ensure_exactly_once()
    heir = scene.follower(Diary(), assigned=frozenset({1, 2}))
    for _ in range(3):
        scene.happen(0, 1, 2)
        scene.turn(heir)
        scene.turn(follower)
    scene.wait(1.0)
    scene.turn(follower)
    scene.ensure_exactly_once()


def test_many_processes_may_make_the_schema_at_once(scene: Scene) -> None:
    followers = [scene.follower(Diary()) for _ in range(8)]
    threads = [threading.Thread(target=scene.turn, args=(follower,)) for follower in followers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert all(follower.caught_up() for follower in followers)
