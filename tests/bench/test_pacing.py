"""The client that keeps a pace, against servers of a few lines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count, pairwise

import pytest

from tests.bench.load import LoadFailed, http_request
from tests.bench.pacing import Answered, keep_pace

REQUEST = http_request("POST", "/v1/appointments", token="t", body=b"{}")
PACE = 200


@asynccontextmanager
async def server(status: str = "201 Created", takes_s: float = 0.0) -> AsyncIterator[str]:
    """Answers each POST with the next position."""
    positions = count(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1_000):
            await asyncio.sleep(takes_s)
            head = f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nJournal-Position: {next(positions)}\r\n\r\n"
            writer.write(head.encode())
            await asyncio.sleep(0)
            writer.write(b"{}")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def answers_of(server_: AbstractAsyncContextManager[str], how_many: int, connections: int = 4) -> list[Answered]:
    async with server_ as url:
        return await keep_pace(url, [REQUEST] * how_many, per_second=PACE, connections=connections)


def test_requests_are_due_at_even_intervals_and_all_are_answered() -> None:
    answers = asyncio.run(answers_of(server(), 20))
    assert sorted(answer.position for answer in answers) == list(range(1, 21))
    due = sorted(answer.due_at for answer in answers)
    assert [later - sooner for sooner, later in pairwise(due)] == pytest.approx([1 / PACE] * 19, abs=1e-4)


def test_what_waits_for_a_connection_is_late_from_the_time_at_which_it_was_due() -> None:
    answers = asyncio.run(answers_of(server(takes_s=0.1), 3, connections=1))
    waited_s = [answer.answered_at - answer.due_at for answer in answers]
    assert all(waited > 0.09 * nth for nth, waited in enumerate(waited_s, 1))


def test_a_refusal_fails_the_load() -> None:
    with pytest.raises(LoadFailed, match="2 refused"):
        asyncio.run(answers_of(server("409 Conflict"), 2))
