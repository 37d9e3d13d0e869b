"""Answers that must not tell by their time what they do not tell by their words."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def no_sooner_than(seconds: float, *, only_for: type[Exception] | None = None) -> AsyncIterator[None]:
    """Leave the block no sooner than so long after it was entered; or only where it raises ``only_for``."""
    began, waits = time.monotonic(), only_for is None
    try:
        yield
    except Exception as raised:
        waits = waits or isinstance(raised, only_for or Exception)
        raise
    finally:
        if waits:
            await asyncio.sleep(began + seconds - time.monotonic())
