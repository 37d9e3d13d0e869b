"""uvicorn's HTTP protocol with limits of its own: on what comes before a request, and on how long it takes to come.

uvicorn on httptools reads headers without end and waits for them for ever; so whoever sends a byte a minute holds a
connection, and whoever sends headers without end all memory. Nothing here costs a request more than a comparison.
"""

import asyncio
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from api.admission import Admission, refusal
from api.safe_headers import SAFE_HEADERS

HEAD_BYTES_MAX = 32 * 1024
"""Of everything before the body: address and headers."""
LOOKED_AT_EVERY_S = 15.0
"""What is found unfinished twice is given up: a request has 15 to 30 seconds to arrive, its body too."""

_CLOSED = (
    *(b"%b: %b\r\n" % header for header in SAFE_HEADERS),
    b"content-length: 0\r\n",
    b"connection: close\r\n\r\n",
)


class BoundedHttp(HttpToolsProtocol):
    _seen: object = None
    """What was unfinished when it was looked at last."""
    _head_bytes = 0
    _admission: Admission | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._admission = getattr(getattr(self.config.app, "state", None), "admission", None)
        self.loop.call_later(LOOKED_AT_EVERY_S, self._look)

    def data_received(self, data: bytes) -> None:
        if self._head_bytes or len(data) > HEAD_BYTES_MAX:
            self._head_bytes += len(data)
        super().data_received(data)
        scope: Any = self.scope
        if scope is not None and "path" not in scope:
            self._head_bytes = self._head_bytes or len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._give_up(431)
        elif self._head_bytes:
            self._head_bytes = 0

    def on_headers_complete(self) -> None:
        # Of most requests the head is short because all that came with it is.
        if self._head_bytes > HEAD_BYTES_MAX and self._head_is_too_long():
            self._give_up(431)
            raise _HeadTooLong
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self.cycle is not None and self.cycle.response_complete:
            self.cycle.more_body = False  # of what was refused nobody reads the body; it has come whole nevertheless

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """As uvicorn does, if the process can do with one more. Where it cannot, that costs it no task."""
        admission = self._admission
        if admission is None:
            super()._start_asgi_task(cycle, app)
            return
        if admission.refuses(cycle.scope["path"]):
            self._refuse(cycle)
            return
        task = self.loop.create_task(cycle.run_asgi(app))
        admission.began(task, self.loop.time())
        task.add_done_callback(self._ended)
        self.tasks.add(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        assert self._admission
        self._admission.ended(task)
        self.tasks.discard(task)

    def _refuse(self, cycle: RequestResponseCycle) -> None:
        cycle.response_started = cycle.response_complete = True
        if not self.transport.is_closing():
            self.transport.write(refusal(cycle.scope["path"]))
            if not cycle.keep_alive:
                self.transport.close()
        self.on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  what the parser says of it helps nobody
        self._give_up(400)

    def _head_is_too_long(self) -> bool:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > HEAD_BYTES_MAX

    def _look(self) -> None:
        if self.transport.is_closing() or self not in self.connections:  # it may be a socket by now
            return
        unfinished = self._unfinished()
        if unfinished is not None and unfinished is self._seen:
            if self.cycle is None or "path" not in self.scope or not self.cycle.response_started:
                self._give_up(408)
            self.transport.close()  # it was answered, and goes on sending; or nobody reads it any more
            return
        self._seen = unfinished
        self.loop.call_later(LOOKED_AT_EVERY_S, self._look)

    def _unfinished(self) -> object:
        """The request that has begun to come and has not come whole; at first, the connection itself."""
        scope: Any = self.scope
        if scope is None:
            return self
        if "path" not in scope:
            return scope
        return self.cycle if self.cycle is not None and self.cycle.more_body else None

    def _give_up(self, status: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"".join((STATUS_LINE[status], *_CLOSED)))
            self.transport.close()


class _HeadTooLong(Exception):  # noqa: N818
    """Tells the parser to read no further."""
