"""More than can be done is refused at once, before anything is made of it; health and metrics never are (row 17)."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from api.admission import LATE_S, LIMIT_FIRST, LIMIT_MAX, LIMIT_MIN, LOOKS_BEFORE_LESS, MORE, Admission
from infra.http_protocol import BoundedHttp
from tests.waiting import until


def busy(limit: int = LIMIT_FIRST) -> Admission:
    admission = Admission()
    admission.limit = admission.in_flight = limit
    return admission


def test_the_limit_falls_only_when_the_loop_is_late_time_after_time() -> None:
    admission = busy()
    for _ in range(LOOKS_BEFORE_LESS - 1):
        admission.looked(2 * LATE_S, 0.0)
    admission.looked(0.0, 0.0)
    assert admission.limit >= LIMIT_FIRST  # a burst

    for _ in range(100):
        admission.in_flight = admission.limit
        admission.looked(2 * LATE_S, 0.0)
    assert admission.limit == LIMIT_MIN  # and no further


def test_the_limit_rises_where_it_was_all_needed_and_the_loop_keeps_up() -> None:
    admission = busy(LIMIT_MIN)
    admission.looked(0.0, 0.0)
    assert admission.limit == LIMIT_MIN + MORE
    admission.looked(0.0, 0.0)
    assert admission.limit == LIMIT_MIN + MORE  # what is not needed says nothing
    for _ in range(1_000):
        admission.in_flight = admission.limit
        admission.looked(0.0, 0.0)
    assert admission.limit == LIMIT_MAX


def test_a_late_loop_with_little_under_way_turns_nobody_away() -> None:
    admission = Admission()
    admission.in_flight = 3
    for _ in range(100):
        admission.looked(1.0, 0.0)
    assert admission.limit == LIMIT_FIRST
    assert not admission.refuses("/v1/appointments")


def test_the_limit_falls_where_answers_take_long_though_the_loop_keeps_up() -> None:
    admission = busy()
    admission.began("a", 10.0)
    admission.looked(0.0, 10.5)
    assert admission.limit >= LIMIT_FIRST
    admission.looked(0.0, 11.1)
    assert admission.limit < LIMIT_FIRST

    admission.began("b", 12.0)  # the next to begin is the next to be looked at
    was = admission.limit
    admission.looked(0.0, 12.5)
    assert admission.limit > was
    admission.ended("b")
    admission.looked(0.0, 60.0)
    assert admission.limit > was


def test_one_slow_request_among_few_turns_nobody_away() -> None:
    admission = Admission()
    admission.began("export", 0.0)
    for _ in range(100):
        admission.looked(0.0, 60.0)
    assert admission.limit == LIMIT_FIRST


async def _served(scenario: Callable[[str, Admission, asyncio.Event], Awaitable[None]]) -> None:
    app, released = FastAPI(), asyncio.Event()
    app.state.admission = admission = Admission()

    @app.post("/slow")
    async def slow() -> str:
        await released.wait()
        return "done"

    @app.get("/livez")
    async def livez() -> str:
        return "alive"

    server = uvicorn.Server(uvicorn.Config(app, http=BoundedHttp, port=0, lifespan="off", log_level="critical"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        await scenario(f"http://127.0.0.1:{port}", admission, released)
    finally:
        released.set()
        server.should_exit = True
        await serving


@pytest.mark.parametrize("body", [b"", b"x" * 200_000])
def test_beyond_the_limit_the_answer_is_a_quick_503_and_the_connection_stays_of_use(body: bytes) -> None:
    async def scenario(url: str, admission: Admission, released: asyncio.Event) -> None:
        admission.limit = 2
        one_line = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(base_url=url) as many, httpx.AsyncClient(base_url=url, limits=one_line) as client:
            under_way = [asyncio.create_task(many.post("/slow")) for _ in range(2)]  # given
            await until(lambda: admission.in_flight == 2)

            for _ in range(3):  # when
                refused = await client.post("/slow", content=body)
                assert refused.status_code == 503  # then
                assert refused.headers["Retry-After"] == "1"
                assert refused.headers["content-type"] == "application/problem+json"
                assert refused.json()["type"] == "/problems/overloaded"
                assert refused.json()["instance"] == "/slow"
                assert (await client.get("/livez")).status_code == 200
            assert admission.refused == 3

            released.set()
            assert [answer.status_code for answer in await asyncio.gather(*under_way)] == [200, 200]
            await until(lambda: admission.in_flight == 0)
            assert (await client.post("/slow", content=body)).status_code == 200

    async def bounded() -> None:
        async with asyncio.timeout(20):
            await _served(scenario)

    asyncio.run(bounded())
