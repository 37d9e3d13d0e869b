"""What chance decides in a run, and the trace of it: the same seed, the same run, down to the last line."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from random import Random

BOUNDARIES = frozenset(
    {
        "load",
        "append: before",
        "append: committed, not answered",
        "turn: begun",
        "turn: appended, not committed",
        "turn: committed, not answered",
        "publish: before",
        "publish: in part",
        "publish: all, not noted",
        "rows: before",
        "rows: written, checkpoint not moved",
        "rows: checkpoint moved, rows not written",
        "rows: not committed",
        "rows: committed, not noted",
    }
)
"""Wherever a process can die with something written and something not."""


class Crash(BaseException):
    """kill -9: nothing within the process catches it."""


class Fate:
    def __init__(self, seed: int, clock: Callable[[], float], *, traced: bool = False) -> None:
        self.random = Random(seed)
        self.clock = clock
        self.crashes: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        self.lines: list[str] = []
        self.is_calm = False
        """In the end nothing goes wrong any more, and all has to come right."""
        self._traced = traced
        self._trace = hashlib.sha256()

    def note(self, what: str) -> None:
        line = f"{self.clock():.6f} {what}"
        self._trace.update(line.encode())
        if self._traced:
            self.lines.append(line)

    def trace(self) -> str:
        return self._trace.hexdigest()

    def strikes(self, one_in: int) -> bool:
        return not self.is_calm and self.random.randrange(one_in) == 0

    def boundary(self, name: str, *, one_in: int = 30) -> None:
        """Raises ``Crash`` now and then."""
        self.passed[name] += 1
        if self.strikes(one_in):
            self.crashes[name] += 1
            self.note(f"crash at {name}")
            raise Crash(name)

    async def io(self, longest_s: float = 0.02) -> None:
        """As long as a server takes to answer."""
        await asyncio.sleep(self.random.uniform(0.0005, longest_s))
