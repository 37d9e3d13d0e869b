"""Hints over Redis pub/sub: projectors publish, nodes that hold sockets subscribe. Redis may be gone at any time."""

import asyncio
import time
from collections.abc import Collection
from uuid import UUID

import msgspec
import redis
import redis.asyncio
import structlog
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from application.hints import HintReceiver

CHANNEL_PREFIX = "daybook:changes:"
CONNECT_WITHIN_S = 0.5
SILENT_FOR_S = 1.0
"""After a failed publish none is tried for so long: a projector must not wait for a Redis that is away."""
HEARTBEAT_S = 5.0
RETRY_AFTER_S = (0.1, 0.25, 0.5, 1.0, 2.0)

_log = structlog.get_logger(__name__)


class _Hint(msgspec.Struct):
    topics: list[str]
    position: int


class RedisHints:
    """The projectors' end, synchronous: the port ``Hints``."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_connect_timeout=CONNECT_WITHIN_S,
            socket_timeout=CONNECT_WITHIN_S,
            retry=Retry(NoBackoff(), 1),  # a connection that died while idle is replaced once
        )
        self._silent_until = 0.0

    def publish(self, organization_id: UUID, topics: Collection[str], position: int) -> None:
        if not topics or time.monotonic() < self._silent_until:
            return
        hint = msgspec.json.encode(_Hint(list(topics), position))
        try:
            self._redis.publish(f"{CHANNEL_PREFIX}{organization_id}", hint)
        except redis.RedisError as error:
            self._silent_until = time.monotonic() + SILENT_FOR_S
            _log.warning("hints.unpublished", error=type(error).__name__, silent_for_s=SILENT_FOR_S)

    def close(self) -> None:
        self._redis.close()


class RedisHintSource:
    """The socket nodes' end, asynchronous: the port ``HintSource``. One connection, a channel per organization."""

    def __init__(self, redis_url: str) -> None:
        # No retry inside the library: it would reconnect without a word, and what was said meanwhile is lost.
        self._redis = redis.asyncio.Redis.from_url(
            redis_url, socket_connect_timeout=CONNECT_WITHIN_S, retry=AsyncRetry(NoBackoff(), 0)
        )
        self._wanted: set[UUID] = set()
        self._wanted_changed = asyncio.Event()

    def listen(self, organization_id: UUID) -> None:
        self._wanted.add(organization_id)
        self._wanted_changed.set()

    def unlisten(self, organization_id: UUID) -> None:
        self._wanted.discard(organization_id)
        self._wanted_changed.set()

    async def run(self, receiver: HintReceiver) -> None:
        failures = 0
        try:
            while True:
                connected_at = time.monotonic()
                try:
                    await self._receive_until_broken(receiver)
                except (redis.RedisError, OSError) as error:
                    receiver.missed()
                    failures = failures + 1 if time.monotonic() - connected_at < HEARTBEAT_S else 1
                    delay_s = RETRY_AFTER_S[min(failures, len(RETRY_AFTER_S)) - 1]
                    _log.warning("hints.lost", error=type(error).__name__, retry_after_s=delay_s)
                    await asyncio.sleep(delay_s)
        finally:
            await self._redis.aclose()

    async def _receive_until_broken(self, receiver: HintReceiver) -> None:
        async with self._redis.pubsub() as pubsub:
            # A channel of no one's, so that there is a connection to watch while no organization is in use.
            await pubsub.subscribe(f"{CHANNEL_PREFIX}none")
            ends = [
                asyncio.create_task(self._keep_channels(pubsub), name="hint channels"),
                asyncio.create_task(self._hand_on(pubsub, receiver), name="hints"),
            ]
            try:
                done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_EXCEPTION)
                for ended in done:
                    ended.result()
            finally:
                for end in ends:
                    end.cancel()
                await asyncio.gather(*ends, return_exceptions=True)

    async def _keep_channels(self, pubsub: PubSub) -> None:
        """Make the subscribed channels those that are wanted, whenever that changes; in between, a heartbeat."""
        subscribed: set[UUID] = set()
        while True:
            self._wanted_changed.clear()
            wanted = set(self._wanted)
            if new := wanted - subscribed:
                await pubsub.subscribe(*(f"{CHANNEL_PREFIX}{organization_id}" for organization_id in new))
            if gone := subscribed - wanted:
                await pubsub.unsubscribe(*(f"{CHANNEL_PREFIX}{organization_id}" for organization_id in gone))
            subscribed = wanted
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._wanted_changed.wait()
            except TimeoutError:
                await pubsub.ping()

    async def _hand_on(self, pubsub: PubSub, receiver: HintReceiver) -> None:
        while True:
            message = await pubsub.get_message(timeout=3 * HEARTBEAT_S)
            if message is None:
                raise redis.TimeoutError("no answer to the heartbeat")
            match message["type"]:
                case "subscribe":
                    receiver.missed()  # whatever was said before this moment was not heard
                case "message":
                    _hand_on_one(message["channel"].decode(), message["data"], receiver)
                case _:
                    pass  # unsubscribed, pong


def _hand_on_one(channel: str, payload: bytes, receiver: HintReceiver) -> None:
    try:
        organization_id = UUID(channel.removeprefix(CHANNEL_PREFIX))
        hint = msgspec.json.decode(payload, type=_Hint)
    except (ValueError, msgspec.DecodeError) as error:
        _log.warning("hints.malformed", channel=channel, error=str(error))
        receiver.missed()
        return
    receiver.changed(organization_id, hint.topics, hint.position)
