"""Whether those who work behind the API are there and keep up, and whether there is room to go on."""

import asyncio
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from adapters.projection_lag import Lag, ProjectionLag
from infra.composition import connecting
from infra.database_roles import url_for
from infra.doctor.finding import Finding, looked, unsafe
from infra.processes.relay import LEADER_LOCK
from infra.read_models import NAMES
from infra.settings import Settings

LATE_MAX = timedelta(seconds=60)
FREE_BYTES_MIN = 2**30
FREE_SHARE_MIN = 0.05


def of_processes(settings: Settings) -> Iterator[Finding]:
    try:
        connection = connecting(settings, "verify")()
    except psycopg.OperationalError:
        return  # which has been told of the database
    with connection:
        checks = (partial(relay, connection), partial(read_models, settings), partial(disk, Path.cwd()))
        yield from looked("processes", checks, (psycopg.Error, PoolTimeout, OSError))


def relay(connection: Connection[Any]) -> Iterator[Finding]:
    leaders = connection.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %s AND objid = %s"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        LEADER_LOCK,
    ).fetchone()
    if leaders == (0,):
        yield unsafe("processes.relay", "no relay leads: read models fall back to the journal", "start `daybook relay`")


def read_models(settings: Settings) -> Iterator[Finding]:
    """Raises psycopg's errors."""
    lags = asyncio.run(_lags(settings))
    for name in NAMES:
        if name not in lags:
            yield unsafe("processes.read_models", f"{name} was never built", "start `daybook project`")
        else:
            yield from late(name, lags[name], datetime.now(UTC))


def late(name: str, lag: Lag, now: datetime) -> Iterator[Finding]:
    if lag.oldest_at is not None and now - lag.oldest_at > LATE_MAX:
        yield unsafe(
            "processes.read_models",
            f"{name} lacks {lag.facts} facts, for {(now - lag.oldest_at).total_seconds():.0f} s",
            "see that `daybook project` runs, and what it says",
        )


async def _lags(settings: Settings) -> dict[str, Lag]:
    url = url_for("verify", settings.database_url)
    async with AsyncConnectionPool(url, min_size=1, max_size=1, kwargs={"autocommit": True}, timeout=5.0) as pool:
        return await ProjectionLag(pool, NAMES, settings.kafka_partitions).measure()


def disk(where: Path, free_min: int = FREE_BYTES_MIN) -> Iterator[Finding]:
    """Raises ``OSError``."""
    usage = shutil.disk_usage(where)
    if usage.free < max(free_min, FREE_SHARE_MIN * usage.total):
        yield unsafe(
            "processes.disk", f"{usage.free / 2**30:.1f} GiB are free at {where}", "make room, or a larger disk"
        )
