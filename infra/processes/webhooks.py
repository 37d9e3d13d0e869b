"""``daybook webhooks``: delivers facts to endpoints outside. Start several: they share the work.

A process of its own, so that no slow endpoint delays a message to a customer, and so that the only process that
connects to addresses which others have chosen can be given a network of its own.
"""

import asyncio
import contextlib
import signal
import threading
from uuid import uuid5

import msgspec
import psycopg
import structlog
from prometheus_client import Counter
from psycopg_pool import PoolTimeout

from adapters.clock import SystemClock
from adapters.postgres_journal import PostgresJournal
from adapters.public_network import PublicNetwork
from adapters.vault import Seal
from adapters.walls import Walls
from adapters.webhook_courier import WebhookCourier
from adapters.webhook_secrets import PostgresWebhookSecrets
from application.delivering import Delivering, Disable
from application.journal import JournalUnavailable
from application.parcels import Parcel
from application.retrying import retry_delay_s
from application.webhooks import DisableWebhook, disable_webhook
from application.writer import Busy, InFlight, Writer
from domain.account import Role
from domain.permissions import Actor
from domain.refusals import Refusal
from domain.webhook import Cause
from infra.composition import NotMigrated, clock_of
from infra.database_roles import url_for
from infra.followers import follower
from infra.pools import pool_of
from infra.process import begun, cannot
from infra.settings import Settings, needed
from projections.following import Follower
from projections.webhook_ledger import PostgresDeliveryLedger
from projections.webhooks import Webhooks

GATHER_S = 0.2
LOOK_EVERY_S = 0.5
PRUNE_EVERY_S = 600.0
CONNECTIONS_MAX = 12

DELIVERIES = Counter("daybook_webhook_deliveries_total", "What became of deliveries to webhooks", ["state"])

_log = structlog.get_logger("webhooks")


def run() -> int:
    """Until SIGTERM or SIGINT. Raises ``SettingsError``."""
    settings = begun("webhooks")
    seal = Seal(needed(settings.vault_key, "vault_key").get_secret_value())
    needed(settings.kafka_bootstrap, "kafka_bootstrap")
    try:
        following = follower(settings, [Webhooks()], process="webhooks", gather_s=GATHER_S)
    except (NotMigrated, psycopg.OperationalError) as failed:
        return cannot("webhooks", failed)
    asyncio.run(_deliver(settings, seal, following))
    return 0


async def _deliver(settings: Settings, seal: Seal, following: Follower) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    thread = threading.Thread(target=following.run, name="follower")
    thread.start()
    url = url_for("webhooks", settings.database_url)
    real_time = SystemClock()
    courier = WebhookCourier(PublicNetwork(loopback_allowed=settings.webhook_loopback), real_time)
    async with (
        pool_of(url, process="webhooks", max_size=2) as journal_pool,
        pool_of(url, process="webhooks", max_size=CONNECTIONS_MAX) as pool,
    ):
        writer = Writer(PostgresJournal(journal_pool), clock_of(settings), encode=msgspec.json.encode)
        writing = asyncio.create_task(writer.run())
        ledger = PostgresDeliveryLedger(pool)
        delivering = Delivering(
            ledger=ledger,
            secrets=PostgresWebhookSecrets(Walls(pool), seal, real_time),
            courier=courier,
            disable=_disabling(writer),
            clock=clock_of(settings),
            report=_report,
        )
        _log.info("webhooks.began")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_deliver_until(stopping, delivering))
                group.create_task(_prune_until(stopping, ledger))
        finally:
            following.stop()
            await asyncio.to_thread(thread.join)
            await courier.close()
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing


async def _deliver_until(stopping: asyncio.Event, delivering: Delivering) -> None:
    failures = 0
    while not stopping.is_set():
        try:
            wait_s = 0.0 if await delivering.step() else LOOK_EVERY_S
            failures = 0
        except Exception as error:  # noqa: BLE001  told, and tried again: what was under way is due again in a while
            failures += 1
            wait_s = retry_delay_s(failures)
            _log.exception("delivering.failed", error=type(error).__name__, retry_after_s=round(wait_s, 1))
        await _pause(stopping, wait_s)
    try:
        await delivering.drain()
    except Exception as error:  # noqa: BLE001  told; the next process delivers it
        _log.exception("delivering.drain_failed", error=type(error).__name__)


async def _prune_until(stopping: asyncio.Event, ledger: PostgresDeliveryLedger) -> None:
    while not stopping.is_set():
        try:
            await ledger.prune()
        except (psycopg.Error, PoolTimeout) as lost:
            _log.warning("pruning.failed", error=type(lost).__name__)
        await _pause(stopping, PRUNE_EVERY_S)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)


def _disabling(writer: Writer) -> Disable:
    async def disable(parcel: Parcel, cause: Cause) -> None:
        """By a command that is the same for every attempt of a delivery: doing it twice does it once."""
        own_id = uuid5(parcel.webhook_id, "deliverer")
        try:
            await writer.submit(
                disable_webhook,
                DisableWebhook(webhook_id=parcel.webhook_id, cause=cause),
                actor=Actor(own_id, parcel.organization_id, own_id, Role.SERVICE),
                command_id=uuid5(parcel.id, f"disable {parcel.attempt}"),
                fingerprint=parcel.id.bytes,
            )
        except Refusal:
            return  # it is disabled already, or gone
        except (Busy, InFlight, JournalUnavailable):
            _log.warning("webhook.still_enabled", webhook=str(parcel.webhook_id))  # the next failure tries again
            return
        _log.warning("webhook.disabled", webhook=str(parcel.webhook_id), cause=str(cause))

    return disable


def _report(parcel: Parcel, state: str, reason: str) -> None:
    DELIVERIES.labels(state).inc()
    tell = _log.warning if state == "failed" else _log.info
    about = {"delivery": str(parcel.id), "webhook": str(parcel.webhook_id), "position": parcel.position}
    tell(f"delivery.{state}", **about, attempt=parcel.attempt, **({"reason": reason} if reason else {}))
