"""A program that one of ours starts, and that never outlives it."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Program:
    """``user`` is the system user to run as (only root can ask for it); ``stop_with`` asks for a clean end."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    user: str | None = None
    stop_with: signal.Signals = signal.SIGTERM

    def start(self, output: int | IO[bytes]) -> Process:
        """Start it in a session of its own: Ctrl-C reaches only us, and we decide who stops in which order."""
        return subprocess.Popen(  # noqa: S603  argv is ours
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.env},
            cwd=self.cwd,
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user else None,
            start_new_session=True,
            preexec_fn=_die_with_the_parent(self.stop_with),  # noqa: PLW1509  one system call, no locks taken
        )


def _die_with_the_parent(how: signal.Signals) -> Callable[[], None] | None:
    """Where the kernel can (Linux): a child is told to stop even if we are killed without a chance to."""
    if not sys.platform.startswith("linux"):
        return None
    parent = os.getpid()

    def ask() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(how))
        if os.getppid() != parent:  # it died between the fork and the request
            os._exit(1)

    return ask


def stop(process: Process, how: signal.Signals, *, within_s: float) -> None:
    """Ask for a clean end, wait, then end the whole session of it for good."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            kill(process)
    kill(process)


def kill(process: Process) -> None:
    """End the program and all that it started, at once."""
    with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says EPERM of a group of zombies
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def listens(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def let_pass(directory: Path) -> None:
    """Let other users search (not list) the directories down to here: a program's user has to get through."""
    for step in (directory, *directory.parents):
        mode = step.stat().st_mode
        if not mode & 0o001:
            step.chmod(mode | 0o001)
