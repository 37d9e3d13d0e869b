"""A fresh stack for one run, on a clock that is ours to move."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Thread

from adapters.clock import ReplayClock
from infra.embedded import EmbeddedServers
from infra.program import free_port
from infra.settings import Settings
from infra.supervisor import NotReady, Supervisor
from infra.whole_stack import start_everything


@dataclass(frozen=True, slots=True)
class FreshStack:
    url: str
    settings: Settings
    clock: ReplayClock


@contextmanager
def fresh_stack(data_dir: Path | None, *, now: datetime) -> Iterator[FreshStack]:
    """Everything, in an empty directory, the clock at ``now``; stopped at the end.

    Without ``data_dir`` the directory goes away with the stack; in it, ``processes.log`` has all that the
    processes say. Raises ``ServerFailed`` and ``NotReady``.
    """
    if data_dir is not None:
        data_dir.mkdir(parents=True)
        with _started(data_dir.resolve(), now) as stack:
            yield stack
        return
    with tempfile.TemporaryDirectory(prefix="daybook-real-", dir="/tmp") as where, _started(Path(where), now) as stack:
        yield stack


@contextmanager
def _started(where: Path, now: datetime) -> Iterator[FreshStack]:
    path = where / "clock"
    with (where / "processes.log").open("w", encoding="utf-8") as log, ReplayClock(path, environment="test") as clock:
        clock.set(now)
        supervisor = Supervisor(log)
        besides = {"DAYBOOK_REPLAY_CLOCK": str(path), "DAYBOOK_LOG_LEVEL": "warning"}
        try:
            stack = start_everything(
                supervisor, EmbeddedServers(where), port=free_port(), environment="test", besides=besides
            )
            if stack is None:
                raise NotReady("asked to stop before everything was ready")
            # The supervisor goes on looking after them while we do what we came for.
            keeper = Thread(target=supervisor.run, daemon=True)
            keeper.start()
            try:
                yield FreshStack(stack.url, stack.settings, clock)
            finally:
                supervisor.ask_to_stop()
                keeper.join()
        finally:
            supervisor.stop()
