"""A journal, a broker in memory, a relay, and followers on a real database, with a sink that only writes down."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import psycopg
from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier

from adapters.memory_feed import MemoryBroker, MemoryFeed, MemoryTopic
from application.journal import Recorded
from application.relaying import Relay
from domain.fact import Fact
from projections.checkpoint import Sink
from projections.following import Follower
from tests.facts import ListedJournal

PARTITIONS = 3
EVERYTHING = frozenset(range(PARTITIONS))


class Diary:
    """A sink that only writes down what it was given: a fact applied twice is a second row, or an error."""

    NAME: ClassVar[str] = "diary"
    FACTS: ClassVar = Fact
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
        # All but the first two come with the migrations.
        for name in ("diary", "twin", "deliveries", "timers", "offer_rounds", "webhooks"):
            self.connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(name)))

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
