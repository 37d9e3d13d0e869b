"""Both clients send what was prepared, each once or over again, and count what came back."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from tests.bench import load
from tests.bench.load import LoadFailed, http_request, put_load

CLIENTS = [
    pytest.param(load.WRK, id="wrk", marks=pytest.mark.skipif(not load.WRK, reason="wrk is not installed")),
    None,
]


@contextmanager
def server(*, refuses: str = "") -> Iterator[tuple[str, Counter[str]]]:
    """Answers every request, those for a path that ends in ``refuses`` by 409; counts the paths that were asked for."""
    asked: Counter[str] = Counter()
    ready, address, done = Event(), [""], asyncio.Event()
    loop = asyncio.new_event_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ")[1].decode()
                asked[path] += 1
                status = b"409 Conflict" if refuses and path.endswith(refuses) else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        address[0] = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        ready.set()
        async with listening:
            await done.wait()

    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait()
    try:
        yield address[0], asked
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "WRK", request.param)


@pytest.mark.usefixtures("client")
def test_each_prepared_request_is_sent_once() -> None:
    requests = [http_request("GET", f"/{number}", token="t") for number in range(200_000)]
    with server() as (url, asked):
        outcome = put_load(url, requests, seconds=1)
    assert outcome.answers > 0
    assert outcome.errors == 0
    assert max(asked.values()) == 1
    assert outcome.per_second == pytest.approx(outcome.answers, rel=0.5)


@pytest.mark.usefixtures("client")
def test_requests_may_begin_again() -> None:
    with server() as (url, asked):
        put_load(url, [http_request("GET", "/again", token="t")], seconds=1, repeat=True)
    assert asked["/again"] > 1


@pytest.mark.usefixtures("client")
def test_too_few_requests_are_no_figure() -> None:
    with server() as (url, _), pytest.raises((LoadFailed, ExceptionGroup)):
        put_load(url, [http_request("GET", "/", token="t")] * 20, seconds=1)


@pytest.mark.usefixtures("client")
def test_refusals_are_answers_only_where_they_are_expected() -> None:
    requests = [http_request("GET", f"/{number}", token="t") for number in range(10)]
    with server(refuses="7") as (url, _):
        with pytest.raises(LoadFailed, match="errors"):
            put_load(url, requests, seconds=1, repeat=True)
        outcome = put_load(url, requests, seconds=1, repeat=True, errors_allowed=True)
    assert outcome.errors == pytest.approx(outcome.answers / 10, abs=32)
