"""One contract for every place that masks are cached in."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID, uuid4

import pytest
import redis

from adapters.memory_masks import MemoryMasks
from adapters.redis_masks import RedisMaskCache, RedisMaskSink
from application.masks import STAMPED, Block, BlockKey, MaskCache, Masks, MaskSink, MaskSource
from domain.bit_planes import minutes, packed
from domain.possible_starts import BLOCK_MIN

ROOM = UUID(int=1)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
HERE = BlockKey(ROOM, 2600)
NEXT = BlockKey(ROOM, 2601)
BEFORE_1970 = BlockKey(ROOM, -3)


def planes(start: int, end: int) -> bytes:
    return packed((minutes(start, end),), BLOCK_MIN)


class Place(Protocol):
    """Runs ``body`` with the cache's reading end; ``sink`` writes to the same place."""

    sink: MaskSink

    def __call__(self, body: Callable[[MaskCache], Awaitable[None]]) -> None: ...


class MemoryPlace:
    def __init__(self) -> None:
        self.masks = MemoryMasks()
        self.sink: MaskSink = self.masks

    def __call__(self, body: Callable[[MaskCache], Awaitable[None]]) -> None:
        asyncio.run(_run(body, self.masks))


class RedisPlace:
    def __init__(self, url: str, namespace: str) -> None:
        self.url, self.namespace = url, namespace
        self.sink: MaskSink = RedisMaskSink(url, namespace)

    def __call__(self, body: Callable[[MaskCache], Awaitable[None]]) -> None:
        async def with_cache() -> None:
            cache = RedisMaskCache(self.url, self.namespace)
            try:
                await body(cache)
            finally:
                await cache.close()

        asyncio.run(with_cache())


async def _run(body: Callable[[MaskCache], Awaitable[None]], cache: MaskCache) -> None:
    await body(cache)


