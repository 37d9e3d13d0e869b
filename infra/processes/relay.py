"""``daybook relay``: carries facts from the journal to Kafka. Start several: one leads, the others wait."""

import logging
from typing import Any
from zlib import crc32

import psycopg
from prometheus_client import Counter, Gauge
from psycopg import Connection

from adapters.fact_codec import FactMapper
from adapters.fact_messages import FactMessages
from adapters.journal_reader import PostgresJournalReader
from adapters.kafka_log import KafkaTopic
from adapters.kafka_tail import WrongPartitions
from application.feed import TopicUnavailable
from application.journal import JournalUnavailable
from application.relaying import Relay, TopicAheadOfJournal
from application.retrying import RECONNECT_LONGEST_S, retry_delay_s
from application.stopping import StopRequest
from infra.composition import NotMigrated, kafka_tls_of, lacks_role
from infra.database_roles import url_for
from infra.leading import leads
from infra.process import begun, cannot, on_stop
from infra.settings import Settings, SettingsError, needed
from projections.checkpoint import lowest_checkpoint

LEADER_LOCK = (crc32(b"daybook relay") % 2**31, 0)
LISTEN_S = 0.5
"""The journal is read so often even if no notification comes: a notification is only a hint."""
GATHER_S = 0.03
"""What is appended within so long after a batch is published together: each batch costs the broker, and every
follower a transaction, nearly as much with one fact as with a hundred."""
GATHERED_FACTS = 250
"""A batch of so many is followed by the next at once."""

LEADS = Gauge("daybook_relay_leads", "1 in the process that leads")
POSITION = Gauge("daybook_relay_position", "All facts up to here are on the topic")
PUBLISHED = Counter("daybook_relay_facts_total", "Facts published")
OVERSIZED = Gauge("daybook_relay_facts_oversized", "Facts too large for the topic, left to the journal")

logger = logging.getLogger(__name__)


def run() -> int:
    """Until SIGTERM or SIGINT. Raises ``SettingsError``."""
    settings = begun("relay")
    needed(settings.kafka_bootstrap, "kafka_bootstrap")
    process = RelayProcess(settings)
    on_stop(process.stop)
    try:
        process.run()
    except WrongPartitions as wrong:
        raise SettingsError(f"DAYBOOK_KAFKA_PARTITIONS: {wrong}") from None
    except (psycopg.errors.UndefinedTable, NotMigrated):
        return cannot("relay", NotMigrated())
    except TopicAheadOfJournal as wrong:
        return cannot("relay", wrong)
    return 0


class RelayProcess:
    """Tries to lead for ever; leads on the very connection that it reads with, so losing one is losing both."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._mapper = FactMapper()
        self._stopping = StopRequest()

    def stop(self) -> None:
        """Let ``run`` return after the present batch; for signal handlers and other threads."""
        self._stopping.make()

    def run(self) -> None:
        """Raises ``WrongPartitions``, ``TopicAheadOfJournal`` and ``NotMigrated``; everything else is tried again."""
        failures = _Failures(self._stopping)
        while not self._stopping.made:
            try:
                with psycopg.connect(
                    url_for("relay", self._settings.database_url),
                    autocommit=True,
                    application_name="daybook relay",
                    connect_timeout=5,
                ) as connection:
                    if leads(connection, LEADER_LOCK, self._stopping):
                        logger.info("leading")
                        self._lead(connection, failures)
            except (psycopg.OperationalError, JournalUnavailable) as lost:
                if isinstance(lost, psycopg.OperationalError) and lacks_role(lost, "relay"):
                    raise NotMigrated from None
                failures.wait(f"the journal cannot be read: {lost}")
            finally:
                LEADS.set(0)

    def _lead(self, connection: Connection[Any], failures: "_Failures") -> None:
        LEADS.set(1)
        reader = PostgresJournalReader(connection, self._mapper)
        topic = KafkaTopic(
            str(self._settings.kafka_bootstrap),
            self._settings.kafka_topic,
            self._settings.kafka_partitions,
            FactMessages(self._mapper, reader.epoch()),
            tls=kafka_tls_of(self._settings),
        )
        relay = Relay(reader, topic, self._settings.kafka_partitions, lambda: lowest_checkpoint(connection))
        connection.execute("LISTEN daybook_journal")
        try:
            while not self._stopping.made:
                try:
                    published = relay.step()
                except TopicUnavailable as lost:
                    failures.wait(f"the topic cannot be reached: {lost}")
                    continue
                failures.forget()
                PUBLISHED.inc(published)
                POSITION.set(relay.position)
                OVERSIZED.set(relay.oversized_total)
                if not published:
                    _await_notification(connection)
                elif published < GATHERED_FACTS:
                    self._stopping.pause(GATHER_S)
        finally:
            topic.close()


class _Failures:
    """In a row: each waits longer than the last."""

    def __init__(self, stopping: StopRequest) -> None:
        self._stopping = stopping
        self._count = 0

    def wait(self, why: str) -> None:
        self._count += 1
        delay_s = retry_delay_s(self._count, RECONNECT_LONGEST_S)
        logger.warning("%s; again in %.1f s", why.strip(), delay_s)
        self._stopping.pause(delay_s)

    def forget(self) -> None:
        self._count = 0


def _await_notification(connection: Connection[Any]) -> None:
    for _ in connection.notifies(timeout=LISTEN_S, stop_after=1):
        return
