"""What each process is made of, in one place: the only module that knows adapters and ports together."""

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.pq import PGconn, Ping

from adapters.clock import ReplayClock, SystemClock
from adapters.fact_codec import FactMapper
from adapters.fact_messages import FactMessages
from adapters.journal_reader import PostgresJournalReader
from adapters.kafka_log import KafkaFeed
from adapters.redis_fanout import RedisHints
from adapters.redis_masks import RedisMaskSink
from adapters.reopening_reader import ReopeningJournalReader
from application.clock import Clock
from infra.read_models import read_models
from infra.settings import Settings, needed
from projections.checkpoint import Sink
from projections.following import Follower

PATIENCE_S: dict[int, float] = {Ping.REJECT: 60.0, Ping.NO_RESPONSE: 5.0}
"""A process that begins while PostgreSQL is away for a moment need not end for it."""


class NotMigrated(Exception):  # noqa: N818
    """The database has no journal yet."""

    def __init__(self) -> None:
        super().__init__("the database has no journal: run `daybook migrate` first")


def connecting(settings: Settings, process: str) -> Callable[[], Connection[Any]]:
    """How to open a connection of this process's own."""
    return lambda: psycopg.connect(settings.database_url, application_name=f"daybook {process}", connect_timeout=5)


def epoch_of(settings: Settings, process: str) -> UUID:
    """The journal's epoch. Raises ``NotMigrated``, ``psycopg.OperationalError``."""
    await_database(settings.database_url)
    with connecting(settings, process)() as connection:
        try:
            return PostgresJournalReader(connection).epoch()
        except psycopg.errors.UndefinedTable:
            raise NotMigrated from None


def await_database(url: str) -> None:
    """Wait while PostgreSQL starts up, as after a crash, and a moment for one that is not there at all.

    Returns in any case: whoever connects next is told what is wrong.
    """
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S.get(PGconn.ping(url.encode()), 0.0):
        time.sleep(0.2)


def clock_of(settings: Settings) -> Clock:
    """The real clock; outside production, the replay's where one is set."""
    if settings.replay_clock is None:
        return SystemClock()
    return ReplayClock(settings.replay_clock, environment=settings.environment)


def follower(settings: Settings, sinks: Sequence[Sink], *, process: str) -> Follower:
    """A follower of the facts for ``sinks``, in a consumer group of those who follow for the same ones."""
    connect = connecting(settings, process)
    mapper = FactMapper()
    group = ".".join(("daybook", settings.kafka_topic, *sorted(sink.NAME for sink in sinks)))
    feed = KafkaFeed(
        needed(settings.kafka_bootstrap, "kafka_bootstrap"),
        settings.kafka_topic,
        group,
        FactMessages(mapper, epoch_of(settings, process)),
    )
    reader = ReopeningJournalReader(connect, mapper)
    return Follower(sinks, feed, reader, connect=connect, partitions=settings.kafka_partitions)


def projector(settings: Settings, names: Sequence[str]) -> Follower:
    """The follower that keeps read models; all of them without ``names``."""
    redis_url = needed(settings.redis_url, "redis_url")
    needed(settings.kafka_bootstrap, "kafka_bootstrap")
    read_models(names, settings.kafka_partitions)  # a wrong name is told of before any server is asked
    namespace = str(epoch_of(settings, "project"))
    sinks = read_models(names, settings.kafka_partitions, RedisHints(redis_url), RedisMaskSink(redis_url, namespace))
    return follower(settings, sinks, process="project")