@pytest.fixture(params=["memory", "redis"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        yield MemoryPlace()
        return
    place = RedisPlace(request.getfixturevalue("valkey_url"), uuid4().hex)
    yield place
    assert isinstance(place.sink, RedisMaskSink)
    place.sink.close()


def test_what_the_projector_puts_is_what_is_read_and_the_rest_is_missing(place: Place) -> None:
    put = {HERE: Block(7, planes(0, 60)), BEFORE_1970: Block(8, b"")}
    place.sink.put(put)

    async def body(cache: MaskCache) -> None:
        assert list(await cache.get([NEXT, HERE, BEFORE_1970])) == [None, put[HERE], put[BEFORE_1970]]
        assert list(await cache.get([])) == []

    place(body)


def test_an_older_version_never_replaces_a_later_one_whoever_writes_it(place: Place) -> None:
    newer, older = Block(10, planes(0, 60)), Block(9, planes(0, 30))  # as text "9" would come after "10"
    place.sink.put({HERE: newer})
    place.sink.put({HERE: older, NEXT: older})

    async def body(cache: MaskCache) -> None:
        await cache.fill({HERE: older})
        assert list(await cache.get([HERE, NEXT])) == [newer, older]

    place(body)


def test_a_later_version_replaces_an_older_one_whoever_writes_it(place: Place) -> None:
    place.sink.put({HERE: Block(9, planes(0, 30))})
    filled, put = Block(10, planes(0, 60)), Block(2**52, planes(0, 90))

    async def body(cache: MaskCache) -> None:
        await cache.fill({HERE: filled})
        assert list(await cache.get([HERE])) == [filled]
        place.sink.put({HERE: put})
        assert list(await cache.get([HERE])) == [put]

    place(body)


def test_many_blocks_are_kept_in_one_go(place: Place) -> None:
    many = {BlockKey(UUID(int=n), 2600): Block(n, planes(0, 1 + n % 1440)) for n in range(1, 2_300)}
    place.sink.put(many)

    async def body(cache: MaskCache) -> None:
        assert dict(zip(many, await cache.get(list(many)), strict=True)) == many

    place(body)


# ── Reading through the cache ────────────────────────────────────────────────────────────────────────────────────────


class Source(MaskSource):
    """What the read model would say; counts how often blocks are read from it."""

    def __init__(self, blocks: dict[BlockKey, Block]) -> None:
        self.blocks = blocks
        self.without_overdue: dict[BlockKey, bytes] = {}
        self.read_keys: list[BlockKey] = []

    async def versions(self, resource_ids, first, last, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG002
        return [self._of(resource_id, range(first, last + 1)) for resource_id in resource_ids]

    def _of(self, resource_id: UUID, numbers: range) -> bytes | Sequence[bytes]:
        keys = [BlockKey(resource_id, number) for number in numbers]
        if any(key in self.without_overdue for key in keys):
            return [self.without_overdue.get(key, b"") for key in keys]
        return b"".join(STAMPED.pack(key.number, self.blocks[key].version) for key in keys if key in self.blocks)

    async def read(self, keys):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
        self.read_keys += keys
        return {key: self.blocks[key] for key in keys}


def test_a_flushed_cache_is_filled_again_from_the_source_and_only_then_used(place: Place) -> None:
    source = Source({HERE: Block(7, planes(0, 60)), NEXT: Block(5, planes(5, 9))})

    async def body(cache: MaskCache) -> None:
        masks = Masks(source, cache)
        for _ in range(3):
            assert await masks.read([ROOM, UUID(int=2)], HERE.number - 1, NEXT.number, NOW) == {
                ROOM: [b"", source.blocks[HERE].planes, source.blocks[NEXT].planes],
                UUID(int=2): [b"", b"", b""],
            }
        assert sorted(source.read_keys) == [HERE, NEXT]

    place(body)


def test_a_cache_that_has_come_back_from_the_past_is_not_believed(place: Place) -> None:
    place.sink.put({HERE: Block(6, planes(0, 30))})
    source = Source({HERE: Block(7, planes(0, 60))})

    async def body(cache: MaskCache) -> None:
        assert await Masks(source, cache).read([ROOM], HERE.number, HERE.number, NOW) == {
            ROOM: [source.blocks[HERE].planes]
        }
        assert list(await cache.get([HERE])) == [source.blocks[HERE]]

    place(body)


def test_a_cache_that_is_ahead_of_the_source_is_believed(place: Place) -> None:
    ahead = Block(8, planes(0, 90))  # the projector writes it before its commit
    place.sink.put({HERE: ahead})
    source = Source({HERE: Block(7, planes(0, 60))})

    async def body(cache: MaskCache) -> None:
        assert await Masks(source, cache).read([ROOM], HERE.number, HERE.number, NOW) == {ROOM: [ahead.planes]}

    place(body)


def test_planes_that_the_source_gives_at_once_are_taken_as_they_are_and_not_kept(place: Place) -> None:
    place.sink.put({HERE: Block(7, planes(0, 60))})
    source = Source({HERE: Block(7, planes(0, 60))})
    source.without_overdue[HERE] = planes(0, 30)

    async def body(cache: MaskCache) -> None:
        assert await Masks(source, cache).read([ROOM], HERE.number, HERE.number, NOW) == {ROOM: [planes(0, 30)]}
        assert list(await cache.get([HERE])) == [source.blocks[HERE]]
        assert source.read_keys == []

    place(body)


def test_without_redis_the_source_answers_and_no_one_waits_or_fails() -> None:
    nowhere = "redis://127.0.0.1:1/0"
    source = Source({HERE: Block(7, planes(0, 60))})
    sink = RedisMaskSink(nowhere, "test")
    sink.put(source.blocks)

    async def body() -> None:
        cache = RedisMaskCache(nowhere, "test")
        assert await Masks(source, cache).read([ROOM], HERE.number, HERE.number, NOW) == {
            ROOM: [source.blocks[HERE].planes]
        }
        await cache.close()

    asyncio.run(body())
    sink.close()


def test_what_another_wrote_under_our_name_is_no_block(valkey_url: str) -> None:
    place = RedisPlace(valkey_url, "test")
    place.sink.put({HERE: Block(7, planes(0, 60))})
    with redis.Redis.from_url(valkey_url) as client:
        (name,) = client.keys("*")
        client.set(name, b"rubbish")

    async def body(cache: MaskCache) -> None:
        assert list(await cache.get([HERE])) == [None]
        await cache.fill({HERE: Block(3, b"")})
        assert list(await cache.get([HERE])) == [Block(3, b"")]

    place(body)


def test_two_journals_on_one_redis_do_not_meet(valkey_url: str) -> None:
    RedisPlace(valkey_url, "one").sink.put({HERE: Block(7, planes(0, 60))})

    async def body(cache: MaskCache) -> None:
        assert list(await cache.get([HERE])) == [None]

    RedisPlace(valkey_url, "two")(body)
