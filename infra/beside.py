"""What runs beside the requests, from before the first to after the last."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

AGAIN_AFTER_S = 1.0


@asynccontextmanager
async def beside(works: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> AsyncIterator[None]:
    """Each in a task, cancelled at the end. One that fails takes all else with it: half a process would answer, and
    wrongly.
    """
    async with asyncio.TaskGroup() as group:
        tasks = {group.create_task(work()) for work in works}
        try:
            yield
        finally:
            # Once is not enough. Before Python 3.12 ``asyncio.wait_for`` loses a cancellation that comes as what it
            # waits for is done, and the client of Redis waits by it: such a task would go on for ever, and all with it.
            while tasks:
                for task in tasks:
                    task.cancel()
                _, tasks = await asyncio.wait(tasks, timeout=AGAIN_AFTER_S)
