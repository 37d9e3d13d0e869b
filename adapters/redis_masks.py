"""Availability masks in Redis: the ports ``MaskCache`` (API) and ``MaskSink`` (projector). Redis may be gone any time.

One key for each block, so that a month of 200 resources is one MGET of 1,000 values (measured: 3.9 ms; 6,200 keys of
one day each took 20 ms, and joining the values up in Lua was slower than MGET). A value is the block's version in 16
digits, then its planes.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import redis
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from application.masks import Block, BlockKey
from domain.possible_starts import BLOCK_MIN

WITHIN_S = 0.5
SILENT_FOR_S = 1.0
"""After a failure nothing is asked for so long: neither a projector nor a request waits for a Redis that is away."""
KEPT_FOR_S = 30 * 24 * 3600
"""What nobody has written for so long is forgotten; the source still knows it."""
BLOCKS_PER_CALL_MAX = 1_000
FORMAT = "1"
"""To be raised when the same facts come to mean other planes: then no block of before is read again."""

_DIGITS = 16

# Compare and set. The version is compared as a number (exact up to 2^53): Lua compares strings by the server's locale.
_KEEP = """
local same_too = ARGV[1] == 'same too'
for i, key in ipairs(KEYS) do
    local value = ARGV[i + 2]
    local there = tonumber(redis.call('GETRANGE', key, 0, 15))
    local new = tonumber(string.sub(value, 1, 16))
    if not there or there < new or (same_too and there == new) then
        redis.call('SET', key, value, 'EX', ARGV[2])
    end
end
"""

_log = structlog.get_logger(__name__)


class _Silence:
    """Whether Redis is to be left alone for a moment."""

    def __init__(self) -> None:
        self._until = 0.0

    def __bool__(self) -> bool:
        return time.monotonic() < self._until

    def begin(self, error: Exception) -> None:
        self._until = time.monotonic() + SILENT_FOR_S
        _log.warning("masks.cache_away", error=type(error).__name__, silent_for_s=SILENT_FOR_S)


class RedisMaskCache:
    """The API's end, asynchronous. ``namespace`` names the journal (its epoch): another journal, other masks."""

    def __init__(self, redis_url: str, namespace: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(
            redis_url,
            socket_connect_timeout=WITHIN_S,
            socket_timeout=WITHIN_S,
            retry=AsyncRetry(NoBackoff(), 1),  # a connection that died while idle is replaced once
        )
        self._keep = self._redis.register_script(_KEEP)
        self._prefix = _prefix(namespace)
        self._silence = _Silence()

    async def get(self, keys: Sequence[BlockKey]) -> Sequence[Block | None]:
        if self._silence or not keys:
            return [None] * len(keys)
        try:
            values = await self._redis.mget([_name(self._prefix, key) for key in keys])
        except (redis.RedisError, OSError) as error:
            self._silence.begin(error)
            return [None] * len(keys)
        return [_block(value) for value in values]

    async def fill(self, blocks: Mapping[BlockKey, Block]) -> None:
        if self._silence:
            return
        try:
            for names, values in _calls(self._prefix, blocks):
                await self._keep(keys=names, args=["later only", KEPT_FOR_S, *values])
        except (redis.RedisError, OSError) as error:
            self._silence.begin(error)

    async def close(self) -> None:
        await self._redis.aclose()


class RedisMaskSink:
    """The projector's end, synchronous."""

    def __init__(self, redis_url: str, namespace: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_connect_timeout=WITHIN_S, socket_timeout=WITHIN_S, retry=Retry(NoBackoff(), 1)
        )
        self._keep = self._redis.register_script(_KEEP)
        self._prefix = _prefix(namespace)
        self._silence = _Silence()

    def put(self, blocks: Mapping[BlockKey, Block]) -> None:
        if self._silence:
            return
        try:
            for names, values in _calls(self._prefix, blocks):
                self._keep(keys=names, args=["same too", KEPT_FOR_S, *values])
        except (redis.RedisError, OSError) as error:
            self._silence.begin(error)

    def close(self) -> None:
        self._redis.close()


def _prefix(namespace: str) -> bytes:
    return f"daybook:masks:{FORMAT}:{namespace}:".encode()


def _name(prefix: bytes, key: BlockKey) -> bytes:
    return prefix + key.resource_id.bytes + key.number.to_bytes(4, "big", signed=True)


def _block(value: Any) -> Block | None:
    if not isinstance(value, bytes) or not value[:_DIGITS].isdigit() or (len(value) - _DIGITS) % (BLOCK_MIN // 8):
        return None  # not there, or not written by us
    return Block(int(value[:_DIGITS]), value[_DIGITS:])


def _calls(prefix: bytes, blocks: Mapping[BlockKey, Block]) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Names and values, as much at a time as a script may hold Redis up for."""
    several = list(blocks.items())
    for at in range(0, len(several), BLOCKS_PER_CALL_MAX):
        part = several[at : at + BLOCKS_PER_CALL_MAX]
        values = [str(block.version).zfill(_DIGITS).encode() + block.planes for _, block in part]
        yield [_name(prefix, key) for key, _ in part], values
