"""The API over real servers, with its read models kept beside it: only Kafka is left out, the journal is followed."""

import asyncio
import faulthandler
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI

from adapters.clock import ReplayClock
from adapters.journal_reader import PostgresJournalReader
from application.feed import Delivery
from infra.beside import beside
from infra.composition import connecting
from infra.embedded import EmbeddedStack
from infra.processes.serve import uvicorn_config
from infra.read_models import read_models
from infra.serving import composed
from infra.settings import Settings, load_settings
from projections.deliveries import Deliveries
from projections.following import Follower
from projections.webhooks import Webhooks

PARTITIONS = 2
TWILIO_TOKEN = "the token of the tests"
EVENTS_KEY = ec.generate_private_key(ec.SECP256R1())
KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
NINE = MONDAY + timedelta(hours=9)
ENDS_WITHIN_S = 60.0
HASTE = 50
"""How much faster the follower's clock runs: it looks at the journal every 20 ms, not every second."""


class SilentFeed:
    """A broker that brings nothing: the follower reads the journal."""

    def poll(self, timeout_s: float) -> Sequence[Delivery]:  # noqa: ARG002
        time.sleep(0.005)
        return ()

    def partitions(self) -> frozenset[int]:
        return frozenset(range(PARTITIONS))

    def close(self) -> None: ...


@dataclass
class RunningApi:
    url: str
    app: FastAPI
    settings: Settings
    clock: ReplayClock

    def head(self) -> int:
        """The last position of what was done: nothing happened as long as it stays the same. Notes of who tried do not
        count.
        """
        done = "SELECT coalesce(max(notification_id), 0) FROM stored_events WHERE topic NOT LIKE 'access.%'"
        return int(self.rows(done)[0][0])

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings.database_url) as connection:
            return connection.execute(statement).fetchall()

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)


@contextmanager
def running_api(servers: EmbeddedStack, database_url: str, directory: Path, **changed: object) -> Iterator[RunningApi]:
    """``changed``: settings that are other than usual."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        clock_file = directory / f"clock-{uuid4().hex}"
        usual: dict[str, object] = {
            "environment": "test",
            "database_url": database_url,
            "redis_url": servers.redis_url,
            "kafka_bootstrap": servers.kafka_bootstrap,
            "kafka_partitions": PARTITIONS,
            "public_url": f"http://127.0.0.1:{port}",
            "vault_key": KEY,
            "signing_key": KEY,
            "digest_secret": "a secret of the tests",
            "twilio_auth_token": TWILIO_TOKEN,
            "sendgrid_webhook_key": _shown(EVENTS_KEY),
            "replay_clock": clock_file,
        }
        settings = load_settings(**{**usual, **changed})
        with ReplayClock(clock_file, environment="test") as clock, _following(settings):
            clock.set(MONDAY)
            with _serving(settings, listening) as app:
                yield RunningApi(f"http://127.0.0.1:{port}", app, settings, clock)


def _shown(key: ec.EllipticCurvePrivateKey) -> str:
    """The public half, as SendGrid shows it."""
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


@contextmanager
def _following(settings: Settings) -> Iterator[None]:
    connect = connecting(settings, "follower of the tests")
    reading = connect()
    reading.autocommit = True
    sinks = [*read_models((), PARTITIONS), Deliveries(), Webhooks()]
    follower = Follower(
        sinks,
        SilentFeed(),
        PostgresJournalReader(reading),
        connect=connect,
        partitions=PARTITIONS,
        monotonic=lambda: time.monotonic() * HASTE,
    )
    thread = threading.Thread(target=follower.run)
    thread.start()
    try:
        yield
    finally:
        follower.stop()
        thread.join(ENDS_WITHIN_S)
        assert not thread.is_alive()


@contextmanager
def _serving(settings: Settings, listening: socket.socket) -> Iterator[FastAPI]:
    """The very composition of ``daybook serve``, in a thread."""
    apps: list[FastAPI] = []
    servers: list[uvicorn.Server] = []
    loops: list[asyncio.AbstractEventLoop] = []
    started = threading.Event()

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with composed(settings) as served, beside(served.beside):
            server = uvicorn.Server(uvicorn_config(served.app))
            apps.append(served.app)
            servers.append(server)
            started.set()
            await server.serve(sockets=[listening])

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(30)
    try:
        yield apps[0]
    finally:
        servers[0].should_exit = True
        thread.join(ENDS_WITHIN_S)
        if thread.is_alive():
            faulthandler.dump_traceback()
            for task in asyncio.all_tasks(loops[0]):
                task.print_stack()
        assert not thread.is_alive(), "it does not end: standard error says where it stands"
