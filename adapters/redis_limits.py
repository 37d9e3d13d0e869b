"""Counts that all processes share, in Redis: the ports ``SharedCounts``, ``Doorman`` and ``Tries``.

Keys are digests and ids, never an address or a name: who came from where is personal data.
"""

import time
from collections.abc import Sequence
from typing import Any, cast

import redis
import redis.asyncio
from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from application.rate_limits import Limit, LimitsUnavailable, Tell
from application.sign_in_tries import Bucket, Tried

WITHIN_S = 0.5
PREFIX = "daybook:rate"
KNOWN_FOR_S = 90 * 24 * 3600
"""How long an address is known as one that an account has signed in from."""

# All buckets let the try through, or none loses anything by it. A bucket's value is the time at which it is full again.
_TRY = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local trusted = ARGV[1] == '1' or redis.call('EXISTS', KEYS[1]) == 1
local first, last = 3, #KEYS
if trusted then first, last = 2, 2 end
local wait = 0
local full = {}
for i = first, last do
    local burst, every = tonumber(ARGV[2 * i - 2]), tonumber(ARGV[2 * i - 1])
    full[i] = math.max(now, tonumber(redis.call('GET', KEYS[i]) or '0')) + every
    wait = math.max(wait, full[i] - now - burst * every)
end
if wait > 0 then return {tostring(wait), first, last} end
for i = first, last do
    redis.call('SET', KEYS[i], string.format('%.6f', full[i]), 'EX', math.ceil(full[i] - now) + 1)
end
return {'0', first, last}
"""

_BACK = """
for i = first, #KEYS do
    local full = tonumber(redis.call('GET', KEYS[i]) or '')
    if full then redis.call('SET', KEYS[i], string.format('%.6f', full - tonumber(ARGV[i])), 'KEEPTTL') end
end
"""
_GIVE_BACK = f"local first = 1 {_BACK}"
# The try was the owner's: their bucket is full again, and the others have back what it cost.
_SUCCEED = f"""
redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
if KEYS[2] then redis.call('DEL', KEYS[2]) end
local first = 3 {_BACK}
"""


class RedisLimits:
    """One client, with a pool of its own. ``Windows`` tell it what they count; the sign-in asks it before each try."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            redis_url, socket_connect_timeout=WITHIN_S, socket_timeout=WITHIN_S, retry=Retry(NoBackoff(), 1)
        )
        self._try = self._redis.register_script(_TRY)
        self._succeed = self._redis.register_script(_SUCCEED)
        self._give_back = self._redis.register_script(_GIVE_BACK)
        # By our own connections: the address that the library wants besides is not used.
        storage = RedisStorage(
            "async+redis://ours:6379",
            implementation="redispy",
            key_prefix=PREFIX,
            connection_pool=cast(Any, self._redis.connection_pool),
        )
        self._windows = SlidingWindowCounterRateLimiter(storage)

    async def add(self, counted: Sequence[Tell]) -> Sequence[tuple[int, int]]:
        pipeline = self._redis.pipeline(transaction=False)
        for one in counted:
            key = f"{PREFIX}:{one.key}"
            pipeline.incrby(key, one.count)
            pipeline.expire(key, one.lasts_s)
            pipeline.get(f"{PREFIX}:{one.before}")
        try:
            answers = await pipeline.execute()
        except (redis.RedisError, OSError) as error:
            raise LimitsUnavailable from error
        return [(int(answers[at]), int(answers[at + 2] or 0)) for at in range(0, len(answers), 3)]

    async def spend(
        self,
        known: str,
        own: tuple[str, Bucket],
        strangers: Sequence[tuple[str, Bucket]],
        *,
        trusted: bool,
    ) -> Tried:
        buckets = [own, *strangers]
        keys = [f"{PREFIX}:{name}" for name in (known, *(name for name, _ in buckets))]
        numbers = [number for _, bucket in buckets for number in (bucket.burst, bucket.every_s)]
        try:
            wait, first, last = await self._try(keys=keys, args=[int(trusted), *numbers])
        except (redis.RedisError, OSError) as error:
            raise LimitsUnavailable from error
        return Tried(float(wait), buckets[first - 2 : last - 1])

    async def succeed(self, known: str, spent: Sequence[tuple[str, Bucket]]) -> None:
        keys = [f"{PREFIX}:{name}" for name in (known, *(name for name, _ in spent))]
        try:
            await self._succeed(keys=keys, args=[KNOWN_FOR_S, *(bucket.every_s for _, bucket in spent)])
        except (redis.RedisError, OSError) as error:
            raise LimitsUnavailable from error

    async def give_back(self, spent: Sequence[tuple[str, Bucket]]) -> None:
        keys = [f"{PREFIX}:{name}" for name, _ in spent]
        try:
            await self._give_back(keys=keys, args=[bucket.every_s for _, bucket in spent])
        except (redis.RedisError, OSError) as error:
            raise LimitsUnavailable from error

    async def knock(self, limit: Limit, client: str) -> float:
        """A sliding window of the ``limits`` library."""
        window = RateLimitItemPerSecond(limit.count, limit.window_s, namespace="door")
        try:
            if await self._windows.hit(window, limit.name, client):
                return 0.0
            changes_at = (await self._windows.get_window_stats(window, limit.name, client)).reset_time
        except (redis.RedisError, OSError) as error:
            raise LimitsUnavailable from error
        return max(1.0, changes_at - time.time())

    async def close(self) -> None:
        await self._redis.aclose()
