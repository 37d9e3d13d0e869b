"""Read models are made again beside the live ones, while facts arrive."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import psycopg
import pytest

from adapters.fact_codec import FactMapper
from adapters.journal_reader import PostgresJournalReader
from adapters.memory_feed import MemoryBroker, MemoryFeed
from application.feed import Delivery
from application.journal import Recorded
from projections import rebuilding
from projections.following import Follower
from projections.rebuilding import RebuildRunning, Rebuilt, SwapFailed, beside, live_and_replayed, rebuild
from projections.resource_calendars import ResourceCalendars
from tests.projections.history import DEEDS, PARTITIONS, Deed, journal_of
from tests.projections.redelivery import deliver, deliveries_of

NAME = ResourceCalendars.NAME
FACTS_AT_ONCE = 5


def busy_days(deeds: int) -> list[Recorded]:
    """The same each time."""
    chance = Random(4711)
    names = ("book", "book", "book", "check_in", *(name for name in DEEDS if name != "set_hours"))
    waits = (0, 1, 5, 24)
    _, journal = journal_of(
        Deed(chance.randrange(2), chance.choice(names), chance.randrange(4), chance.randrange(30), chance.choice(waits))
        for _ in range(deeds)
    )
    return journal


def write(connection: psycopg.Connection[Any], facts: Sequence[Recorded]) -> None:
    mapper = FactMapper()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO public.stored_events (notification_id, originator_id, originator_version, topic, state)"
            " VALUES (%s, %s, %s, %s, %s)",
            [(r.position, r.stream_id, r.version, r.fact.TOPIC, mapper.state(r.fact, r.provenance)) for r in facts],
        )


class WaitingFeed(MemoryFeed):
    """One that does not keep a processor busy."""

    def poll(self, timeout_s: float) -> Sequence[Delivery]:
        found = super().poll(timeout_s)
        if not found:
            time.sleep(0.002)
        return found


@contextmanager
def following(url: str, broker: MemoryBroker) -> Iterator[None]:
    with psycopg.connect(url, autocommit=True) as own:
        feed = WaitingFeed(broker, frozenset(range(PARTITIONS)))
        follower = Follower(
            [ResourceCalendars(PARTITIONS)],
            feed,
            PostgresJournalReader(own),
            connect=lambda: psycopg.connect(url),
            partitions=PARTITIONS,
        )
        thread = threading.Thread(target=follower.run)
        thread.start()
        try:
            yield
        finally:
            follower.stop()
            thread.join()


@contextmanager
def writing(url: str, broker: MemoryBroker, facts: Sequence[Recorded], previous: Sequence[Recorded]) -> Iterator[None]:
    """Facts go to the journal and to the broker, some at a time; at the end all have."""
    deliveries = deliveries_of([*previous, *facts])[len(previous) :]

    def run() -> None:
        with psycopg.connect(url) as connection:
            for first in range(0, len(facts), FACTS_AT_ONCE):
                write(connection, facts[first : first + FACTS_AT_ONCE])
                for delivery in deliveries[first : first + FACTS_AT_ONCE]:
                    broker.logs[delivery.partition].append(delivery)
                time.sleep(0.01)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()


@pytest.fixture(autouse=True)
def nothing_remains(postgres_url: str) -> Iterator[None]:
    """Each test begins with an empty journal and without the read model."""
    yield
    with psycopg.connect(postgres_url) as connection:
        connection.execute("ALTER TABLE stored_events DISABLE TRIGGER USER")  # it refuses just this, rightly
        connection.execute("TRUNCATE stored_events")
        connection.execute("ALTER TABLE stored_events ENABLE TRIGGER USER")
        connection.execute(f"DROP SCHEMA IF EXISTS {NAME} CASCADE")


@pytest.fixture
def journal(postgres_url: str) -> list[Recorded]:
    """A journal on PostgreSQL; the read model is not there yet."""
    facts = busy_days(150)
    with psycopg.connect(postgres_url) as connection:
        write(connection, facts)
    return facts


def rebuilt(url: str, **wish: Any) -> Rebuilt:
    with psycopg.connect(url, autocommit=True) as reading, psycopg.connect(url) as writing:
        reader = PostgresJournalReader(reading)
        return rebuild(ResourceCalendars(PARTITIONS), writing, reader, partitions=PARTITIONS, **wish)


def ensure_equal_to_a_replay(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as reading, psycopg.connect(url) as comparing:
        reader = PostgresJournalReader(reading)
        live, replayed = live_and_replayed(ResourceCalendars(PARTITIONS), comparing, reader, partitions=PARTITIONS)
        assert live == replayed


def value(url: str, query: str) -> Any:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row
        return row[0]


def test_a_follower_goes_on_through_a_rebuild_without_noticing(
    postgres_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="projections")
    monkeypatch.setattr(rebuilding, "PAGE_FACTS_MAX", 200)
    facts = busy_days(1500)
    early, late = facts[: len(facts) // 2], facts[len(facts) // 2 :]
    broker = MemoryBroker(PARTITIONS)
    with psycopg.connect(postgres_url) as connection:
        write(connection, early)

    with following(postgres_url, broker), writing(postgres_url, broker, late, early):
        while not _reached(postgres_url, early[-1].position):
            time.sleep(0.01)
        live_before = value(postgres_url, f"SELECT '{NAME}.entry'::regclass::oid")
        caplog.clear()
        done = [rebuilt(postgres_url) for _ in range(3)]
    with following(postgres_url, broker):
        while not _reached(postgres_url, facts[-1].position):
            time.sleep(0.01)

    assert value(postgres_url, f"SELECT '{NAME}.entry'::regclass::oid") != live_before
    assert early[-1].position < done[0].position < done[1].position < facts[-1].position
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
    ensure_equal_to_a_replay(postgres_url)


def _reached(url: str, position: int) -> bool:
    with suppress(psycopg.errors.UndefinedTable):
        return bool(value(url, f"SELECT min(position) >= {position} FROM {NAME}.checkpoint"))
    return False


def test_a_read_model_that_was_tampered_with_is_found_and_healed(postgres_url: str, journal: list[Recorded]) -> None:
    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, [])
    ensure_equal_to_a_replay(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"UPDATE {NAME}.entry SET quantity = quantity + 1 WHERE quantity IS NOT NULL")
    with pytest.raises(AssertionError):
        ensure_equal_to_a_replay(postgres_url)

    rebuilt(postgres_url)

    ensure_equal_to_a_replay(postgres_url)


def test_a_rebuild_tells_how_far_it_is(postgres_url: str, journal: list[Recorded]) -> None:
    seen: list[tuple[int, int]] = []

    done = rebuilt(postgres_url, on_progress=lambda position, head: seen.append((position, head)))

    last = journal[-1].position
    concerned = [recorded for recorded in journal if isinstance(recorded.fact, ResourceCalendars.FACTS)]
    assert 0 < len(concerned) < len(journal)
    assert (done.facts, done.position) == (len(concerned), last)
    assert seen[-1] == (last, last)


def test_it_makes_a_read_model_that_was_never_there(postgres_url: str, journal: list[Recorded]) -> None:
    rebuilt(postgres_url)

    # Also of a partition that was quiet at the end: a follower must not find less than it may have applied.
    assert value(postgres_url, f"SELECT min(position) FROM {NAME}.checkpoint") == journal[-1].position
    ensure_equal_to_a_replay(postgres_url)


def test_what_a_killed_rebuild_leaves_harms_neither_the_live_one_nor_the_next(
    postgres_url: str, journal: list[Recorded]
) -> None:
    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, [])

    def kill(*_: int) -> None:
        here = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        holders = f"FROM pg_locks WHERE locktype = 'advisory' AND database = {here}"
        value(postgres_url, f"SELECT pg_terminate_backend(pid) {holders}")

    with pytest.raises(psycopg.OperationalError):
        rebuilt(postgres_url, on_progress=kill)

    assert value(postgres_url, f"SELECT to_regnamespace('{beside(NAME)}') IS NOT NULL")
    ensure_equal_to_a_replay(postgres_url)
    rebuilt(postgres_url)
    assert value(postgres_url, f"SELECT to_regnamespace('{beside(NAME)}') IS NULL")


def test_two_rebuilds_of_one_read_model_do_not_meet(postgres_url: str, journal: list[Recorded]) -> None:
    def another(*_: int) -> None:
        with pytest.raises(RebuildRunning):
            rebuilt(postgres_url)

    rebuilt(postgres_url, on_progress=another)


def test_who_reads_the_live_tables_for_too_long_makes_the_rebuild_give_up_not_the_readers(
    postgres_url: str, journal: list[Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "SWAP_ATTEMPTS_MAX", 2)
    monkeypatch.setattr(rebuilding, "SWAP_LOCK_TIMEOUT_MS", 20)
    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, [])
    with psycopg.connect(postgres_url) as reader:
        reader.execute(f"SELECT count(*) FROM {NAME}.entry")

        with pytest.raises(SwapFailed):
            rebuilt(postgres_url)

        reader.execute(f"SELECT count(*) FROM {NAME}.entry")
    ensure_equal_to_a_replay(postgres_url)
