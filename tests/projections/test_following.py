"""Whatever the feed does, and whoever dies when: each fact is applied once, in the order of its partition."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier

from adapters.memory_feed import MemoryBroker, MemoryFeed, MemoryTopic
from application.feed import Delivery
from application.journal import Recorded
from application.relaying import Relay
from projections.applying import Outlet
from projections.checkpoint import PROGRESS_CHANNEL, Sink, lowest_checkpoint
from projections.following import JOINING_S, ORPHANED_AFTER_S, Follower
from tests.facts import ListedJournal

PARTITIONS = 3
EVERYTHING = frozenset(range(PARTITIONS))


class Diary:
    """A sink that only writes down what it was given: a fact applied twice is a second row, or an error."""

    NAME: ClassVar[str] = "diary"
    TABLES: ClassVar[str] = "CREATE TABLE entry (number bigserial, organization bigint, position bigint)"

    def __init__(self) -> None:
        self.before: Callable[[Sequence[Recorded], Cursor[Any]], None] = lambda _batch, _cursor: None
        self.announced: list[int] = []

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        cursor.executemany(
            "INSERT INTO entry (organization, position) VALUES (%s, %s)",
            [(fact.provenance.organization_id.int, fact.position) for fact in batch],
        )
        self.before(batch, cursor)

    def after_commit(self, batch: Sequence[Recorded]) -> None:
        self.announced += [fact.position for fact in batch]


class Scene:
    """A journal, a broker in memory, a relay, and followers on a real database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.journal = ListedJournal()
        self.broker = MemoryBroker(PARTITIONS)
        self.now = 1_000.0
        self.relay = Relay(self.journal, MemoryTopic(self.broker), PARTITIONS, lambda: 0, monotonic=lambda: self.now)
        self.connection = psycopg.connect(url, autocommit=True)

    def connect(self) -> Connection[Any]:
        return psycopg.connect(self.url, application_name="follower under test")

    def follower(self, *sinks: Sink, assigned: frozenset[int] = EVERYTHING) -> Follower:
        feed = MemoryFeed(self.broker, assigned)
        return Follower(
            sinks,
            feed,
            self.journal,
            connect=self.connect,
            partitions=PARTITIONS,
            monotonic=lambda: self.now,
        )

    def happen(self, *organizations: int) -> None:
        """Facts that the relay has published."""
        self.journal.append(*organizations)
        while self.relay.step():
            continue

    def turn(self, follower: Follower, times: int = 3) -> None:
        for _ in range(times):
            follower.step(0.0)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def entries(self, name: str = "diary") -> list[int]:
        """In the order in which they were applied."""
        query = SQL("SELECT position FROM {} ORDER BY number").format(Identifier(name, "entry"))
        return [position for (position,) in self.connection.execute(query).fetchall()]

    def ensure_exactly_once(self, name: str = "diary") -> None:
        entries = self.entries(name)
        assert sorted(entries) == [fact.position for fact in self.journal.facts]
        for partition in range(PARTITIONS):
            of_partition = set(self.journal.positions(partition, PARTITIONS))
            assert [p for p in entries if p in of_partition] == sorted(of_partition)

    def kill_followers(self) -> None:
        """As an administrator would; the rows of an open transaction are gone."""
        self.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'follower under test' AND datname = current_database()"
        )


@pytest.fixture
def scene(postgres_url: str) -> Iterator[Scene]:
    made = Scene(postgres_url)
    for name in ("diary", "twin", "deliveries", "timers"):  # the last two come with the migrations
        made.connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(name)))
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


def test_a_broker_that_is_gone_for_good_delays_but_loses_nothing(scene: Scene) -> None:
    follower = scene.follower(Diary())
    scene.turn(follower)
    scene.broker.reachable = False
    scene.journal.append(0, 1, 2, 0)
    scene.wait(1.0)
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
        outlet.refill((), complete=True)
        scene.journal.append(0)
        outlet.deliver([Delivery(0, 0, scene.journal.facts[-1])])
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
