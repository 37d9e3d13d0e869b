"""Waiting for something that other processes or tasks bring about."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], bool], within_s: float = 5.0) -> None:
    """Raises ``TimeoutError`` if it does not come true in time."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  what is waited for knows nothing of this test, so no event is set
            await asyncio.sleep(0.005)
