"""What one booking costs: CPU by process, round trips, fsyncs, bytes. First its writing, then all that follows."""

import time
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any, LiteralString

import psutil
import psycopg
from psycopg import Connection

from tests.bench.bench import FOLLOWERS, Bench, await_followers
from tests.bench.figures import Figure
from tests.bench.house import Bookings, open_house
from tests.bench.load import put_load
from tests.running import RunningStack

KEYS = ("booking_cpu_us",)
SERVERS = ("postgres", "valkey", "broker")
PER_SECOND_MAX = 6_000

# A statement of Daybook's API is a transaction of its own, so these are its round trips.
_COUNTS: Mapping[str, LiteralString] = {
    "round trips": "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()",
    "fsyncs": "SELECT coalesce(sum(fsyncs), 0) FROM pg_stat_io WHERE object = 'wal'",
    "bytes of WAL": "SELECT wal_bytes FROM pg_stat_wal",
    "bytes of the journal": "SELECT pg_total_relation_size('stored_events') + pg_total_relation_size('receipts')",
    "bytes of read models": """
        SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0)
          FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
         WHERE relkind = 'r' AND nspname NOT IN ('public', 'pg_catalog', 'information_schema')
    """,
}
_WRITING = ("serve:0", "postgres")
_OF_WRITING = ("round trips", "fsyncs", "bytes of WAL", "bytes of the journal")


def measure(bench: Bench) -> Iterator[Figure]:
    """The value is the CPU of all processes, the followers' until they have caught up with what was booked."""
    with bench.database() as database, bench.daybook(database) as daybook:
        bookings = Bookings(open_house(daybook.urls[0]))
        put_load(daybook.urls[0], bookings.take(PER_SECOND_MAX), seconds=1)  # warm
        with psycopg.connect(database, autocommit=True) as connection:
            alone = [_round(bench, daybook, connection, bookings) for _ in range(bench.rounds)]
            for verb in FOLLOWERS:
                daybook.start(verb)
            await_followers(connection)
            whole = [_round(bench, daybook, connection, bookings) for _ in range(bench.rounds)]
    details: dict[str, float | str] = {
        f"to write: {name.partition(':')[0]}{' µs' if name in _WRITING else ''}": median(r[name] for r in alone)
        for name in (*_WRITING, *_OF_WRITING)
    }
    spent = ("serve:0", *SERVERS, *FOLLOWERS)
    details |= {f"all of it: {name.partition(':')[0]} µs": median(r[name] for r in whole) for name in spent}
    details |= {f"all of it: {name}": median(r[name] for r in whole) for name in ("fsyncs", "bytes of read models")}
    yield Figure("booking_cpu_us", [sum(r[name] for name in spent) for r in whole], details)


def _round(bench: Bench, daybook: RunningStack, connection: Connection[Any], bookings: Bookings) -> dict[str, float]:
    """Per booking: CPU in µs by process, and what PostgreSQL counts."""
    before = _meters(bench, daybook, connection)
    outcome = put_load(daybook.urls[0], bookings.take(round(bench.seconds * PER_SECOND_MAX)), seconds=bench.seconds)
    if daybook.runs(FOLLOWERS[0]):
        await_followers(connection)
    after = _meters(bench, daybook, connection)
    bench.say(f"{outcome.per_second:,.0f} bookings/s")
    return {name: (after[name] - before[name]) / outcome.answers for name in after}


def _meters(bench: Bench, daybook: RunningStack, connection: Connection[Any]) -> dict[str, float]:
    """What has been used up so far."""
    time.sleep(1.5)  # PostgreSQL's processes tell what they have counted once a second
    pids = {name: bench.servers.process_id(name) for name in SERVERS}
    pids |= {name: daybook.process_id(name) for name in ("serve:0", *FOLLOWERS) if daybook.runs(name)}
    counted = {name: float(connection.execute(question).fetchall()[0][0]) for name, question in _COUNTS.items()}
    return {name: _cpu_s(pid) * 1e6 for name, pid in pids.items()} | counted


def _cpu_s(pid: int) -> float:
    """Of a process and its children, those that have ended too."""
    used = psutil.Process(pid).cpu_times()
    living = sum(sum(child.cpu_times()[:2]) for child in psutil.Process(pid).children(recursive=True))
    return used.user + used.system + used.children_user + used.children_system + living
