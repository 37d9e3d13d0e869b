"""``daybook notify``: writes to customers. Start several: they share the work and double nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import psycopg
import structlog
from prometheus_client import Counter
from psycopg_pool import ConnectionPool

from adapters.fact_codec import FactMapper
from adapters.journal_streams import JournalStreams
from adapters.message_rendering import JinjaRenderer
from adapters.one_time_codes import SealedCodes
from adapters.vault import Seal, VaultContacts, VaultKeyWrong
from adapters.visitors import PostgresLinksToSend
from application.dispatching import Dispatcher
from application.notifying import Delivery
from application.retrying import retry_delay_s
from infra.composition import NotMigrated, clock_of
from infra.database_roles import url_for
from infra.followers import follower
from infra.process import begun, cannot, on_stop
from infra.providers import senders_of
from infra.settings import Settings, SettingsError, needed
from projections.deliveries import Deliveries
from projections.delivery_ledger import RECONCILE_AFTER, PostgresLedger

CALLS_MAX = 8
IDLE_S = 0.3
GATHER_S = 0.2
"""A message may be so much later than its reason: one transaction of many notices costs little more than of one."""

MESSAGES = Counter("daybook_messages_total", "What became of messages", ["channel", "state"])

_log = structlog.get_logger("notify")


@dataclass(slots=True)
class Dispatching:
    """Runs a dispatcher in a thread of its own, beside the follower."""

    dispatcher: Dispatcher
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="dispatcher")
        self._thread.start()

    def stop(self) -> None:
        """Returns when no call of a provider is under way any more."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                busy = self.dispatcher.step()
                failures = 0
                if not busy:
                    self._stopping.wait(IDLE_S)
            except Exception as error:  # noqa: BLE001  told, and tried again
                # Whatever was being sent is in doubt and will be looked into; the rest is still due.
                failures += 1
                delay_s = retry_delay_s(failures)
                _log.exception("dispatching.failed", error=type(error).__name__, retry_after_s=round(delay_s, 1))
                self._stopping.wait(delay_s)
        self._drain()

    def _drain(self) -> None:
        try:
            self.dispatcher.drain()
        except Exception as error:  # noqa: BLE001  told; what it was about is in doubt and will be looked into
            _log.exception("dispatching.drain_failed", error=type(error).__name__)


def run() -> int:
    """Until SIGTERM or SIGINT. Raises ``SettingsError``."""
    settings = begun("notify")
    seal = Seal(needed(settings.vault_key, "vault_key").get_secret_value())
    senders = senders_of(settings)
    try:
        following = follower(settings, [Deliveries()], process="notify", gather_s=GATHER_S)
    except (NotMigrated, psycopg.OperationalError) as failed:
        return cannot("notify", failed)
    with _pool(settings) as pool, ThreadPoolExecutor(CALLS_MAX, "provider") as threads:
        contacts = VaultContacts(pool, seal)
        try:
            contacts.ensure_key_fits()
        except VaultKeyWrong as wrong:
            raise SettingsError(f"DAYBOOK_VAULT_KEY: {wrong}") from wrong
        # Twice the time that one call may take for its connection and its answer, and then some.
        reconcile_after = max(RECONCILE_AFTER, 4 * timedelta(seconds=settings.provider_timeout_s))
        dispatching = Dispatching(
            Dispatcher(
                ledger=PostgresLedger(pool, reconcile_after),
                streams=JournalStreams(pool, FactMapper()),
                contacts=contacts,
                enclosures=SealedCodes(pool, seal),
                links=PostgresLinksToSend(pool, seal),
                renderer=JinjaRenderer(),
                senders=senders,
                clock=clock_of(settings),
                threads=threads,
                public_url=settings.public_url,
                in_flight_max=CALLS_MAX,
                report=_report,
            )
        )
        on_stop(following.stop)
        _log.info("notify.began", channels=sorted(map(str, senders)))
        dispatching.start()
        try:
            following.run()
        finally:
            dispatching.stop()
    return 0


def _pool(settings: Settings) -> ConnectionPool[psycopg.Connection[tuple[object, ...]]]:
    """One connection for each call that settles, and some for taking, judging and reading."""
    return ConnectionPool(
        url_for("notify", settings.database_url),
        min_size=1,
        max_size=CALLS_MAX + 4,
        kwargs={"application_name": "daybook notify", "connect_timeout": 5},
        check=ConnectionPool.check_connection,
        max_lifetime=1_800,
        open=False,
    )


def _report(delivery: Delivery, state: str, reason: str) -> None:
    MESSAGES.labels(delivery.channel, state).inc()
    tell = _log.warning if state in {"failed", "unknown"} else _log.info
    tell(
        f"message.{state}",
        delivery=str(delivery.id),
        template=str(delivery.template),
        channel=str(delivery.channel),
        position=delivery.notice.position,
        **({"reason": reason} if reason else {}),
    )
