"""What comes before a request, and how long it takes to come, is bounded (row 33)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from infra import http_protocol
from infra.http_protocol import HEAD_BYTES_MAX, BoundedHttp
from tests.waiting import until

pytestmark = pytest.mark.security(33)
LOOK_S = 0.2

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(f"{len(body)}")(scope, receive, send)


async def early(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("no", 413)(scope, receive, send)


@asynccontextmanager
async def connected(app: object = echo) -> AsyncIterator[Connection]:
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=BoundedHttp,
        port=0,
        lifespan="off",
        log_level="critical",
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await serving


def running(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "LOOKED_AT_EVERY_S", LOOK_S)


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12",
    ],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
def test_who_sends_a_byte_now_and_then_is_given_up(begun: bytes) -> None:
    async def scenario() -> None:
        async with connected() as (reader, writer):
            writer.write(begun)
            if begun.endswith(b"X-"):
                for _ in range(3):
                    await asyncio.sleep(LOOK_S / 4)
                    writer.write(b"a")
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")

    running(scenario)


def test_a_head_without_end_is_refused_however_it_comes() -> None:
    async def in_pieces() -> None:
        async with connected() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
            for number in range(200):
                writer.write(f"X-{number}: {'a' * 500}\r\n".encode())
            with suppress(ConnectionResetError):  # it may be closed while we go on writing
                assert (await reader.read()).startswith(b"HTTP/1.1 431 ")

    async def at_once() -> None:
        async with connected() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nX: " + b"a" * (HEAD_BYTES_MAX + 10) + b"\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 431 ")

    async def an_address() -> None:
        async with connected() as (reader, writer):
            writer.write(b"GET /" + b"a" * (HEAD_BYTES_MAX + 10))
            assert (await reader.read()).startswith(b"HTTP/1.1 431 ")

    for scenario in (in_pieces, at_once, an_address):
        running(scenario)


def test_who_is_answered_and_goes_on_sending_is_closed() -> None:
    async def scenario() -> None:
        async with connected(early) as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n12")
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert b"408" not in answer

    running(scenario)


def test_a_long_body_and_a_connection_that_is_kept_are_none_of_that() -> None:
    async def scenario() -> None:
        async with connected() as (reader, writer):
            for size in (3, 200_000, 0, HEAD_BYTES_MAX * 2):
                head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
                writer.write(head.encode() + b"x" * size)
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                assert int(await reader.readexactly(len(str(size)))) == size
                await asyncio.sleep(4 * LOOK_S)
            assert not reader.at_eof()

    running(scenario)
