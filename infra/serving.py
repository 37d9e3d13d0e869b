"""What ``daybook serve`` is made of: pools, ports, and what runs beside the requests."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import redis.asyncio
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from adapters import probes
from adapters.clock import SystemClock
from adapters.credentials import PostgresCredentials
from adapters.holiday_calendar import LibraryHolidayCalendar
from adapters.one_time_codes import PostgresOneTimeCodes
from adapters.passwords import ArgonPasswords
from adapters.postgres_journal import PostgresJournal
from adapters.progress import ProgressListener
from adapters.projection_lag import ProjectionLag
from adapters.recurrence_rules import RecurrenceRules
from adapters.redis_fanout import RedisHintSource
from adapters.redis_masks import RedisMaskCache
from adapters.second_factors import PostgresSecondFactors
from adapters.vault import PostgresVault, Seal, VaultKeyWrong
from adapters.visitors import PostgresManageLinks, PostgresUnproved
from adapters.walls import Walls
from adapters.webhook_secrets import PostgresWebhookSecrets
from api.app import create_app
from api.broadcaster import Broadcaster
from api.cross_origin import Origins
from api.health import Health, Part, projections_part
from api.metrics import Metrics
from api.ports import Partners, Ports
from api.position import Fence
from api.stream import Sockets
from api.stream_session import Node
from api.topics import TopicGate
from application.access_log import AccessLog
from application.clock import Clock
from application.lru import Memoized
from application.masks import Masks, kept_candidates
from application.sign_in import Door
from application.slots import Sources, told_before
from application.stream_cache import StreamCache
from application.writer import Writer
from domain.booking_page import booking_page_id
from domain.open_hours import GRID_DAY_BYTES, grid_of_day
from domain.ranking import CALENDAR_BYTES, ORDER_BYTES, calendar_of, in_order
from domain.resource_day import PAGE_ID_BYTES, page_id
from domain.wall_clock import TIME_BYTES, local_day, reached
from infra.composition import clock_of, epoch_of, kafka_tls_of
from infra.database_roles import url_for
from infra.entrance import Entrance, entrance_of
from infra.forgetter import forgetting
from infra.identity import oidc_of
from infra.limiting import limits_of
from infra.pools import pool_of
from infra.providers import callbacks_of
from infra.read_models import NAMES
from infra.settings import Settings, SettingsError, needed, variable
from projections.availability_queries import ARRAY_BYTES, AvailabilityQueries, array_of
from projections.change_feed import ChangeFeed, ChangesUnavailable
from projections.deliveries import Deliveries
from projections.delivery_reports import PostgresReports
from projections.webhooks import Webhooks

JOURNAL_CONNECTIONS_MAX = 8
READ_CONNECTIONS_MAX = 16
VAULT_CONNECTIONS_MAX = 8
PEOPLE_CONNECTIONS_MAX = 8
CONNECTIONS_MAX = JOURNAL_CONNECTIONS_MAX + READ_CONNECTIONS_MAX + VAULT_CONNECTIONS_MAX + PEOPLE_CONNECTIONS_MAX + 2
"""Of one API process. One of the last two looks for sessions that have ended, the other listens."""
CONNECTED_WITHIN_S = 10.0
STREAMS_SHARE, CANDIDATES_SHARE, SLOTS_SHARE, RULES_SHARE = 1 / 2, 1 / 4, 1 / 12, 1 / 12
"""Of what may be kept in memory; the entrance has its own."""

MEMOS = {
    "diary_page_ids": Memoized(page_id, PAGE_ID_BYTES),
    "booking_page_ids": Memoized(booking_page_id, PAGE_ID_BYTES),
    "wall_clock_times": Memoized(reached, TIME_BYTES),
    "local_days": Memoized(local_day, TIME_BYTES),
    "slot_grids": Memoized(grid_of_day, GRID_DAY_BYTES),
    "calendars": Memoized(calendar_of, CALENDAR_BYTES),
    "pool_orders": Memoized(in_order, ORDER_BYTES),
    "id_arrays": Memoized(array_of, ARRAY_BYTES),
}
"""What a process works out once, of sizes that are known: so many of each, some 45 MB if all are full."""

Pool = AsyncConnectionPool[Any]

OUTAGES = (psycopg.OperationalError, psycopg.errors.UndefinedTable, ChangesUnavailable)
"""What a query meets while a server is away, or while a read model is not built for the first time yet."""


@dataclass(frozen=True, slots=True)
class Served:
    """The app, and what has to run as long as it does."""

    app: FastAPI
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]]


@asynccontextmanager
async def composed(settings: Settings) -> AsyncIterator[Served]:
    """Everything open, and closed at the end.

    Raises ``SettingsError``, ``NotMigrated``, ``psycopg.OperationalError`` (a pool that cannot connect among them).
    """
    redis_url = needed(settings.redis_url, "redis_url")
    needed(settings.kafka_bootstrap, "kafka_bootstrap")
    digest_secret = needed(settings.digest_secret, "digest_secret").get_secret_value().encode()
    seal = Seal(needed(settings.vault_key, "vault_key").get_secret_value())
    clock, partitions, epoch = clock_of(settings), settings.kafka_partitions, epoch_of(settings, "serve")
    async with AsyncExitStack() as open_things:
        pools = await _pools(settings, open_things)
        probe = await open_things.enter_async_context(redis.asyncio.Redis.from_url(redis_url, socket_timeout=1))
        vault = PostgresVault(Walls(pools.vault), seal)
        await _ensure_vault_opens(vault)
        journal, reads = PostgresJournal(pools.journal), Walls(pools.reads)
        writer = _writer(settings, journal, clock)
        access_log = AccessLog(writer, new_id=uuid4)
        fence = Fence(partitions)
        entrance = await entrance_of(settings, redis_url, pools.people, pools.endings)
        door = _door(journal, access_log, entrance, pools, seal, digest_secret)
        open_things.callback(door.passwords.close)
        limits, threshold = limits_of(settings, open_things, redis_url, digest_secret)
        queries = AvailabilityQueries(reads, partitions, bytes_max=round(RULES_SHARE * settings.cache_mb * 2**20))
        ports = Ports(
            journal=journal,
            writer=writer,
            reads=reads,
            vault=vault,
            codes=PostgresOneTimeCodes(pools.people, seal, secret=digest_secret),
            manage_links=PostgresManageLinks(pools.people, seal),
            unproved=PostgresUnproved(pools.people),
            clock=clock,
            slots=await _slots(settings, queries, open_things, redis_url, epoch),
            holidays=LibraryHolidayCalendar(),
            recurrences=RecurrenceRules(),
            door=door,
            api_keys=entrance.api_keys,
            access_log=access_log,
            limits=limits,
            threshold=threshold,
            verified=entrance.verified,
            fence=fence,
            digest_secret=digest_secret,
            partners=_partners(settings, pools, seal),
            oidc=oidc_of(settings, pools.people, seal, open_things),
            outages=OUTAGES,
        )
        yield _served(settings, ports, queries, entrance, pools, fence, probe)


def _served(
    settings: Settings,
    ports: Ports,
    queries: AvailabilityQueries,
    entrance: Entrance,
    pools: "_Pools",
    fence: Fence,
    probe: redis.asyncio.Redis,
) -> Served:
    """The app, and its health, sockets and metrics."""
    sockets = _sockets(ports, entrance, settings)
    lag = ProjectionLag(pools.journal, NAMES, settings.kafka_partitions)
    health = _health(pools.journal, probe, settings, lag, ports.clock)
    metrics, origins = _metrics(ports, queries, fence, sockets), Origins(settings.allowed_origins)
    app = create_app(ports, health=health, metrics=metrics, sockets=sockets, origins=origins)
    progress = ProgressListener(url_for("serve", settings.database_url), (*NAMES, Deliveries.NAME, Webhooks.NAME))
    deciding = (ports.writer.run, ports.access_log.run, ports.limits.windows.run, lambda: forgetting(ports))
    return Served(app, (*deciding, app.state.admission.run, sockets.run, lambda: progress.run(fence), *entrance.beside))


@dataclass(frozen=True, slots=True)
class _Pools:
    """One for each purpose, so that none can starve another. ``reads`` and ``vault`` are behind walls."""

    journal: Pool
    reads: Pool
    people: Pool
    vault: Pool
    endings: Pool


def _door(
    journal: PostgresJournal, access_log: AccessLog, entrance: Entrance, pools: _Pools, seal: Seal, secret: bytes
) -> Door:
    return Door(
        journal=journal,
        access_log=access_log,
        second_factors=PostgresSecondFactors(pools.people, seal, secret=secret),
        passwords=ArgonPasswords(),
        credentials=PostgresCredentials(pools.people),
        sessions=entrance.sessions,
        access_tokens=entrance.tokens,
        secret=secret,
    )


async def _pools(settings: Settings, open_things: AsyncExitStack) -> _Pools:
    url = url_for("serve", settings.database_url)

    async def opened(purpose: str, size: int, *, autocommit: bool) -> Pool:
        pool = pool_of(url, process=f"serve {purpose}", max_size=size, autocommit=autocommit)
        await open_things.enter_async_context(pool)
        await pool.wait(CONNECTED_WITHIN_S)
        return pool

    return _Pools(
        journal=await opened("journal", JOURNAL_CONNECTIONS_MAX, autocommit=True),
        reads=await opened("reads", READ_CONNECTIONS_MAX, autocommit=True),
        people=await opened("people", PEOPLE_CONNECTIONS_MAX, autocommit=False),
        vault=await opened("vault", VAULT_CONNECTIONS_MAX, autocommit=True),
        endings=await opened("endings", 1, autocommit=True),
    )


def _writer(settings: Settings, journal: PostgresJournal, clock: Clock) -> Writer:
    streams = StreamCache(bytes_max=round(STREAMS_SHARE * settings.cache_mb * 2**20))
    return Writer(journal, clock, encode=msgspec.json.Encoder().encode, cache=streams)


async def _ensure_vault_opens(vault: PostgresVault) -> None:
    try:
        await vault.ensure_key_fits()
    except VaultKeyWrong:
        raise SettingsError(
            f"{variable('vault_key')} is not the key that this database's vault was made with"
        ) from None


def _partners(settings: Settings, pools: _Pools, seal: Seal) -> Partners:
    return Partners(
        callbacks=callbacks_of(settings),
        reports=PostgresReports(pools.people),
        webhook_secrets=PostgresWebhookSecrets(Walls(pools.vault), seal, SystemClock()),
        loopback_allowed=settings.webhook_loopback,
    )


async def _slots(
    settings: Settings, queries: AvailabilityQueries, open_things: AsyncExitStack, redis_url: str, epoch: UUID
) -> Sources:
    cache = RedisMaskCache(redis_url, str(epoch))
    open_things.push_async_callback(cache.close)
    cache_bytes = settings.cache_mb * 2**20
    kept, told = kept_candidates(round(CANDIDATES_SHARE * cache_bytes)), told_before(round(SLOTS_SHARE * cache_bytes))
    return Sources(offers=queries, masks=Masks(queries, cache, kept), clock=clock_of(settings), told=told)


def _sockets(ports: Ports, entrance: Entrance, settings: Settings) -> Sockets:
    feed = ChangeFeed(ports.reads, settings.kafka_partitions)
    broadcaster = Broadcaster(feed, RedisHintSource(needed(settings.redis_url, "redis_url")))
    gate, goes_on = TopicGate(ports.journal), entrance.ended.ensure_goes_on
    note = ports.access_log.note_refused
    node = Node(ports.verified.bearer, goes_on, gate, feed, broadcaster, note, ports.limits.sockets)
    return Sockets(node, frozenset(settings.allowed_origins), ports.limits)


def _metrics(ports: Ports, queries: AvailabilityQueries, fence: Fence, sockets: Sockets) -> Metrics:
    metrics = Metrics()
    metrics.watch_tally("writer", ports.writer.tally)
    metrics.watch_tally("sign_ins", ports.door.tally)
    metrics.watch_tally("fence", fence.tally)
    metrics.watch_tally("broadcast", sockets.node.broadcaster.tally)
    metrics.watch_tally("rate_limits", ports.limits.windows.tally)
    metrics.watch(sockets.reading)
    metrics.watch_caches(
        streams=ports.writer.cache,
        candidates=ports.slots.masks.kept,
        slots=ports.slots.told,
        tokens=ports.verified.kept,
        rules=queries.rules,
        offers=queries.offers,
        **MEMOS,
    )
    return metrics


def _health(journal: Pool, probe: redis.asyncio.Redis, settings: Settings, lag: ProjectionLag, clock: Clock) -> Health:
    kafka_bootstrap, tls = needed(settings.kafka_bootstrap, "kafka_bootstrap"), kafka_tls_of(settings)
    return Health(
        (
            Part("postgres", lambda: probes.ask_postgres(journal), effect="nothing can be decided", required=True),
            Part("redis", lambda: probes.ask_redis(probe), effect="slots are slower; sockets are late by seconds"),
            Part(
                "kafka",
                lambda: probes.ask_kafka(kafka_bootstrap, tls),
                effect="read models are late by a second or two",
            ),
            projections_part(lag.measure, clock.now),
        )
    )
