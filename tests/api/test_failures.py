"""What goes wrong on our side is told in general words, with the code that lets a client do the right thing."""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
import psycopg
import pytest
import structlog
from psycopg_pool import AsyncConnectionPool
from starlette.types import Receive, Scope, Send

from adapters.vault import PostgresVault, Seal
from adapters.walls import Walls
from api.edge import Edge
from api.metrics import Metrics
from application.journal import JournalUnavailable
from application.vault import Person
from application.writer import Busy, Writer
from tests.api.house import House, key, made, problem
from tests.api.people_at_the_door import noted
from tests.api.running_api import KEY, RunningApi


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the password of the database is hunter2")


def test_an_error_of_ours_says_nothing_but_where_it_was_logged() -> None:
    async def ask() -> httpx.Response:
        edge = Edge(broken, Metrics())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url="http://x") as client:
            return await client.get("/v1/services")

    answer = asyncio.run(ask())

    problem(answer, 500, "internal-error")
    assert "hunter2" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.security(36)
def test_not_even_the_log_repeats_what_an_error_quotes() -> None:
    with structlog.testing.capture_logs() as lines:
        test_an_error_of_ours_says_nothing_but_where_it_was_logged()

    assert lines[0]["event"] == "request.failed"
    assert lines[0]["error"] == "RuntimeError"
    assert lines[0]["at"][-1].endswith(" broken")
    assert "hunter2" not in str(lines)


@contextmanager
def away(api: RunningApi, schema: str) -> Iterator[None]:
    with psycopg.connect(api.settings.database_url, autocommit=True) as connection:
        connection.execute(f"ALTER SCHEMA {schema} RENAME TO elsewhere")
        yield
        connection.execute(f"ALTER SCHEMA elsewhere RENAME TO {schema}")


def test_a_read_model_that_cannot_be_asked_is_a_503_and_costs_no_booking(house: House) -> None:
    with away(house.api, "audit_trail"):
        answer = house["owner"].get("/v1/audit/facts")
        assert answer.headers["Retry-After"]
        problem(answer, 503, "unavailable")
    made(house["owner"].get("/v1/audit/facts"), 200)
    with away(house.api, "availability"):
        made(house.book("2026-11-24T09:00:00Z"))
        refused = problem(house.book("2026-11-24T09:00:00Z"), 409, "slot-taken")
        assert refused["alternatives"] == []


def test_a_writer_that_has_too_much_to_do_asks_to_try_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: object, **__: object) -> None:
        raise Busy

    monkeypatch.setattr(Writer, "submit", busy)
    answer = house.book("2026-11-24T10:00:00Z")

    problem(answer, 503, "stale-decision")
    assert answer.headers["Retry-After"]


@pytest.mark.security(37)
@pytest.mark.parametrize(("role", "trouble"), [("customer", Busy), ("staff", JournalUnavailable)])
def test_what_is_forbidden_is_forbidden_though_it_cannot_be_noted(
    house: House, role: str, trouble: type[Exception], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise trouble

    with monkeypatch.context() as while_away:
        while_away.setattr(Writer, "submit", away)
        problem(house[role].get("/v1/audit/facts"), 403, "forbidden")
    assert [trouble.__name__ in record.getMessage() for record in caplog.records] == [True]

    problem(house[role].get("/v1/audit/facts"), 403, "forbidden")
    assert noted(house, "access.call_forbidden.v1", house.account_ids[role])  # the first of its minute is still to come


def put_back(house: House, customer_id: str, person: Person) -> None:
    """Undo what was stored of a person, as if the process had died before it."""

    async def store() -> None:
        async with AsyncConnectionPool(house.api.settings.database_url, min_size=1, open=False) as pool:
            vault = PostgresVault(Walls(pool), Seal(base64.b64decode(KEY)))
            await vault.store(UUID(house.id), UUID(customer_id), person)

    asyncio.run(store())


def test_a_retry_stores_what_its_first_attempt_died_before_storing(house: House) -> None:
    customer = made(house.post("/customers", {"display_name": "Before"}))
    path, same = f"/v1/customers/{customer['id']}", {**key(), "If-Match": '"v1"'}
    made(house["owner"].patch(path, json={"display_name": "After"}, headers=same), 200)
    put_back(house, customer["id"], Person(display_name="Before"))

    made(house["owner"].patch(path, json={"display_name": "After"}, headers=same), 200)

    assert made(house["owner"].get(path), 200)["display_name"] == "After"


def test_a_late_retry_does_not_undo_what_came_after(house: House) -> None:
    customer = made(house.post("/customers", {"display_name": "First"}))
    path, same = f"/v1/customers/{customer['id']}", {**key(), "If-Match": '"v1"'}
    made(house["owner"].patch(path, json={"display_name": "Second"}, headers=same), 200)
    made(house["owner"].patch(path, json={"display_name": "Third"}, headers={"If-Match": '"v2"'}), 200)

    made(house["owner"].patch(path, json={"display_name": "Second"}, headers=same), 200)

    assert made(house["owner"].get(path), 200)["display_name"] == "Third"


def test_health_and_metrics_are_there(api: RunningApi) -> None:
    with api.client() as client:
        assert client.get("/livez").json() == {"status": "alive"}
        assert client.get("/readyz").json()["parts"].keys() == {"postgres", "redis", "kafka", "projections"}
        told = client.get("/metrics").text
        assert "daybook_http_request_seconds" in told
        kept = (
            "streams",
            "tokens",
            "candidates",
            "slots",
            "diary_page_ids",
            "booking_page_ids",
            "wall_clock_times",
            "local_days",
            "slot_grids",
            "calendars",
            "pool_orders",
            "id_arrays",
            "rules",
            "offers",
        )
        for cache in kept:
            assert f'daybook_cache_bytes{{cache="{cache}"}}' in told
