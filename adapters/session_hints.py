"""That sessions have ended, over Redis pub/sub: who hears it looks at once. Which ones is read from PostgreSQL.

A hint that is lost costs a second, and Redis can neither end a session nor keep one going.
"""

import asyncio
from collections.abc import Callable

import redis
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CHANNEL = "daybook:sessions-ended"
WITHIN_S = 0.5
HEARTBEAT_S = 5.0
RETRY_AFTER_S = 1.0

_log = structlog.get_logger(__name__)


class RedisSessionHints:
    def __init__(self, redis_url: str) -> None:
        # Two, since what is said is said soon or not at all, and what is heard may be long in coming.
        no_retry = Retry(NoBackoff(), 0)
        self._saying = redis.asyncio.Redis.from_url(
            redis_url, socket_connect_timeout=WITHIN_S, socket_timeout=WITHIN_S, retry=no_retry
        )
        self._hearing = redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=WITHIN_S, retry=no_retry)

    async def announce(self) -> None:
        """Tell the other processes, if Redis is there."""
        try:
            await self._saying.publish(CHANNEL, b"")
        except (redis.RedisError, OSError) as error:
            _log.warning("session_hints.unpublished", error=type(error).__name__)

    async def run(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` at every hint, and when some may have been missed; until cancelled."""
        try:
            while True:
                try:
                    await self._receive_until_broken(wake)
                except (redis.RedisError, OSError) as error:
                    _log.warning("session_hints.lost", error=type(error).__name__)
                    await asyncio.sleep(RETRY_AFTER_S)
        finally:
            await self._saying.aclose()
            await self._hearing.aclose()

    async def _receive_until_broken(self, wake: Callable[[], None]) -> None:
        async with self._hearing.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            while True:
                # A connection that has died without a word is not noticed, nor missed: PostgreSQL is read anyway.
                if await pubsub.get_message(timeout=HEARTBEAT_S) is not None:
                    wake()
