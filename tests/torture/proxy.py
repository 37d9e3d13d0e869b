"""A TCP proxy that loses an answer when told: the request has arrived, its answer never does, the connection is over.

It stands between the API and PostgreSQL (the answer to a COMMIT is lost) and between the notifier and the providers
(a message was taken, and nobody hears of it).
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

COMMIT = b"COMMIT\0"
"""As it stands in the wire protocol's simple query."""
POST = b"POST "
CHUNK_BYTES = 65_536

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Way = Callable[[], Awaitable[Streams]]


@dataclass(slots=True)
class Cutter:
    """``lose_next`` arms it; what is lost is the answer to the next requests that have ``marker`` in them."""

    marker: bytes
    armed: int = 0
    lost: int = 0

    def lose_next(self, times: int = 1) -> None:
        self.armed += times

    def strikes(self, request: bytes) -> bool:
        if self.armed and self.marker in request:
            self.armed -= 1
            self.lost += 1
            return True
        return False


@dataclass
class Proxy:
    """Listens on a free port of the loopback interface, in a thread of its own. ``way`` opens the other side."""

    way: Way
    cutter: Cutter
    port: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def stop(self) -> None:
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    def cut_all(self) -> None:
        """Every connection that is open now is over, on both sides."""

        def cut() -> None:
            for writer in list(self._open):
                writer.transport.abort()

        self._loop.call_soon_threadsafe(cut)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await self.way()
        except OSError:
            writer.transport.abort()
            return
        both = {writer, there_writer}
        self._open |= both
        deaf = asyncio.Event()
        to_server = asyncio.ensure_future(self._requests(reader, there_writer, deaf))
        to_client = asyncio.ensure_future(self._answers(there_reader, writer, deaf))
        await asyncio.wait({to_server, to_client}, return_when=asyncio.FIRST_COMPLETED)
        if not deaf.is_set():  # one side has hung up; what the other still says is passed on for a moment
            await asyncio.wait({to_server, to_client}, timeout=0.2)
        for task in (to_server, to_client):
            task.cancel()
        self._open -= both
        for one in both:
            one.transport.abort() if deaf.is_set() else one.close()

    async def _requests(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if self.cutter.strikes(data):
                    deaf.set()  # before the request is passed on: no answer can be quicker
                to.write(data)
                await to.drain()

    async def _answers(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if deaf.is_set():
                    return  # the server has answered, so it has done what it was asked
                to.write(data)
                await to.drain()


def unix(path: str) -> Way:
    return lambda: asyncio.open_unix_connection(path)


def tcp(port: int) -> Way:
    return lambda: asyncio.open_connection("127.0.0.1", port)
