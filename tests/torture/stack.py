"""Everything Daybook consists of, as real processes that can be killed by name; two proxies that lose answers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psycopg
from confluent_kafka import KafkaException
from psycopg.conninfo import conninfo_to_dict

from adapters.kafka_tail import KafkaTail
from application.feed import TopicUnavailable
from infra import development
from infra.embedded import EmbeddedStack, ServerFailed
from infra.migrations import migrate
from infra.program import free_port, listens
from infra.settings import Settings
from infra.whole_stack import PROCESSES_OF_OURS, answers
from tests.running import RunningStack
from tests.torture.proxy import COMMIT, POST, Cutter, Proxy, tcp, unix

APIS = 2
FOLLOWERS = tuple(verb for verb in PROCESSES_OF_OURS if verb != "serve")
BALLAST = "ballast"
TOPIC_WITHIN_S = 15.0


class TortureStack:
    """``names`` are those that can be killed. PostgreSQL is the API's through the first proxy, all others' directly."""

    def __init__(self, servers: EmbeddedStack, logs: Path, modules: Mapping[str, Sequence[str]]) -> None:
        self.servers = servers
        database = servers.database_url(development.DATABASE)
        socket = next(Path(str(conninfo_to_dict(database)["host"])).glob(".s.PGSQL.*[0-9]"))
        self.database = Proxy(unix(str(socket)), Cutter(COMMIT))
        self.database.start()
        outbox_port, self._ports = free_port(), [free_port() for _ in range(APIS)]
        self.provider = Proxy(tcp(outbox_port), Cutter(POST))
        self.provider.start()
        environment = {
            **development.environment(servers, port=self._ports[0], environment="test"),
            **development.stand_in_providers(servers.data_dir, self.provider.port),
            "DAYBOOK_DATABASE_URL": database,
            "DAYBOOK_LOG_FORMAT": "json",
            # As where it is installed: a process that is started again does not compile everything first.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(servers.data_dir / "compiled"),
            "DAYBOOK_RATE_FACTOR": "10000",
            "DAYBOOK_PROVIDER_TIMEOUT_S": "3",
        }
        self.database_url = database
        outbox_url = f"http://127.0.0.1:{outbox_port}"
        self.running = RunningStack(environment, logs, outbox_url=outbox_url, modules=modules)
        self._outbox_port = outbox_port

    @property
    def urls(self) -> list[str]:
        return self.running.urls

    def start(self) -> None:
        migrate(self.database_url)
        api_url = f"http://127.0.0.1:{self._ports[0]}"
        options = development.stand_in_options(self.servers.data_dir, port=self._outbox_port, api_url=api_url)
        self.running.start("fake-provider", *options)
        for verb in FOLLOWERS:
            self.running.start(verb)
        through = f"postgresql://postgres@127.0.0.1:{self.database.port}/{development.DATABASE}?sslmode=disable"
        for number, port in enumerate(self._ports):
            self.running.start(f"serve:{number}", DAYBOOK_API_PORT=str(port), DAYBOOK_DATABASE_URL=through)
            self.urls.append(f"http://127.0.0.1:{port}")
        self.running.await_that("fake-provider", lambda: listens(self._outbox_port))
        for number, url in enumerate(self.urls):
            self.running.await_that(f"serve:{number}", lambda url=url: answers(f"{url}/readyz"))  # type: ignore[misc]

    def stop(self) -> None:
        self.running.stop()
        self.database.stop()
        self.provider.stop()

    def revive(self) -> list[str]:
        """Start again what has ended by itself, as a supervisor would; their names."""
        ended = self.running.ended()
        for name in ended:
            self.running.restart(name)
        return ended

    def job(self, *arguments: str) -> tuple[int, Any]:
        """A verb of ``daybook`` that ends: its code, and what it said as JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "infra.cli", *arguments, "--json"],
            env={**os.environ, **self.running.environment},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode or 1, {"said": (done.stdout + done.stderr)[-2_000:]}

    def outbox(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.running.outbox_url}/outbox.json", timeout=10) as answer:
            return list(json.load(answer)["messages"])

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database_url, autocommit=True, connect_timeout=5)

    def head(self, connection: psycopg.Connection[Any]) -> int:
        """The journal's last position."""
        found = connection.execute("SELECT max(notification_id) FROM stored_events").fetchone()
        return int(found[0] or 0) if found else 0

    def shows_its_topic(self) -> bool:
        """Not always, as it looks: of the embedded broker, where it has answered the first messages with an error.

        Makes the topic where the relay has not yet.
        """
        defaults = Settings.model_fields
        deadline = time.monotonic() + TOPIC_WITHIN_S
        while time.monotonic() < deadline:
            tail = KafkaTail(
                self.servers.kafka_bootstrap, defaults["kafka_topic"].default, defaults["kafka_partitions"].default
            )
            with suppress(KafkaException, TopicUnavailable):
                if tail.last_messages():
                    return True
            time.sleep(0.5)
        return False

    # The disk

    def fill_disk(self) -> None:
        """What is left of PostgreSQL's file system is taken, as by anybody's log file."""
        with (self.servers.data_dir / "postgresql" / BALLAST).open("wb") as ballast, suppress(OSError):
            while True:
                ballast.write(b"\0" * 1_048_576)

    def free_disk(self) -> None:
        (self.servers.data_dir / "postgresql" / BALLAST).unlink(missing_ok=True)


@contextmanager
def torture_stack(
    directory: Path, *, disk_mb: int, modules: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> Iterator[tuple[TortureStack, bool]]:
    """The stack, running, and whether its PostgreSQL has a small disk of its own. Ended whatever happens.

    ``modules``: of ``RunningStack``.
    """
    data_dir = Path(tempfile.mkdtemp(prefix="daybook-torture-", dir="/tmp"))  # a short path, for PostgreSQL's socket
    small = _mount(data_dir / "postgresql", disk_mb)
    try:
        with EmbeddedStack(data_dir) as servers:
            servers.ensure_database(development.DATABASE)
            stack = TortureStack(servers, directory, modules)
            try:
                stack.start()
                yield stack, small
            finally:
                stack.stop()
    finally:
        for log in data_dir.glob("*.log"):
            shutil.copy(log, directory)
        if small:
            subprocess.run(["umount", "--lazy", str(data_dir / "postgresql")], check=False)
        shutil.rmtree(data_dir, ignore_errors=True)


def _mount(where: Path, disk_mb: int) -> bool:
    """A small file system in memory, where the system lets us."""
    where.mkdir(parents=True)
    options = f"size={disk_mb}m,mode=0700"  # whose it is, is settled as for any directory
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(where)], capture_output=True, check=False
    )
    if done.returncode:
        where.rmdir()
    return done.returncode == 0


def restart_postgres(stack: TortureStack, how: signal.Signals, *, within_s: float = 30.0) -> None:
    """Stop it without ceremony, and start it until it stays: it may find no room at first."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            stack.servers.restart("postgres", how)
        except ServerFailed:
            if time.monotonic() > deadline:
                raise
            continue
        return
