"""One client on its socket: what it subscribes to, what it is sent, and why it is closed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from api import stream_frames as frames
from api.broadcaster import CHANGES_PER_TOPIC, Broadcaster, Subscription
from api.limits import SocketLimits
from api.outbox import Outbox
from api.stream_frames import FromClient, Init, MalformedFrame, Pong, Subscribe, Unsubscribe
from api.topics import NotAdmitted, TopicGate
from application.ended_sessions import SessionsUnknown
from application.journal import JournalUnavailable
from application.sign_in import Bearer, InvalidToken
from domain.access import CallForbidden
from domain.permissions import Actor
from projections.change_feed import ChangeFeed, ChangesUnavailable

SUBSCRIPTIONS_MAX = 100
BREATHER_FRAMES = 64
"""A sender that always finds a frame and a writable socket lets the others have a turn after so many."""

USUAL_BOUNDS = SocketLimits()

_log = structlog.get_logger(__name__)


class Closed(Exception):  # noqa: N818
    """The connection is over; ``GONE`` if it was the client that went."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


async def next_frame(websocket: WebSocket) -> FromClient:
    """What the client says next. Raises ``Closed`` if it cannot go on, ``MalformedFrame`` if it can."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise Closed(frames.GONE)
    text = message.get("text")
    if text is None:
        raise Closed(frames.UNSUPPORTED, "frames are text")
    if len(text) > frames.FRAME_BYTES_MAX or len(text.encode()) > frames.FRAME_BYTES_MAX:
        raise Closed(frames.TOO_BIG, "frames are at most 64 KiB")
    return frames.parsed(text)


@dataclass(frozen=True, slots=True)
class Node:
    """What all sessions of a process share.

    ``authenticate`` raises ``InvalidToken`` and ``SessionsUnknown``; ``ensure_goes_on``, which is asked again and again
    of whoever is signed in, ``SessionOver`` and ``SessionsUnknown``. ``note_refused`` raises nothing.
    """

    authenticate: Callable[[str], Bearer]
    ensure_goes_on: Callable[[Actor], None]
    gate: TopicGate
    feed: ChangeFeed
    broadcaster: Broadcaster
    note_refused: Callable[[Actor, CallForbidden], Awaitable[None]]
    bounds: SocketLimits = USUAL_BOUNDS


@dataclass(slots=True, eq=False)
class Session:
    websocket: WebSocket
    node: Node
    bearer: Bearer
    outbox: Outbox = field(init=False)
    sending_since: float | None = None
    """When the frame that the client has not taken yet was handed to its socket (event loop seconds)."""
    _heard_at: float = field(init=False)
    _may_say: float = field(init=False)
    """How many frames it may send at once now."""
    _subscriptions: dict[str, Subscription | None] = field(default_factory=dict)
    _histories: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: Closed | None = None

    def __post_init__(self) -> None:
        self.outbox = Outbox(lambda: self.close(frames.TOO_SLOW, "the client does not read"))
        self._heard_at, self._may_say = asyncio.get_running_loop().time(), float(self.node.bounds.frames_burst)

    def is_idle(self, now: float) -> bool:
        """It follows nothing, and has said nothing for long (event loop seconds)."""
        return not self._subscriptions and now - self._heard_at > self.node.bounds.idle_s

    def _says_too_much(self) -> bool:
        bounds, now = self.node.bounds, asyncio.get_running_loop().time()
        self._may_say = min(bounds.frames_burst, self._may_say + (now - self._heard_at) * bounds.frames_per_s) - 1
        self._heard_at = now
        return self._may_say < 0

    def close(self, code: int, reason: str) -> None:
        """From anywhere on the event loop; the first reason counts."""
        if self._closed is None:
            self._closed = Closed(code, reason)
            self._closing.set()

    async def run(self) -> Closed:
        """Serve the client until either side closes."""
        self.outbox.put(frames.READY)
        try:
            async with asyncio.TaskGroup() as group:
                ends = (
                    group.create_task(self._send(), name="socket sender"),
                    group.create_task(self._receive(group), name="socket receiver"),
                )
                await self._closing.wait()
                for task in (*ends, *self._histories.values()):
                    task.cancel()
        except* Exception:  # noqa: BLE001  whatever it is: it is logged, and the client is told and may resume
            _log.exception("stream.failed")
            self.close(frames.INTERNAL, "something went wrong on our side")
        finally:
            for subscription in self._subscriptions.values():
                if subscription:
                    self.node.broadcaster.leave(subscription)
        assert self._closed
        return self._closed

    async def _send(self) -> None:
        loop, sent = asyncio.get_running_loop(), 0
        while True:
            frame = await self.outbox.take()
            self.sending_since = loop.time()
            try:
                await self.websocket.send_text(frame)
            except WebSocketDisconnect:
                return self.close(frames.GONE, "")
            self.sending_since = None
            sent += 1
            if sent % BREATHER_FRAMES == 0:
                await asyncio.sleep(0)

    async def _receive(self, group: asyncio.TaskGroup) -> None:
        while True:
            try:
                frame = await next_frame(self.websocket)
            except MalformedFrame as malformed:
                if self._says_too_much():
                    return self.close(frames.FLOODING, "too many frames")
                self.outbox.put(frames.error(frames.MALFORMED, str(malformed)))
                continue
            except Closed as closed:
                return self.close(closed.code, closed.reason)
            if self._says_too_much():
                return self.close(frames.FLOODING, "too many frames")
            match frame:
                case Subscribe():
                    self._subscribe(frame, group)
                case Unsubscribe():
                    self._unsubscribe(frame.id)
                case Init():
                    self._renew(frame.token)
                case Pong():
                    pass

    def _renew(self, token: str) -> None:
        try:
            bearer = self.node.authenticate(token)
        except InvalidToken:
            return self.close(frames.UNAUTHENTICATED, "the token is not valid")
        except SessionsUnknown:
            return self.close(frames.UNAVAILABLE, "the token cannot be checked now")
        if replace(bearer.actor, session_id=None) != replace(self.bearer.actor, session_id=None):
            # What is subscribed was admitted for someone else.
            return self.close(frames.UNAUTHENTICATED, "the token speaks for another account or role")
        self.bearer = bearer
        return self.outbox.put(frames.READY)

    def _subscribe(self, wanted: Subscribe, group: asyncio.TaskGroup) -> None:
        if wanted.id in self._subscriptions:
            return self.outbox.put(frames.error(frames.ID_IN_USE, "This id is in use.", wanted.id))
        if len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            title = f"A socket follows at most {SUBSCRIPTIONS_MAX} topics."
            return self.outbox.put(frames.error(frames.TOO_MANY, title, wanted.id))
        self._subscriptions[wanted.id] = None
        history = group.create_task(self._begin(wanted), name="socket subscription")
        self._histories[wanted.id] = history
        return None

    def _unsubscribe(self, subscription_id: str) -> None:
        history = self._histories.pop(subscription_id, None)
        if history:
            history.cancel()
        subscription = self._subscriptions.pop(subscription_id, None)
        if subscription:
            self.node.broadcaster.leave(subscription)

    async def _begin(self, wanted: Subscribe) -> None:
        """Admit, tell history, and join those who follow the topic live."""
        try:
            topic = await self.node.gate.admit(self.bearer.actor, wanted.topic)
            cursor = await self._tell_history(wanted, topic)
        except NotAdmitted as refused:
            await self._note(refused)
            self._give_up(wanted.id, refused.code, refused.title)
            return
        except (ChangesUnavailable, JournalUnavailable) as unavailable:
            _log.warning("stream.unavailable", error=repr(unavailable.__cause__))
            self._give_up(wanted.id, frames.UNAVAILABLE, "This cannot be read at the moment; try again.")
            return
        # No await from here to the end: nothing live may come before this frame.
        self.outbox.put(frames.caught_up(wanted.id, cursor))
        head = frames.change_head(wanted.id)

        def hand_over(tail: str | None) -> None:
            self.outbox.put(frames.resync(wanted.id) if tail is None else head + tail)

        subscription = Subscription(self.bearer.actor.organization_id, topic, cursor, hand_over)
        self._subscriptions[wanted.id] = subscription
        self._histories.pop(wanted.id, None)
        self.node.broadcaster.join(subscription)

    async def _note(self, refused: NotAdmitted) -> None:
        """For the auditors: what the policy forbids is a forbidden call, whichever way it comes."""
        if refused.operation is not None:
            account_id = self.bearer.actor.account_id
            forbidden = CallForbidden(account_id=account_id, operation=refused.operation, times=1)
            await self.node.note_refused(self.bearer.actor, forbidden)

    def _give_up(self, subscription_id: str, code: int, title: str) -> None:
        self._histories.pop(subscription_id, None)
        self._subscriptions.pop(subscription_id, None)
        self.outbox.put(frames.error(code, title, subscription_id))

    async def _tell_history(self, wanted: Subscribe, topic: str) -> int:
        """Put every change after ``since`` into the outbox; returns the position up to which that is all."""
        feed, organization_id = self.node.feed, self.bearer.actor.organization_id
        # Before the changes are read: all up to here is then among them.
        applied = await feed.applied_through(topic, organization_id)
        if wanted.since is None:
            return applied
        cursor, head = wanted.since, frames.change_head(wanted.id)
        while True:
            changes = await feed.since({topic: cursor}, (organization_id,), CHANGES_PER_TOPIC)
            if await feed.pruned_through(topic, organization_id) > cursor:
                self.outbox.put(frames.resync(wanted.id))
                return max(cursor, applied)
            for change in changes:
                if change.organization_id == organization_id:
                    tail = frames.change_tail(change)
                    await self.outbox.put_patiently(frames.resync(wanted.id) if tail is None else head + tail)
                cursor = change.position
            if len(changes) < CHANGES_PER_TOPIC:
                return max(cursor, applied)
