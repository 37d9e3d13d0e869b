"""An event loop without a machine: its clock moves when nothing else is left to do, and nothing comes from outside."""

import asyncio
from random import Random
from typing import Any


class Stuck(AssertionError):  # noqa: N818
    """Everybody waits for somebody else, and for no time to come."""


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's own loop; chance decides in which order what is ready runs, and a sleep takes no time."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._chance = Random(seed)
        self._now = 0.0
        self._clock_resolution = 1e-9
        self._selector = _Clockwork(self)

    def time(self) -> float:
        return self._now

    def forward(self, seconds: float) -> None:
        self._now += seconds

    def shuffle(self) -> None:
        self._chance.shuffle(self._ready)  # type: ignore[attr-defined]  # asyncio's own, a deque

    def _process_events(self, _: Any) -> None:
        """None come."""

    def _write_to_self(self) -> None:
        """Nobody is waiting."""


class _Clockwork:
    """Where a loop would wait for its sockets."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("nobody goes on, and nobody waits for a time")
        self._loop.shuffle()
        self._loop.forward(max(0.0, timeout))
        return []
