"""The clients of a run, from their first call until each knows what became of its last."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.program import Program, kill
from tests.torture.evidence import TOLD_UP_TO, NeverQuiet, await_quiet
from tests.torture.schedule import Profile
from tests.torture.stack import TortureStack

CLIENTS_STOP_WITHIN_S = 90.0


@contextmanager
def crowd(stack: TortureStack, directory: Path, seed: int, profile: Profile) -> Iterator[None]:
    """The clients, at work; in the end each finishes what it is about."""
    arguments = [str(directory / "world.json"), str(directory), str(seed), str(profile.clients)]
    arguments += [str(profile.subscribers), str(profile.operations_per_s), *stack.urls]
    with (directory / "clients.log").open("wb") as log:
        process = Program("clients", (sys.executable, "-m", "tests.torture.clients", *arguments)).start(log)
        try:
            yield
            assert process.poll() is None, f"the clients have ended: {(directory / 'clients.log').read_text()[-2_000:]}"
            process.send_signal(signal.SIGUSR1)
            deadline = time.monotonic() + CLIENTS_STOP_WITHIN_S
            while not (directory / "clients-are-done").exists():
                if time.monotonic() > deadline:
                    raise NeverQuiet("clients that never learn what became of their commands")
                time.sleep(0.1)
            await_quiet(stack)
            with stack.connect() as connection:
                (directory / TOLD_UP_TO).write_text(str(stack.head(connection)))
            time.sleep(2.0)  # subscribers are told of the last changes, too
            process.terminate()
            process.wait(CLIENTS_STOP_WITHIN_S)
        finally:
            kill(process)


def say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()
