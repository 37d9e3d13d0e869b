"""The schedule is the seed's, and the proxy cuts where it is told: else no run could be had again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.torture.proxy import Cutter, Proxy, tcp
from tests.torture.schedule import PROFILES, schedule

SHORT = PROFILES["short"]


def test_the_same_seed_makes_the_same_faults() -> None:
    assert schedule(7, SHORT) == schedule(7, SHORT)
    assert schedule(7, SHORT) != schedule(8, SHORT)


def test_every_fault_of_a_profile_comes_as_often_as_it_says_and_every_process_is_killed() -> None:
    faults = schedule(7, SHORT)
    assert len(faults) == sum(SHORT.faults.values())
    assert {fault.whom for fault in faults if fault.what == "kill"} == {
        "serve:0",
        "serve:1",
        "relay",
        "project",
        "notify",
        "timekeeper",
        "checkpoint",
    }


def test_the_proxy_passes_on_what_is_said_until_it_is_told_to_lose_an_answer() -> None:
    async def talk() -> None:
        async with _echo() as (proxy, heard):
            assert await _said(proxy, b"COMMIT\0") == b"COMMIT\0"
            proxy.cutter.lose_next()
            assert await _said(proxy, b"SELECT\0") == b"SELECT\0"  # not what it waits for
            assert await _said(proxy, b"COMMIT\0") == b""  # when: the request has arrived, its answer has not
            assert heard == [b"COMMIT\0", b"SELECT\0", b"COMMIT\0"]
            assert await _said(proxy, b"COMMIT\0") == b"COMMIT\0"  # then: only the next one
            assert proxy.cutter.lost == 1

    asyncio.run(talk())


def test_the_proxy_cuts_every_connection() -> None:
    async def talk() -> None:
        async with _echo() as (proxy, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(b"here")
            assert await reader.readexactly(4) == b"here"
            proxy.cut_all()
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 5) == b""

    asyncio.run(talk())


@asynccontextmanager
async def _echo() -> AsyncIterator[tuple[Proxy, list[bytes]]]:
    heard: list[bytes] = []

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1_000):
            heard.append(data)
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(repeat, "127.0.0.1", 0)
    proxy = Proxy(tcp(server.sockets[0].getsockname()[1]), Cutter(b"COMMIT\0"))
    await asyncio.to_thread(proxy.start)
    try:
        yield proxy, heard
    finally:
        await asyncio.to_thread(proxy.stop)
        server.close()


async def _said(proxy: Proxy, what: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(what)
    try:
        return await asyncio.wait_for(reader.read(len(what)), 5)
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()
