"""``daybook timekeeper``: does what the clock causes. Start several: each timer fires in one of them."""

import asyncio
import contextlib
import signal
import threading
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec
import psycopg
import structlog
from prometheus_client import Counter, Gauge
from psycopg_pool import PoolTimeout

from adapters.postgres_journal import PostgresJournal
from application.firing import TIMERS_TAKEN_MAX, fire
from application.retrying import retry_delay_s
from application.timekeeping import Timer
from application.writer import Writer
from infra.composition import NotMigrated, clock_of
from infra.database_roles import url_for
from infra.followers import follower
from infra.pools import pool_of
from infra.process import begun, cannot, end_in_time
from infra.settings import Settings
from infra.waitlist_keeper import keep_waitlists
from projections.following import Follower
from projections.offer_rounds import OfferRounds
from projections.timers import DueTimers, Timers

LOOK_EVERY_S = 0.5
"""Far below the five seconds by which a timer may be late."""
REPLAY_LOOK_EVERY_S = 0.1
"""A replay's clock jumps."""
GATHER_S = 0.2
"""Timers may be set so much later: they are minutes away, and a transaction of many costs little more than of one."""
AWAY_LOOK_EVERY_S = 2.0
"""The longest pause while the database is away: what became due meanwhile happens soon after it is back."""

FIRED = Counter("daybook_timers_fired_total", "Timers that fired, by what came of it", ["outcome"])
LATE = Gauge("daybook_timers_late_seconds", "How late the most overdue timer is, 0: none is")

_log = structlog.get_logger("timekeeper")


def run() -> int:
    """Until SIGTERM or SIGINT. Raises ``SettingsError``."""
    settings = begun("timekeeper")
    try:
        following = follower(settings, [Timers(), OfferRounds()], process="timekeeper", gather_s=GATHER_S)
    except (NotMigrated, psycopg.OperationalError) as failed:
        return cannot("timekeeper", failed)
    asyncio.run(_keep_time(settings, following))
    return 0


async def _keep_time(settings: Settings, following: Follower) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked_to_stop() -> None:
        end_in_time()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop)
    thread = threading.Thread(target=following.run, name="follower")
    thread.start()
    url = url_for("timekeeper", settings.database_url)
    async with (
        pool_of(url, process="timekeeper", max_size=4) as journal_pool,
        pool_of(url, process="timekeeper", max_size=6) as timers_pool,
    ):
        clock = clock_of(settings)
        writer = Writer(PostgresJournal(journal_pool), clock, encode=msgspec.json.encode)
        writing = asyncio.create_task(writer.run())
        try:
            now = clock.now if settings.replay_clock else None
            async with asyncio.TaskGroup() as group:
                group.create_task(_fire_until(stopping, DueTimers(timers_pool), writer, now))
                group.create_task(keep_waitlists(stopping, settings, writer, timers_pool))
        finally:
            following.stop()
            await asyncio.to_thread(thread.join)
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing


async def _fire_until(stopping: asyncio.Event, due: DueTimers, writer: Writer, now: Any) -> None:
    """``now`` is a replay clock's; None: the database's clock decides."""
    failures = 0
    while not stopping.is_set():
        try:
            moment: datetime | None = now() if now else None
            fired = await fire(due, writer.submit, now=moment, report=_report)
            wait_s = 0.0 if fired.total == TIMERS_TAKEN_MAX else await _until_next(due, replayed=bool(now))
            failures = 0
        except (psycopg.Error, PoolTimeout) as lost:
            failures += 1
            wait_s = retry_delay_s(failures, AWAY_LOOK_EVERY_S)
            _log.warning("timers.unavailable", error=type(lost).__name__, retry_after_s=round(wait_s, 1))
        else:
            for outcome, count in asdict(fired).items():
                FIRED.labels(outcome).inc(count)
            if fired.total:
                _log.info("timers.fired", **asdict(fired))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), wait_s)


def _report(timer: Timer, error: Exception) -> None:
    _log.error("timer.failed", timer=str(timer.id), kind=str(timer.kind), error=repr(error), exc_info=error)


async def _until_next(due: DueTimers, *, replayed: bool) -> float:
    if replayed:
        return REPLAY_LOOK_EVERY_S
    next_s = await due.next_due_in_s()
    LATE.set(max(0.0, -next_s) if next_s is not None else 0.0)
    return LOOK_EVERY_S if next_s is None else min(max(next_s, 0.01), LOOK_EVERY_S)
