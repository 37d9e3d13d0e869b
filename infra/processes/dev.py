"""``daybook dev``: every process at once on embedded servers, under one supervisor, with a clinic to look at."""

import fcntl
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra import development
from infra.embedded import EmbeddedServers, ServerFailed
from infra.program import Program, free_port, listens
from infra.settings import SettingsError, load_settings
from infra.supervisor import NotReady, Supervisor

SERVERS, PROCESSES = 0, 1
"""Tiers: the servers stop when no process uses them any more."""
PROCESSES_OF_OURS = ("serve", "relay", "project", "notify", "timekeeper")


def run(*, port: int, data_dir: Path | None) -> int:
    """Run until SIGINT or SIGTERM; 0 after a clean stop. Raises ``SettingsError``."""
    where = (data_dir or development.default_data_dir()).expanduser().resolve()
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    if colours:
        os.environ["FORCE_COLOR"] = "1"  # the processes write into our pipe and cannot see the terminal
    supervisor = Supervisor(sys.stdout, colours=colours)
    with _only_one(where):
        if listens(port):
            raise SettingsError(f"PORT: {port} is in use; choose another one: make dev PORT={port + 1}")
        supervisor.listen()
        try:
            _start(supervisor, where, port)
            return supervisor.run()
        except (ServerFailed, NotReady) as failed:
            supervisor.say("daybook", str(failed))
            return 0 if supervisor.stopping else 1
        finally:
            supervisor.say("daybook", "stopping")
            supervisor.stop()
            supervisor.say("daybook", "stopped")


def _start(supervisor: Supervisor, data_dir: Path, port: int) -> None:
    servers = EmbeddedServers(data_dir)
    supervisor.say("daybook", f"data in {data_dir}")
    servers.prepare()
    for program, ready in servers.programs:
        supervisor.start(program, ready, tier=SERVERS)
    if supervisor.stopping:
        return
    servers.ensure_database(development.DATABASE)
    outbox_port = free_port()
    environment = {
        **development.environment(servers, port=port),
        **development.stand_in_providers(data_dir, outbox_port),
    }
    os.environ.update(environment)
    settings = load_settings()

    from infra.processes.migrate import migrate

    supervisor.say("migrate", migrate(settings.database_url))
    fake = _ours("fake-provider", "--port", str(outbox_port))
    supervisor.start(fake, lambda: listens(outbox_port), tier=PROCESSES)
    for verb in PROCESSES_OF_OURS:
        supervisor.start(_ours(verb), tier=PROCESSES)
    _await_ready(supervisor, f"http://127.0.0.1:{port}")
    if not supervisor.stopping:
        _welcome(supervisor, port, outbox_port)


def _ours(verb: str, *arguments: str) -> Program:
    return Program(verb, (sys.executable, "-m", "infra.cli", verb, *arguments))


def _await_ready(supervisor: Supervisor, url: str) -> None:
    """Until every part of the API says that it is ready: servers, and read models that keep up."""
    supervisor.run_until(lambda: _answers(f"{url}/readyz"), within_s=60.0, what="the API")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  our own URL
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _welcome(supervisor: Supervisor, port: int, outbox_port: int) -> None:
    from infra.demo import Clinic, Unanswered, banner, seed

    url = f"http://127.0.0.1:{port}"
    try:
        clinic: Clinic = seed(url)
    except Unanswered as failed:
        # The stack runs all the same: whoever looks at why must find it running.
        supervisor.say("daybook", f"the demonstration clinic could not be set up: {failed}")
        return
    for line in banner(clinic, outbox_url=f"http://127.0.0.1:{outbox_port}"):
        supervisor.say("daybook", line)


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """Hold the data directory. Raises ``SettingsError`` if another stack does."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("a+")
    except OSError as error:
        raise SettingsError(f"DATA_DIR: {data_dir} cannot be used: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise SettingsError(
                f"DATA_DIR: {data_dir} is in use by process {lock.read().strip() or '?'}; stop it or choose another"
            ) from None
        lock.truncate(0)
        lock.write(json.dumps(os.getpid()))
        lock.flush()
        yield
