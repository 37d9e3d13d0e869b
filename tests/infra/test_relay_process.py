"""The relay as a process: journal on PostgreSQL, topic on a broker, a follower at the other end."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar
from uuid import uuid4

import psycopg
import pytest
from psycopg import Cursor

from adapters.fact_codec import FactMapper
from adapters.fact_messages import FactMessages
from adapters.journal_reader import PostgresJournalReader
from adapters.kafka_feed import KafkaFeed
from adapters.reopening_reader import ReopeningJournalReader
from application.journal import Recorded
from domain.fact import Fact
from infra.embedded import EmbeddedStack
from infra.processes.relay import LEADER_LOCK, RelayProcess
from infra.settings import Settings
from projections.following import Follower
from tests.facts import fact_at

PARTITIONS = 3
WITHIN_S = 40.0
BROKERS_MAX = 4


class Tally:
    """A sink that keeps each position."""

    NAME: ClassVar[str] = "tally"
    FACTS: ClassVar = Fact
    TABLES: ClassVar[str] = "CREATE TABLE entry (position bigint PRIMARY KEY)"

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        cursor.executemany("INSERT INTO entry VALUES (%s)", [(fact.position,) for fact in batch])


class Line:
    """The whole line, from the journal to the sink."""

    def __init__(self, url: str, bootstrap: str, threads: ExitStack) -> None:
        self.url, self.bootstrap, self._threads = url, bootstrap, threads
        self.settings = Settings(
            environment="test",
            database_url=url,
            kafka_bootstrap=bootstrap,
            kafka_topic=f"facts-{uuid4().hex}",
            kafka_partitions=PARTITIONS,
        )
        self.journal = psycopg.connect(url, autocommit=True)
        self.mapper = FactMapper()

    def append(self, count: int) -> None:
        head = self.head()
        facts = [fact_at(head + n, organization=n) for n in range(1, count + 1)]
        with self.journal.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, %s)",
                [(f.stream_id, f.version, f.fact.TOPIC, self.mapper.state(f.fact, f.provenance)) for f in facts],
            )
            cursor.execute("SELECT pg_notify('daybook_journal', '')")

    def head(self) -> int:
        return PostgresJournalReader(self.journal).head()

    def relay(self) -> RelayProcess:
        process = RelayProcess(self.settings)
        self._threads.enter_context(in_thread(process.run, process.stop))
        return process

    def feed(self, group: str = "observer") -> KafkaFeed:
        epoch = PostgresJournalReader(self.journal).epoch()
        messages = FactMessages(self.mapper, epoch)
        return KafkaFeed(self.bootstrap, self.settings.kafka_topic, group, messages)

    def follower(self) -> Follower:
        reader = ReopeningJournalReader(lambda: psycopg.connect(self.url), self.mapper)
        follower = Follower(
            [Tally()], self.feed("tally"), reader, connect=lambda: psycopg.connect(self.url), partitions=PARTITIONS
        )
        self._threads.enter_context(in_thread(follower.run, follower.stop))
        return follower

    def applied(self) -> int:
        (exists,) = self.journal.execute("SELECT to_regclass('tally.entry') IS NOT NULL").fetchone() or (False,)
        if not exists:
            return 0
        row = self.journal.execute("SELECT count(*) FROM tally.entry").fetchone()
        return int(row[0]) if row else 0

    def leaders(self) -> list[int]:
        """The backends that hold the leader's lock."""
        query = (
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND (classid::bigint, objid::bigint) = (%s, %s)"
            " AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return [pid for (pid,) in self.journal.execute(query, LEADER_LOCK).fetchall()]


@contextmanager
def in_thread(run: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(WITHIN_S)
        assert not thread.is_alive()


def eventually(holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def drained(feed: KafkaFeed, *, after: int = 0, upto: int) -> set[int]:
    """The positions that come over Kafka alone, until all of these have: each partition comes in its own time."""
    positions: set[int] = set()
    deadline = time.monotonic() + WITHIN_S
    while not positions >= set(range(after + 1, upto + 1)):
        assert time.monotonic() < deadline, f"{len(positions)} arrived"
        positions |= {delivery.recorded.position for delivery in feed.poll(0.2)}
    return positions


def arrives(line: Line, feed: KafkaFeed, within_s: float = 5.0) -> bool:
    """Whether what happens now comes over Kafka."""
    before = line.head()
    line.append(10)
    positions: set[int] = set()
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline and not positions >= set(range(before + 1, before + 11)):
        positions |= {delivery.recorded.position for delivery in feed.poll(0.2)}
    return positions >= set(range(before + 1, before + 11))


def _come_over_a_broker_that_was_wiped(line: Line, servers: EmbeddedStack) -> bool:
    servers.wipe_broker()  # when
    line.append(100)
    eventually(lambda: line.applied() == line.head())  # then: first from the journal, and later
    feed = line.feed(f"observer-{uuid4().hex}")
    try:
        eventually(lambda: feed_is_ready(feed))
        return any(arrives(line, feed) for _ in range(4))
    finally:
        feed.close()


@pytest.fixture
def line(servers: EmbeddedStack, migrated_template: str, broker: str) -> Iterator[Line]:
    name = f"test_{uuid4().hex}"  # a journal is never altered: each test has one of its own
    servers.ensure_database(name, template=migrated_template)
    with ExitStack() as threads:
        made = Line(servers.database_url(name), broker, threads)
        yield made
    made.journal.close()
    servers.drop_database(name)


@pytest.mark.kafka
def test_facts_travel_from_the_journal_to_a_read_model(line: Line) -> None:
    line.append(1_200)
    line.relay()
    line.follower()
    eventually(lambda: line.applied() == 1_200)
    line.append(300)
    eventually(lambda: line.applied() == 1_500)


@pytest.mark.kafka
def test_when_the_leader_loses_its_connection_another_relay_goes_on(line: Line) -> None:
    line.relay()
    line.relay()
    eventually(lambda: len(line.leaders()) == 1)
    feed = line.feed()
    eventually(lambda: feed_is_ready(feed))
    line.append(100)
    before = drained(feed, upto=100)
    (leader,) = line.leaders()
    line.journal.execute("SELECT pg_terminate_backend(%s)", (leader,))  # when
    line.append(100)
    after = drained(feed, after=100, upto=200)
    feed.close()
    eventually(lambda: len(line.leaders()) == 1)
    assert line.leaders() != [leader]  # then
    assert before | after == set(range(1, 201))


def test_after_the_broker_has_forgotten_everything_facts_arrive_over_it_again(
    line: Line, servers: EmbeddedStack
) -> None:
    line.relay()
    line.follower()
    line.append(500)
    eventually(lambda: line.applied() == 500)
    # As it looks, the embedded broker (Tansu 0.6) may answer what is published first with an unknown error, and not
    # show the end of that partition again (not in 40 s). Facts are followed in the journal until it is started anew.
    assert any(_come_over_a_broker_that_was_wiped(line, servers) for _ in range(BROKERS_MAX))
    eventually(lambda: line.applied() == line.head())


def test_relay_and_follower_go_on_after_postgresql_was_stopped_without_warning(
    line: Line, servers: EmbeddedStack
) -> None:
    line.relay()
    line.follower()
    line.append(100)
    eventually(lambda: line.applied() == 100)
    servers.restart("postgres", signal.SIGQUIT)  # when: an immediate stop, and a recovery
    line.journal = psycopg.connect(line.url, autocommit=True)
    line.append(100)
    eventually(lambda: line.applied() == 200)  # then


def feed_is_ready(feed: KafkaFeed) -> bool:
    from application.feed import TopicUnavailable

    try:
        feed.poll(0.1)
    except TopicUnavailable:
        return False
    return len(feed.partitions()) == PARTITIONS
