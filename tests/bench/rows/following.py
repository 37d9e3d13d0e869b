"""How fast facts become read models: by a projector with a full topic before it, and by a rebuild from the journal."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from statistics import median
from typing import LiteralString
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from adapters.fact_codec import FactMapper
from adapters.fact_messages import FactMessages
from adapters.journal_reader import PostgresJournalReader
from adapters.kafka_log import KafkaTopic
from application.feed import partition_of
from infra.read_models import NAMES
from infra.settings import Settings
from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.bench.house import Bookings, open_house
from tests.bench.load import put_load
from tests.bench.rows.booking import PER_SECOND_MAX
from tests.bench.seeding import FACTS_PER_BOOKING, Booking, past_bookings, seed
from tests.running import RunningStack

KEYS = ("follow", "rebuild")
HELD_BACK_BOOKINGS = 6_000
"""As many facts as the relay publishes while the projector stands still, before its group gives it up."""
STILL_S_MAX = 4.5
REBUILT_BOOKINGS = 333_400
CALENDARS = ("resource_calendars", "customer_calendars")
_ALL_FACTS: Sequence[LiteralString] = ("audit_trail.fact", "public.stored_events")


def measure(bench: Bench) -> Iterator[Figure]:
    yield _follow(bench)
    yield _rebuild(bench)


def _follow(bench: Bench) -> Figure:
    """The peak of an API process that has the machine to itself, then that of a projector that has."""
    written = list(_written(bench))
    with bench.database() as database, bench.daybook(database, others=("relay", "project")) as daybook:
        house = open_house(daybook.urls[0])
        history = past_bookings(house, HELD_BACK_BOOKINGS * (bench.rounds + 1))
        parts = [list(islice(history, HELD_BACK_BOOKINGS)) for _ in range(bench.rounds + 1)]
        applied = []
        for part in parts:
            applied.append(_applied(database, daybook, part, UUID(house.organization_id)))
            bench.say(f"one projector applies {applied[-1]:,.0f} facts/s")
        followed, happened = (_number(database, SQL(f"SELECT count(*) FROM {table}")) for table in _ALL_FACTS)
        assert followed == happened, f"{followed} of {happened} facts were applied"
    del applied[0]  # it has warmed up
    ratios = [one / other for one, other in zip(applied, written, strict=True)]
    return Figure("follow", ratios, {"applied facts/s": median(applied), "written facts/s": median(written)})


def _written(bench: Bench) -> Iterator[float]:
    """Facts a second, in each round."""
    with bench.database() as database, bench.daybook(database) as daybook:
        bookings = Bookings(open_house(daybook.urls[0]))
        for _ in range(bench.rounds):
            requests = bookings.take(round(bench.seconds * PER_SECOND_MAX))
            outcome = put_load(daybook.urls[0], requests, seconds=bench.seconds)
            yield outcome.per_second * FACTS_PER_BOOKING
            bench.say(f"one API process writes {outcome.per_second * FACTS_PER_BOOKING:,.0f} facts/s")


def _applied(database: str, daybook: RunningStack, bookings: Sequence[Booking], organization_id: UUID) -> float:
    """Facts a second, through all read models. The projector stands still while the relay fills the topic."""
    settings = _settings(daybook.environment)
    partition = partition_of(organization_id, settings.kafka_partitions)
    with _held(daybook.process_id("project")):
        facts = seed(database, bookings)
        head = _number(database, SQL("SELECT max(notification_id) FROM stored_events"))
        with closing(_topic(settings)) as topic:
            _await(lambda: topic.tail()[partition] >= head, within_s=STILL_S_MAX)
    began = time.perf_counter()
    _await(lambda: _reached(database, partition) >= head, within_s=60)
    return facts / (time.perf_counter() - began)


def _rebuild(bench: Bench) -> Figure:
    rates: defaultdict[str, list[float]] = defaultdict(list)
    with bench.database() as database, bench.daybook(database) as daybook:
        seed(database, past_bookings(open_house(daybook.urls[0]), REBUILT_BOOKINGS), say=bench.say)
        daybook.stop()
        facts = _number(database, SQL("SELECT count(*) FROM stored_events"))
        for _ in range(max(1, bench.rounds // 2)):  # each takes long enough to say something
            for name in CALENDARS:
                command = [sys.executable, "-m", "infra.cli", "rebuild", name, "--json"]
                environment = {**os.environ, **daybook.environment}
                said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
                done = json.loads(said)
                assert done["facts"] >= REBUILT_BOOKINGS, done
                rates[name].append(facts / done["seconds"])
                bench.say(f"{name} is rebuilt from {facts:,} facts in {done['seconds']:.1f} s")
    slowest = [min(both) for both in zip(*rates.values(), strict=True)]
    details = {f"{name} facts/s": median(its) for name, its in rates.items()}
    return Figure("rebuild", slowest, {**details, "facts": facts})


@contextmanager
def _held(process_id: int) -> Iterator[None]:
    """The process stands still, for a shorter time than its consumer group would notice."""
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


def _settings(environment: Mapping[str, str]) -> Settings:
    return Settings(
        database_url=environment["DAYBOOK_DATABASE_URL"],
        kafka_bootstrap=environment["DAYBOOK_KAFKA_BOOTSTRAP"],
        kafka_topic=environment["DAYBOOK_KAFKA_TOPIC"],
    )


def _topic(settings: Settings) -> KafkaTopic:
    """The relay's end of the topic, to see how much of it is there."""
    assert settings.kafka_bootstrap
    with psycopg.connect(settings.database_url) as connection:
        messages = FactMessages(FactMapper(), PostgresJournalReader(connection).epoch())
    return KafkaTopic(settings.kafka_bootstrap, settings.kafka_topic, settings.kafka_partitions, messages)


def _await(condition: Callable[[], bool], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"it takes more than {within_s} s"
        time.sleep(0.005)


def _reached(database_url: str, partition: int) -> int:
    """The position that every read model has reached there."""
    position = SQL(" UNION ALL ").join(
        SQL("SELECT position FROM {} WHERE partition = {}").format(Identifier(name, "checkpoint"), partition)
        for name in NAMES
    )
    return _number(database_url, SQL("SELECT min(position) FROM ({})").format(position))


def _number(database_url: str, query: SQL | Composed) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(query).fetchone()
    assert row
    return int(row[0])
