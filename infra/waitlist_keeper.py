"""The waitlist's keeper, beside the timers of ``daybook timekeeper``."""

import asyncio
import contextlib
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import structlog
from prometheus_client import Counter
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from adapters.walls import Walls
from application.journal import JournalUnavailable
from application.keeping import Behind, Keeper
from application.masks import Masks
from application.retrying import retry_delay_s
from application.slots import Sources
from application.writer import Busy, InFlight, Writer
from domain.waitlist import WaitlistEntry
from infra.composition import clock_of
from infra.settings import Settings
from projections.availability_queries import AvailabilityQueries
from projections.offer_rounds import DueRounds, TakenRound
from projections.waitlist_queue import queue_of

LOOK_EVERY_S = 0.5

ROUNDS = Counter("daybook_offer_rounds_total", "Looks for what those who wait could have, by outcome", ["outcome"])

_log = structlog.get_logger("waitlist_keeper")

Pool = AsyncConnectionPool[AsyncConnection[Any]]


def keeper(settings: Settings, writer: Writer, pool: Pool) -> Keeper:
    """Slots are read without a cache: the keeper looks seldom, and at other windows each time."""
    queries = AvailabilityQueries(Walls(pool), settings.kafka_partitions)
    sources = Sources(offers=queries, masks=Masks(queries), clock=clock_of(settings))
    return Keeper(partial(queue_in, pool, settings.kafka_partitions), sources, writer.submit)


async def queue_in(pool: Pool, partitions: int, organization_id: UUID) -> tuple[list[WaitlistEntry], int]:
    return await queue_of(pool, organization_id, partitions)


async def keep_waitlists(stopping: asyncio.Event, settings: Settings, writer: Writer, pool: Pool) -> None:
    """One round after another until ``stopping``. ``pool``: of connections that commit by themselves."""
    due, keeps = DueRounds(pool), keeper(settings, writer, pool)
    now = clock_of(settings).now if settings.replay_clock else None
    failures = 0
    while not stopping.is_set():
        try:
            async with due.take(now() if now else None) as taken:
                if taken is not None:
                    ROUNDS.labels(await make_round(keeps, taken)).inc()
            wait_s = 0.0 if taken else LOOK_EVERY_S
            failures = 0
        except (psycopg.Error, PoolTimeout) as lost:
            failures += 1
            wait_s = retry_delay_s(failures)
            _log.warning("offer_rounds.unavailable", error=type(lost).__name__, retry_after_s=round(wait_s, 1))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), wait_s)


async def make_round(keeps: Keeper, taken: TakenRound) -> str:
    """What came of it."""
    try:
        await taken.done(await keeps.look(taken.organization_id, taken.position))
    except (Behind, Busy, InFlight, JournalUnavailable):
        await taken.put_off()
        return "put_off"
    except (psycopg.Error, PoolTimeout):
        raise
    except Exception:  # noqa: BLE001  logged; an organization that cannot be kept must not hold up the others
        _log.exception("offer_round.failed", organization=str(taken.organization_id))
        await taken.put_off()
        return "failed"
    return "done"
