"""Load at a steady pace, whatever the server does: so many requests a second, each sent when its time has come."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from tests.bench.load import CONNECTIONS, LoadFailed

LATE_MAX_S = 15.0
"""The last answer may come so long after the last request was due."""
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_POSITION = re.compile(rb"\r\njournal-position: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answered:
    """``position`` is the answer's ``Journal-Position``; the request was due, and answered, at these times (epoch)."""

    position: int
    due_at: float
    answered_at: float


class _Connection(asyncio.Protocol):
    """One request at a time. ``answered`` is told the head of each answer once its body is there, too."""

    def __init__(self, answered: "Callable[[_Connection, bytes], None]") -> None:
        self.due_at = 0.0
        self._answered = answered
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, due_at: float, request: bytes) -> None:
        assert self._transport
        self.due_at = due_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, body = self._received.partition(b"\r\n\r\n")
        if not complete:
            return
        length = _CONTENT_LENGTH.search(head + b"\r\n")
        if length is None or len(body) >= int(length[1]):
            self._received = b""
            self._answered(self, head + b"\r\n")

    def close(self) -> None:
        if self._transport:
            self._transport.close()


async def keep_pace(
    url: str, requests: Sequence[bytes], *, per_second: float, connections: int = CONNECTIONS
) -> list[Answered]:
    """Send them evenly; one for which no connection is free waits, and its waiting counts. In order of the answers.

    Raises ``LoadFailed`` if one is not answered by 2xx, or if the server cannot keep up.
    """
    host, _, port = urlsplit(url).netloc.partition(":")
    free: list[_Connection] = []
    waiting: deque[tuple[float, bytes]] = deque()
    answers: list[Answered] = []
    failures: list[bytes] = []
    complete = asyncio.Event()

    def answered(connection: _Connection, head: bytes) -> None:
        position = _POSITION.search(head)
        if position is None or head[9:10] != b"2":
            failures.append(head.partition(b"\r\n")[0])
        else:
            answers.append(Answered(int(position[1]), connection.due_at, time.time()))
        if len(answers) + len(failures) == len(requests):
            complete.set()
        if waiting:
            connection.send(*waiting.popleft())
        else:
            free.append(connection)

    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: _Connection(answered), host, int(port)))[1] for _ in range(connections)
    ]
    free += opened
    began = time.time()
    for number, request in enumerate(requests):
        due_at = began + number / per_second
        await asyncio.sleep(max(0.0, due_at - time.time()))
        if free:
            free.pop().send(due_at, request)
        else:
            waiting.append((due_at, request))
    with suppress(TimeoutError):
        async with asyncio.timeout(LATE_MAX_S):
            await complete.wait()
    for connection in opened:
        connection.close()
    if failures or len(answers) < len(requests):
        late = len(requests) - len(answers) - len(failures)
        raise LoadFailed(f"{url}: {len(failures)} refused ({failures[:1]}), {late} not answered in time")
    return answers
