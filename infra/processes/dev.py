"""``daybook dev``: every process at once on embedded servers, under one supervisor, with a clinic to look at."""

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra import development
from infra.embedded import EmbeddedServers, ServerFailed
from infra.program import listens
from infra.settings import SettingsError
from infra.supervisor import NotReady, Supervisor
from infra.whole_stack import WholeStack, start_everything


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
    supervisor.say("daybook", f"data in {data_dir}")
    stack = start_everything(supervisor, EmbeddedServers(data_dir), port=port)
    if stack is not None:
        _welcome(supervisor, stack)


def _welcome(supervisor: Supervisor, stack: WholeStack) -> None:
    from infra.demo import banner, seed
    from infra.demo_client import Unanswered

    try:
        clinic = seed(stack.url)
    except Unanswered as failed:
        # The stack runs all the same: whoever looks at why must find it running.
        supervisor.say("daybook", f"the demonstration clinic could not be set up: {failed}")
        return
    supervisor.show(banner(clinic, outbox_url=stack.outbox_url))


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
