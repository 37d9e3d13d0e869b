"""One answer for all who ask the same at the same time, and none of them is told what was read before they asked."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Sharing(Generic[T]):
    """Equal questions are worked out one after another. Those that come meanwhile share the next answer.

    So the more ask the same, the less each costs, and nobody waits for more than two answers.
    """

    def __init__(self) -> None:
        self._gathering: dict[Hashable, asyncio.Task[T]] = {}
        self._begun: dict[Hashable, asyncio.Task[T]] = {}

    async def answer(self, question: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """What ``work`` answers, or raises; it begins after this call. Who gives up waiting takes it from nobody."""
        shared = self._gathering.get(question)
        if shared is None:
            shared = self._gathering[question] = asyncio.create_task(self._work(question, work))
        return await asyncio.shield(shared)

    async def _work(self, question: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        before = self._begun.get(question)
        if before is not None:
            await asyncio.wait([before])
        # Whoever asks from now on may know of something that is not read any more.
        self._begun[question] = self._gathering.pop(question)
        try:
            return await work()
        finally:
            del self._begun[question]
