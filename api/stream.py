"""WebSocket ``/v1/stream``: follow read models live, and resume without a gap."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from fastapi import APIRouter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from api import stream_frames as frames
from api.limits import RateLimits, TooManyRequests
from api.safe_headers import SAFE_HEADERS
from api.stream_frames import Init, MalformedFrame
from api.stream_session import Closed, Node, Session, next_frame
from application.ended_sessions import SessionOver, SessionsUnknown
from application.sign_in import Bearer, InvalidToken

INIT_WITHIN_S = 5.0
UNREAD_MAX_S = 5.0
"""A client that takes no frame for so long is closed, though its outbox may not be full."""
PING_EVERY_S = 20.0
WATCH_EVERY_S = 1.0
LINGER_S = 30.0
"""How long a close frame waits for a client that does not read to begin to read again."""

K = TypeVar("K")

_log = structlog.get_logger(__name__)
router = APIRouter()


@dataclass(slots=True)
class Sockets:
    """All open sockets of this process. ``origins`` are those that browsers may come from, beside our own."""

    node: Node
    origins: frozenset[str] = frozenset()
    limits: RateLimits | None = None
    closed: Counter[int] = field(default_factory=Counter)
    """How many were closed, by code, for metrics."""
    _open: set[Session] = field(default_factory=set)
    _of_account: Counter[UUID] = field(default_factory=Counter)
    _from_address: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        """How many clients are signed in."""
        return len(self._open)

    def reading(self) -> Iterator[Metric]:
        """For ``Metrics.watch``."""
        yield GaugeMetricFamily("daybook_sockets_open", "Sockets that are signed in", len(self._open))
        closed = CounterMetricFamily("daybook_sockets_closed", "Sockets that were closed, by code", labels=["code"])
        for code, count in self.closed.items():
            closed.add_metric([str(code)], count)
        yield closed

    async def run(self) -> None:
        """Everything that moves without a client's doing; until cancelled."""
        broadcaster = self.node.broadcaster
        async with asyncio.TaskGroup() as group:
            group.create_task(broadcaster.run(), name="broadcaster")
            group.create_task(broadcaster.hints.run(broadcaster), name="hints")
            group.create_task(self._watch(), name="socket watch")

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        pinged_at = loop.time()
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            ping = loop.time() - pinged_at >= PING_EVERY_S
            if ping:
                pinged_at = loop.time()
            for session in tuple(self._open):
                self._close_if_over(session)
                # The real time, whatever clock the bookings follow.
                if session.bearer.expires_at <= time.time():
                    session.close(frames.UNAUTHENTICATED, "the token has expired")
                elif session.is_idle(loop.time()):
                    session.close(frames.IDLE, "nothing is followed and nothing said")
                elif session.sending_since is not None and loop.time() - session.sending_since > UNREAD_MAX_S:
                    session.close(frames.TOO_SLOW, "the client does not read")
                elif ping and not session.outbox:
                    session.outbox.put(frames.PING)

    def _close_if_over(self, session: Session) -> None:
        try:
            self.node.ensure_goes_on(session.bearer.actor)
        except SessionOver:
            session.close(frames.UNAUTHENTICATED, "the session is over")
        except SessionsUnknown:
            session.close(frames.UNAVAILABLE, "whether the session goes on cannot be told")

    async def serve(self, websocket: WebSocket) -> None:
        """One connection, from its handshake to its end."""
        denied = self._denied(websocket)
        if denied is not None:
            denied.raw_headers += SAFE_HEADERS
            await websocket.send_denial_response(denied)
            return
        address = self.limits.addresses.digest(websocket.scope) if self.limits else ""
        with counted(self._from_address, address):
            await self._served(websocket)

    async def _served(self, websocket: WebSocket) -> None:
        await websocket.accept(frames.SUBPROTOCOL)
        closed = await self._converse(websocket)
        self.closed[closed.code] += 1
        if closed.code != frames.GONE:
            await _close(websocket, closed)

    async def _converse(self, websocket: WebSocket) -> Closed:
        try:
            async with asyncio.timeout(INIT_WITHIN_S):
                bearer = await self._greet(websocket)
        except TimeoutError:
            return Closed(frames.NO_INIT, "no init frame within 5 s")
        except Closed as closed:
            return closed
        account_id = bearer.actor.account_id
        if self._of_account[account_id] >= self.node.bounds.per_account:
            return Closed(frames.TOO_MANY, f"an account has at most {self.node.bounds.per_account} sockets here")
        session = Session(websocket, self.node, bearer)
        self._open.add(session)
        try:
            with counted(self._of_account, account_id):
                return await session.run()
        finally:
            self._open.remove(session)

    def _denied(self, websocket: WebSocket) -> Response | None:
        """What a handshake is told instead of being accepted."""
        if not self._is_welcome(websocket):
            return Response(status_code=403)
        if websocket.scope["query_string"]:
            # What stands in an address is written into the logs of everything on the way.
            return Response("nothing is told in the address; the first frame carries the token\n", 400)
        if frames.SUBPROTOCOL not in websocket.scope["subprotocols"]:
            return Response(f"subprotocol {frames.SUBPROTOCOL} is needed\n", 400)
        return self._too_many(websocket)

    def _too_many(self, websocket: WebSocket) -> Response | None:
        if self.limits is None:
            return None
        try:
            self.limits.arrived(websocket.scope)
        except TooManyRequests as refused:
            return Response("too many requests\n", 429, refused.headers)
        if self._from_address[self.limits.addresses.digest(websocket.scope)] >= self.node.bounds.per_address:
            return Response("too many sockets from this address\n", 429, {"Retry-After": "30"})
        return None

    def _is_welcome(self, websocket: WebSocket) -> bool:
        """Only a browser sends an origin, and it must be one of ours: ``null`` and foreign pages are not."""
        origin = websocket.headers.get("origin")
        if origin is None or origin in self.origins:
            return True
        return urlsplit(origin).netloc == websocket.headers.get("host")

    async def _greet(self, websocket: WebSocket) -> Bearer:
        """Who it is, by the first frame. Raises ``Closed``."""
        try:
            frame = await next_frame(websocket)
        except MalformedFrame:
            raise Closed(frames.MALFORMED, "the first frame is init") from None
        if not isinstance(frame, Init):
            raise Closed(frames.MALFORMED, "the first frame is init")
        try:
            return self.node.authenticate(frame.token)
        except InvalidToken:
            raise Closed(frames.UNAUTHENTICATED, "the token is not valid") from None
        except SessionsUnknown:
            raise Closed(frames.UNAVAILABLE, "the token cannot be checked now") from None


@contextmanager
def counted(several: Counter[K], one: K) -> Iterator[None]:
    """One more of these, while it lasts; nothing is kept of one that there is none of any more."""
    several[one] += 1
    try:
        yield
    finally:
        several[one] -= 1
        if not several[one]:
            del several[one]


async def _close(websocket: WebSocket, closed: Closed) -> None:
    try:
        # Behind what the client has not read yet; it learns the code if it reads again. Or it went first.
        async with asyncio.timeout(LINGER_S):
            with suppress(WebSocketDisconnect):
                await websocket.close(closed.code, closed.reason)
    except TimeoutError:
        _log.info("stream.abandoned", code=closed.code)


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    sockets: Sockets = websocket.app.state.sockets
    await sockets.serve(websocket)
