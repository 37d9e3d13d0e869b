"""An operation answers as FastAPI itself would: the same endpoint, called in both ways, is asked the same."""

import asyncio
import gc
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api.app import ROUTERS
from api.edge import Edge
from api.metrics import Metrics
from api.operation import Operation
from api.refusing import answer_with_problems
from api.values import Body, Count, Instant

ID = "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11"
JSON = {"Content-Type": "application/json"}


class Wish(Body):
    start: Instant
    count: Count = 1
    marks: Annotated[list[UUID] | None, Field(max_length=2)] = None


class Nobody(Exception):  # noqa: N818
    """Whoever asks has not said who."""


async def _asker(request: Request) -> str:
    if not request.headers["x-name"]:
        raise Nobody
    return request.headers["x-name"]


Asker = Annotated[str, Depends(_asker)]


async def wish(
    asker: Asker,
    thing_id: UUID,
    body: Wish,
    at: Annotated[Instant | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=10)] = 5,
    word: str = "",
) -> Response:
    return JSONResponse([asker, str(thing_id), body.model_dump(mode="json"), at and at.isoformat(), limit, word])


async def ask(asker: Asker, day: datetime | None = None, body: Wish | None = None) -> Response:
    return JSONResponse([asker, str(day), body and body.count])


def answering(route_class: type[APIRoute]) -> FastAPI:
    router = APIRouter(route_class=route_class)
    router.post("/things/{thing_id}/wishes")(wish)
    router.put("/asked")(ask)
    app = FastAPI(routes=router.routes)

    async def invalid(_: Request, raised: Exception) -> Response:
        assert isinstance(raised, RequestValidationError)
        return JSONResponse([[one["type"], one["loc"], one["msg"]] for one in raised.errors()], 422)

    async def nobody(_: Request, __: Exception) -> Response:
        return Response(status_code=401)

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Nobody, nobody)
    return app


def asked(app: FastAPI, method: str, path: str, **sent: Any) -> httpx.Response:
    async def answer() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await client.request(method, path, **sent)

    return asyncio.run(answer())


NAMED = {"X-Name": "Ana"}
GOOD = {"start": "2027-03-01T09:00:00+01:00"}


@pytest.mark.parametrize(
    ("status", "path", "sent"),
    [
        (200, f"/things/{ID}/wishes", {"json": GOOD}),
        (200, f"/things/{ID}/wishes?limit=3&word=a%20b&at=2027-03-01T09:00:00Z", {"json": {**GOOD, "marks": [ID]}}),
        (200, f"/things/{ID}/wishes?word=&word=last", {"json": GOOD}),
        (
            200,
            f"/things/{ID}/wishes",
            {"json": GOOD, "headers": {"Content-Type": "application/x+json; v=1"}},
        ),
        (422, f"/things/{ID}/wishes", {"json": {**GOOD, "count": "2", "marks": ["x", 3, 4], "more": 1}}),
        (422, f"/things/{ID}/wishes?limit=11&at=noon", {"json": {}}),
        (422, "/things/x/wishes?limit=many", {"json": {"count": 0}}),
        (422, f"/things/{ID}/wishes", {"json": []}),
        (422, f"/things/{ID}/wishes", {"content": b"null", "headers": JSON}),
        (422, f"/things/{ID}/wishes", {}),
        (422, f"/things/{ID}/wishes", {"content": b'{"start": NaN}', "headers": JSON}),
        (401, f"/things/{ID}/wishes", {"json": {}, "headers": {"X-Name": ""}}),
        (200, "/asked", {"method": "PUT"}),
        (200, "/asked?day=2027-03-01T09:00:00", {"method": "PUT", "json": {**GOOD, "count": 7}}),
        (422, "/asked", {"method": "PUT", "json": {"count": 7}}),
        (405, "/asked", {}),
        (404, "/nothing", {}),
    ],
    ids=str,
)
def test_an_operation_answers_as_fastapi_does(status: int, path: str, sent: Mapping[str, Any]) -> None:
    request = {"method": "POST", "path": path, "headers": {}, **sent}
    request["headers"] = {"X-Name": "Ana", **request["headers"]}

    ours, theirs = (asked(answering(route_class), **request) for route_class in (Operation, APIRoute))

    assert ours.status_code == status
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)


def refusal(path: str, **sent: Any) -> str:
    """The problem's type that an operation's refusal has."""
    app = answering(Operation)
    answer_with_problems(app, ())
    answered = asked(app, "POST", path, **sent)
    return str(answered.json()["type"]).removeprefix("/problems/")


def test_what_fastapi_takes_for_an_invalid_value_is_called_by_its_name() -> None:
    path = f"/things/{ID}/wishes"

    assert refusal(f"{path}?wrod=x&limit=0", json=GOOD, headers=NAMED) == "unknown-parameter"
    assert refusal(path, json=GOOD, headers={**NAMED, "Content-Type": "text/plain"}) == "unsupported-media-type"
    for broken in (b"{", b'"\xff"', b"[" * 100_000, b"1" * 5_000):
        assert refusal(path, content=broken, headers={**NAMED, **JSON}) == "malformed-request"


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error_of_ours() -> None:
    scope = {"type": "http", "method": "PUT", "path": "/asked", "query_string": b"", "headers": [(b"x-name", b"Ana")]}
    said: list[Any] = []

    async def leave() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def hear(message: Any) -> None:
        said.append(message)

    app = answering(Operation)
    answer_with_problems(app, ())
    asyncio.run(app(scope, leave, hear))

    assert said[0]["status"] == 400


def test_a_request_leaves_no_cycles_for_the_garbage_collector() -> None:
    """Which `daybook serve` therefore has look at old objects very seldom."""
    app = answering(Operation)
    answer_with_problems(app, ())
    app.add_middleware(Edge, metrics=Metrics())

    async def listen() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"start": "2027-03-01T09:00:00Z"}'}

    async def hear(message: Any) -> None: ...

    async def ask(path: str, times: int) -> None:
        headers = [(b"x-name", b"Ana"), (b"content-type", b"application/json")]
        for _ in range(times):
            scope = {"type": "http", "method": "PUT", "path": path, "query_string": b"", "headers": headers}
            await app(scope, listen, hear)

    async def left_by_all() -> int:
        for times in (1, 50):  # what is made once may leave some
            gc.collect()
            gc.disable()
            for path in ("/asked", "/nothing", f"/things/{ID}/wishes"):
                await ask(path, times)
            left = gc.collect()
            gc.enable()
        return left

    assert asyncio.run(left_by_all()) == 0


TAKES_WHAT_COMES = {"/v1/auth/oidc/{organization_id}/callback"}
"""An identity provider may add parameters of its own, and says so in no contract of ours."""


def test_all_that_is_asked_of_the_product_is_an_operation() -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    others = {route.path for route in routes if route.path.startswith("/v1") and not isinstance(route, Operation)}

    assert others == TAKES_WHAT_COMES


async def _with_request(request: Request) -> Response:
    return Response()


async def _with_header(x_name: Annotated[str, Header()]) -> Response:
    return Response()


async def _with_two_bodies(one: Wish, other: Wish) -> Response:
    return Response()


@pytest.mark.parametrize("endpoint", [_with_request, _with_header, _with_two_bodies])
def test_an_endpoint_that_takes_more_is_refused_where_it_is_declared(endpoint: Any) -> None:
    with pytest.raises(TypeError, match="/more"):
        APIRouter(route_class=Operation).post("/more")(endpoint)
