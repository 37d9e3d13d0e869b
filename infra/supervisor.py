"""Several programs as one: their lines on one terminal, restarted when they die, stopped together, none left behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import IO, TextIO

from infra.program import Process, Program, kill

LOOKS_EVERY_S = 0.1
READY_WITHIN_S = 60.0
STOPS_WITHIN_S = 15.0
BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
STEADY_AFTER_S = 60.0
"""Having run this long, a program's earlier deaths are forgotten."""
WRONG_SETTING = 2
"""The exit code that no restart can mend."""

_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")


class NotReady(Exception):  # noqa: N818  reads as what it says
    """A program ended, or took too long, before it was ready; its own lines say why."""


class _Hopeless(Exception):  # noqa: N818
    """A program ended because its settings are wrong."""


@dataclass
class _Child:
    program: Program
    tier: int
    colour: str
    process: Process
    reader: Thread
    started_at: float = field(default_factory=time.monotonic)
    deaths: int = 0
    restart_at: float | None = None


class Supervisor:
    """Start what is needed in order, then ``run``. Signals are taken over by ``run``'s caller: ``listen``.

    ``tier``: programs of a higher tier are stopped, and gone, before those of a lower one are asked to.
    """

    def __init__(self, output: TextIO = sys.stdout, *, colours: bool = False, width: int = 10) -> None:
        self._output, self._colours, self._width = output, colours, width
        self._children: list[_Child] = []
        self._writing = Lock()
        self._asked_to_stop = 0

    def listen(self) -> None:
        """From now on SIGINT and SIGTERM ask for a clean stop; a second one ends everything at once."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.ask_to_stop())

    def ask_to_stop(self) -> None:
        self._asked_to_stop += 1

    @property
    def stopping(self) -> bool:
        return self._asked_to_stop > 0

    def start(self, program: Program, ready: Callable[[], bool] | None = None, *, tier: int = 1) -> None:
        """Start a program and wait until it is ready. Raises ``NotReady``."""
        colour = _COLOURS[len(self._children) % len(_COLOURS)]
        process, reader = self._spawn(program, colour)
        child = _Child(program, tier, colour, process, reader)
        self._children.append(child)
        deadline = time.monotonic() + READY_WITHIN_S
        while ready and not self.stopping and not ready():
            if process.poll() is not None:
                raise NotReady(f"{program.name} ended with code {process.returncode} before it was ready")
            if time.monotonic() > deadline:
                raise NotReady(f"{program.name} was not ready after {READY_WITHIN_S:.0f} s")
            time.sleep(LOOKS_EVERY_S)

    def run(self) -> int:
        """Keep everything running until asked to stop; 0, or the code of a program that no restart can mend."""
        try:
            self._keep(lambda: False, float("inf"))
        except _Hopeless as child:
            self.say("daybook", f"{child} cannot run with these settings; stopping")
            return WRONG_SETTING
        return 0

    def run_until(self, reached: Callable[[], bool], *, within_s: float, what: str) -> None:
        """Keep everything running until ``reached``, or until asked to stop. Raises ``NotReady``."""
        try:
            self._keep(reached, time.monotonic() + within_s)
        except _Hopeless as child:
            raise NotReady(f"{child} cannot run with these settings") from None
        if not (self.stopping or reached()):
            raise NotReady(f"{what} was not ready after {within_s:.0f} s")

    def _keep(self, reached: Callable[[], bool], deadline: float) -> None:
        while not self.stopping and time.monotonic() < deadline and not reached():
            for child in self._children:
                if child.restart_at is None and child.process.poll() is not None:
                    if child.process.returncode == WRONG_SETTING:
                        raise _Hopeless(child.program.name)
                    self._mourn(child)
                elif child.restart_at is not None and time.monotonic() >= child.restart_at:
                    self._revive(child)
            time.sleep(LOOKS_EVERY_S)

    def stop(self) -> None:
        """Stop everything, the highest tier first; what does not end in time is killed."""
        for tier in sorted({child.tier for child in self._children}, reverse=True):
            here = [child for child in self._children if child.tier == tier]
            for child in here:
                if child.process.poll() is None:
                    child.process.send_signal(child.program.stop_with)
            deadline = time.monotonic() + STOPS_WITHIN_S
            while any(child.process.poll() is None for child in here):
                if self._asked_to_stop > 1 or time.monotonic() > deadline:
                    break
                time.sleep(LOOKS_EVERY_S)
            for child in here:
                if child.process.poll() is None:
                    self.say("daybook", f"{child.program.name} did not stop; killing it")
                kill(child.process)
                child.reader.join(timeout=1.0)
        self._children.clear()

    def say(self, name: str, line: str, colour: str = "1") -> None:
        """One line, with the name of who says it in front."""
        label = name.ljust(self._width)
        if self._colours:
            label = f"\x1b[{colour}m{label}\x1b[0m"
        self.show([f"{label} │ {line}"])

    def show(self, lines: Iterable[str]) -> None:
        """Lines that stay together, with nothing in front: to be read, or pasted elsewhere."""
        with self._writing:
            self._output.writelines(f"{line}\n" for line in lines)
            self._output.flush()

    def _spawn(self, program: Program, colour: str) -> tuple[Process, Thread]:
        process = program.start(subprocess.PIPE)
        assert process.stdout
        reader = Thread(target=self._relay, args=(program.name, process.stdout, colour), daemon=True)
        reader.start()
        return process, reader

    def _relay(self, name: str, lines: IO[bytes], colour: str) -> None:
        for line in lines:
            self.say(name, line.decode(errors="replace").rstrip(), colour)

    def _mourn(self, child: _Child) -> None:
        now = time.monotonic()
        kill(child.process)  # what it had started itself
        child.deaths = 1 if now - child.started_at > STEADY_AFTER_S else child.deaths + 1
        wait_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** (child.deaths - 1))
        child.restart_at = now + wait_s
        how = _how_it_ended(child.process.returncode)
        self.say("daybook", f"{child.program.name} {how}; starting it again in {wait_s:g} s")

    def _revive(self, child: _Child) -> None:
        child.process, child.reader = self._spawn(child.program, child.colour)
        child.started_at, child.restart_at = time.monotonic(), None


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    return f"was ended by {signal.Signals(-code).name}"
