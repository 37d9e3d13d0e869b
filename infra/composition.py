"""What every process begins with: its connections, the journal's epoch, its clock."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.pq import PGconn, Ping

from adapters.clock import ReplayClock, SystemClock
from adapters.journal_reader import PostgresJournalReader
from adapters.kafka_tls import KafkaTls
from application.clock import Clock
from infra.database_roles import role_of, url_for
from infra.settings import Settings

PATIENCE_S: dict[int, float] = {Ping.REJECT: 60.0, Ping.NO_RESPONSE: 5.0}
"""A process that begins while PostgreSQL is away for a moment need not end for it."""


class NotMigrated(Exception):  # noqa: N818
    """The database has no journal yet."""

    def __init__(self) -> None:
        super().__init__("the database has no journal: run `daybook migrate` first")


def connecting(settings: Settings, process: str) -> Callable[[], Connection[Any]]:
    """How to open a connection of this process's own, in its role."""
    url = url_for(process, settings.database_url)
    return lambda: psycopg.connect(url, application_name=f"daybook {process}", connect_timeout=5)


def epoch_of(settings: Settings, process: str) -> UUID:
    """The journal's epoch. Raises ``NotMigrated``, ``psycopg.OperationalError``."""
    await_database(settings.database_url)
    try:
        with connecting(settings, process)() as connection:
            return PostgresJournalReader(connection).epoch()
    except psycopg.errors.UndefinedTable:
        raise NotMigrated from None
    except psycopg.OperationalError as refused:
        if lacks_role(refused, process):
            raise NotMigrated from None
        raise


def lacks_role(refused: psycopg.OperationalError, process: str) -> bool:
    """Whether that is why: roles are made with the first journal on a server, so there is none."""
    return f'role "{role_of(process)}" does not exist' in str(refused)


def await_database(url: str) -> None:
    """Wait while PostgreSQL starts up, as after a crash, and a moment for one that is not there at all.

    Returns in any case: whoever connects next is told what is wrong.
    """
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_S.get(PGconn.ping(url.encode()), 0.0):
        time.sleep(0.2)


def kafka_tls_of(settings: Settings) -> KafkaTls | None:
    """How brokers are reached under TLS; None: without."""
    if settings.kafka_security_protocol == "PLAINTEXT":
        return None
    return KafkaTls(settings.kafka_ca_file, settings.kafka_certificate_file, settings.kafka_key_file)


def clock_of(settings: Settings) -> Clock:
    """The real clock; outside production, the replay's where one is set."""
    if settings.replay_clock is None:
        return SystemClock()
    return ReplayClock(settings.replay_clock, environment=settings.environment)
