"""Read your writes: the fence opens with the commit that it waits for, and never before."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import psycopg
import pytest

from adapters.progress import ProgressListener
from api.position import Fence, MalformedPosition, NotReached, parsed_position
from tests.api.socket_node import CLINIC, PARTITIONS, NoHints, Projector
from tests.waiting import until

SINK = "resource_calendars"
NEIGHBOUR = UUID(int=CLINIC.int + PARTITIONS)
"""Another organization on the same partition."""
ELSEWHERE = UUID(int=CLINIC.int + 1)
"""An organization on another partition."""
TOPIC = "resource:00000000-0000-0000-0000-000000000001:calendar"


@pytest.fixture(scope="module")
def projector(postgres_url: str) -> Iterator[Projector]:
    writing = Projector(postgres_url, NoHints())
    yield writing
    writing.close()


_drawn = 0


def position() -> int:
    """The next position of the module's journal."""
    global _drawn  # noqa: PLW0603  the module's tests share a database
    _drawn += 1
    return _drawn


@asynccontextmanager
async def listening(postgres_url: str) -> AsyncIterator[Fence]:
    fence = Fence(PARTITIONS)
    listener = asyncio.create_task(ProgressListener(postgres_url, (SINK, "never_built")).run(fence))
    try:
        await until(lambda: fence.position(SINK, CLINIC) is not None)
        yield fence
    finally:
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener


def test_what_was_applied_before_the_node_started_is_known_to_it(postgres_url: str, projector: Projector) -> None:
    projector.write([before := position()], TOPIC)

    async def scenario() -> None:
        async with listening(postgres_url) as fence:
            assert await fence.reached(SINK, CLINIC, before, timeout_s=0)
            assert not await fence.reached(SINK, CLINIC, before + 1, timeout_s=0)

    asyncio.run(scenario())


def test_a_reader_waits_for_the_commit_and_goes_on_at_once(postgres_url: str, projector: Projector) -> None:
    async def scenario() -> float:
        async with listening(postgres_url) as fence:
            wanted = position()
            waiting = asyncio.create_task(fence.reached(SINK, CLINIC, wanted))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await asyncio.to_thread(projector.write, [wanted], TOPIC)
            committed = time.perf_counter()
            assert await waiting
            assert await fence.reached(SINK, NEIGHBOUR, wanted, timeout_s=0)
            assert not await fence.reached(SINK, ELSEWHERE, wanted, timeout_s=0)
            return time.perf_counter() - committed

    assert asyncio.run(scenario()) < 1.0  # a lost wake-up would cost two seconds


def test_what_was_rolled_back_opens_nothing(postgres_url: str, projector: Projector) -> None:
    async def scenario() -> None:
        async with listening(postgres_url) as fence:
            wanted = position()
            with psycopg.connect(postgres_url) as connection:
                connection.execute("SELECT pg_notify('daybook_progress', %s)", (f"{SINK} 1 {wanted}",))
                connection.rollback()
            assert not await fence.reached(SINK, CLINIC, wanted, timeout_s=0.2)

    asyncio.run(scenario())


def test_after_a_broken_connection_nothing_is_believed_until_it_was_read_again(
    postgres_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with listening(postgres_url) as fence:
            projector.write([known := position()], TOPIC)
            assert await fence.reached(SINK, CLINIC, known)
            wanted = position()
            waiting = asyncio.create_task(fence.reached(SINK, CLINIC, wanted, timeout_s=5.0))
            with psycopg.connect(postgres_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'daybook progress' AND datname = current_database()"
                )
                # Said while no one listens: found again by reading.
                projector.write([wanted], TOPIC)
            assert await waiting

    asyncio.run(scenario())


def test_a_lost_connection_forgets_every_position() -> None:
    async def scenario() -> None:
        fence = Fence(PARTITIONS)
        fence.moved(SINK, CLINIC.int % PARTITIONS, 7)
        assert await fence.reached(SINK, CLINIC, 7, timeout_s=0)
        fence.lost()
        assert fence.position(SINK, CLINIC) is None
        assert not await fence.reached(SINK, CLINIC, 7, timeout_s=0)

    asyncio.run(scenario())


def test_many_readers_wait_for_many_positions_without_asking_the_database(
    postgres_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with listening(postgres_url) as fence:
            wanted = [position() for _ in range(200)]
            waiting = [asyncio.create_task(fence.reached(SINK, CLINIC, each, timeout_s=5)) for each in wanted * 3]
            for at in range(0, len(wanted), 20):
                await asyncio.to_thread(projector.write, wanted[at : at + 20], TOPIC)
            assert all(await asyncio.gather(*waiting))
            assert fence.tally.waited == len(waiting)
            assert fence.tally.timed_out == 0

    asyncio.run(scenario())


def test_a_query_without_a_position_does_not_wait_and_one_from_the_future_is_told_to_come_back() -> None:
    async def scenario() -> None:
        fence = Fence(PARTITIONS)
        await fence.pass_or_raise(SINK, CLINIC, None)
        await fence.pass_or_raise(SINK, CLINIC, "0")
        began = time.perf_counter()
        with pytest.raises(NotReached) as refused:
            await fence.pass_or_raise(SINK, CLINIC, "1")
        assert 1.9 < time.perf_counter() - began < 3.0
        assert refused.value.retry_after_s == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1.0", "0x1", "1_000", "٣", "²", "9" * 19, "9" * 400])
def test_a_header_that_is_no_position_is_malformed(text: str) -> None:
    with pytest.raises(MalformedPosition):
        parsed_position(text)
