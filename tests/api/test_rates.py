"""How often one may ask, over HTTP: headers, refusals, and what holds while Redis is away (rows 10, 21, 33)."""

import re
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis

from api.limits import DOORS
from infra.embedded import EmbeddedStack
from infra.limiting import rates_of
from infra.settings import load_settings
from tests.api.house import PASSWORD, House, key, opened_house, problem, sign_in
from tests.api.running_api import RunningApi, running_api

SECRETS = frozenset({"password", "current_password", "code", "token"})
NOWHERE = "redis://127.0.0.1:1/0"
ACCOUNT_PER_S, ADDRESS_PER_S = 2, 8


@pytest.fixture(scope="module")
def strict(servers: EmbeddedStack, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """An API whose limits are soon reached, behind a proxy on this machine."""
    with redis.Redis.from_url(servers.redis_url) as client:
        client.flushall()
    with running_api(
        servers,
        postgres_url,
        tmp_path_factory.mktemp("strict"),
        rate_account_per_s=ACCOUNT_PER_S,
        rate_address_per_s=ADDRESS_PER_S,
        rate_factor=1,
        trusted_proxies="127.0.0.0/8",
    ) as running:
        yield running


@pytest.fixture(scope="module")
def strict_house(strict: RunningApi) -> House:
    return opened_house(strict)


def at_once(api: RunningApi, address: str, count: int) -> list[int]:
    """The statuses of so many requests on one connection, none of which waits for the answer to the one before."""
    asks = f"GET /v1/services HTTP/1.1\r\nHost: daybook\r\nX-Forwarded-For: {address}\r\n\r\n".encode()
    heard = b""
    with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), timeout=30) as connection:
        connection.sendall(asks * count)
        while heard.count(b"HTTP/1.1 ") < count and (more := connection.recv(2**16)):
            heard += more
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", heard)]


def test_every_answer_tells_how_much_is_left_and_of_what(house: House) -> None:
    answers = [house["staff"].get("/v1/services") for _ in range(2)]
    refused = house["anonymous"].get("/v1/services")

    for answer, name in ((answers[0], "account"), (refused, "address")):
        assert re.fullmatch(rf'"{name}";q=\d+;w=10', answer.headers["RateLimit-Policy"])
        assert re.fullmatch(rf'"{name}";r=\d+;t=\d+', answer.headers["RateLimit"])
    left = [int(re.search(r"r=(\d+)", answer.headers["RateLimit"])[1]) for answer in answers]  # type: ignore[index]
    assert left[1] != left[0]


@pytest.mark.security(33)
def test_an_account_that_asks_too_often_is_told_to_wait_and_others_are_not(strict_house: House) -> None:
    answers = [strict_house["auditor"].get("/v1/services") for _ in range(15 * ACCOUNT_PER_S)]
    refused = [answer for answer in answers if answer.status_code == 429]

    assert [answer.status_code for answer in answers[: 8 * ACCOUNT_PER_S]] == [200] * 8 * ACCOUNT_PER_S
    assert len(refused) >= 1
    document = problem(refused[0], 429, "too-many-requests")
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 20
    assert f"At most {10 * ACCOUNT_PER_S} in 10 s" in document["detail"]
    assert "r=0" in refused[0].headers["RateLimit"]
    assert strict_house["manager"].get("/v1/services").status_code == 200
    told = strict_house["anonymous"].get("/metrics").text
    assert re.search(r"^daybook_rate_limits_refused_total [1-9]", told, re.MULTILINE)


@pytest.mark.security(33)
def test_an_address_that_asks_too_often_is_refused_without_a_look_but_may_ask_how_the_process_is(
    strict: RunningApi,
) -> None:
    statuses = at_once(strict, "198.51.100.1", 10 * ADDRESS_PER_S + 20)

    assert (statuses[0], statuses[-1]) == (401, 429)
    with strict.client() as flooding, strict.client() as other:
        flooding.headers["X-Forwarded-For"], other.headers["X-Forwarded-For"] = "198.51.100.1", "198.51.100.2"
        problem(flooding.get("/v1/services"), 429, "too-many-requests")
        assert flooding.get("/livez").status_code == 200
        problem(other.get("/v1/services"), 401, "unauthenticated")


@pytest.mark.security(10)
def test_a_door_is_shut_for_an_address_that_makes_account_after_account(
    strict: RunningApi, strict_house: House
) -> None:
    door = DOORS["POST", "/v1/auth/register"]

    def register(number: int, address: str) -> int:
        body = {
            "organization_id": strict_house.id,
            "email": f"bot-{uuid4().hex}@clinic.test",
            "password": PASSWORD,
            "display_name": f"Bot {number}",
        }
        with strict.client() as bot:
            return bot.post("/v1/auth/register", json=body, headers={**key(), "X-Forwarded-For": address}).status_code

    statuses = [register(number, "198.51.100.9") for number in range(door.count + 5)]

    assert statuses == [201] * door.count + [429] * 5
    assert register(0, "198.51.100.10") == 201


@pytest.mark.security(21)
def test_guesses_from_many_addresses_are_mostly_not_looked_at_and_the_owner_signs_in(
    strict: RunningApi, strict_house: House
) -> None:
    email = strict_house.emails["owner"]
    form = {"grant_type": "password", "username": email, "password": "a wrong guess"}

    with strict.client() as bot:
        statuses = []
        for number in range(60):
            address = f"203.0.113.{number}"
            statuses.append(bot.post("/v1/auth/token", data=form, headers={"X-Forwarded-For": address}).status_code)

    assert set(statuses) == {401, 429}
    assert statuses.count(401) <= 40
    # From where the owner has signed in before (127.0.0.1, when the strict_house was opened) nothing stands in the way.
    assert sign_in(strict, email)["access_token"]
    noted = strict.rows(
        "SELECT sum((convert_from(state, 'UTF8')::jsonb->'data'->>'times')::int) FROM stored_events"
        " WHERE topic = 'access.sign_in_refused.v1'"
        f" AND convert_from(state, 'UTF8')::jsonb->'data'->>'account_id' = '{strict_house.account_ids['owner']}'"
        " AND convert_from(state, 'UTF8')::jsonb->'data'->>'reason' = 'too_many'"
    )
    assert noted[0][0] >= 1


@pytest.mark.security(21)
def test_the_same_address_may_try_again_when_it_was_told_to(strict: RunningApi, strict_house: House) -> None:
    form = {"grant_type": "password", "username": strict_house.emails["staff"], "password": "a wrong guess"}
    with strict.client() as client:
        for _ in range(60):
            answer = client.post("/v1/auth/token", data=form)
            if answer.status_code == 429:
                break
        else:
            pytest.fail("sixty guesses were looked at")
        problem(answer, 429, "too-many-requests")
        time.sleep(int(answer.headers["Retry-After"]))
        right = client.post("/v1/auth/token", data={**form, "password": PASSWORD})
        assert right.status_code == 200, right.text
        # The cookie says only that this device once knew the password; it is for the door alone.
        cookie = right.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "Path=/v1/auth" in cookie
        assert "SameSite=strict" in cookie
        assert strict_house.emails["staff"] not in cookie


def test_while_redis_is_away_bookings_go_on_and_the_doors_are_shut(
    api: RunningApi, servers: EmbeddedStack, postgres_url: str, tmp_path: Path
) -> None:
    house = opened_house(api)
    token = house["staff"].headers["Authorization"].removeprefix("Bearer ")
    with (
        running_api(servers, postgres_url, tmp_path, redis_url=NOWHERE, public_url=api.settings.public_url) as alone,
        alone.client(token) as staff,
    ):
        body = {"service_id": house.service_id, "customer_id": house.customer_id, "start": "2026-11-24T11:00:00Z"}
        assert staff.post("/v1/appointments", json=body, headers=key()).status_code == 201
        form = {"grant_type": "password", "username": house.emails["staff"], "password": PASSWORD}
        for refused in (
            staff.post("/v1/auth/token", data=form),
            staff.post("/v1/organizations", json={}, headers=key()),
            staff.post("/v1/auth/register", json={}, headers=key()),
            staff.post("/v1/auth/password", json={}, headers=key()),
            staff.post("/v1/auth/second-factor/confirm", json={}, headers=key()),
            staff.post(f"/v1/public/{house.id}/appointments", json={}, headers=key()),
            staff.post(f"/v1/public/appointments/{house.appointment_id}/confirm", json={}, headers=key()),
        ):
            problem(refused, 503, "unavailable")
            assert int(refused.headers["Retry-After"]) >= 1
        time.sleep(1)
        told = staff.get("/metrics").text
        assert re.search(r"^daybook_rate_limits_alone_total [1-9]", told, re.MULTILINE)


def test_every_door_of_the_table_is_a_route(api: RunningApi) -> None:
    routes = {
        (method, getattr(route, "path_format", ""))
        for route in api.app.routes
        for method in getattr(route, "methods", ())
    }

    assert DOORS.keys() <= routes


PROVES_ITSELF = re.compile(r"/v1/callbacks/|/v1/auth/token$")
"""Providers sign what they call back with; what is asked of the token's door is counted by what it is tried with."""


@pytest.mark.security(10, 33)
def test_whatever_anyone_may_send_who_is_not_signed_in_has_a_door(api: RunningApi) -> None:
    open_to_anyone = {
        (method.upper(), path)
        for path, methods in api.app.openapi()["paths"].items()
        for method, declared in methods.items()
        if method != "get" and not declared.get("security") and not PROVES_ITSELF.match(path)
    }

    assert open_to_anyone
    assert open_to_anyone <= DOORS.keys()


@pytest.mark.security(21, 22, 33)
def test_whatever_is_tried_with_a_password_or_a_code_has_a_door(api: RunningApi) -> None:
    document = api.app.openapi()
    schemas = document["components"]["schemas"]

    def takes_a_secret(declared: Mapping[str, Any]) -> bool:
        content = declared.get("requestBody", {}).get("content", {}).get("application/json", {})
        named = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        return not SECRETS.isdisjoint(schemas.get(named, {}).get("properties", {}))

    tried = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, declared in methods.items()
        if takes_a_secret(declared)
    }

    assert ("POST", "/v1/auth/second-factor/remove") in tried
    assert tried - {("POST", "/v1/accounts")} <= DOORS.keys()  # there a password is given to someone, not tried


def test_in_production_the_table_holds_and_elsewhere_a_hundred_times_as_much() -> None:
    def rates(environment: str, **settings: object) -> tuple[float, float]:
        found = rates_of(load_settings(environment=environment, database_url="postgresql://x", **settings))
        return found.account_per_s, found.factor

    assert rates("production") == (600, 1)
    assert rates("development") == (60_000, 100)
    assert rates("production", rate_account_per_s=5, rate_factor=2) == (5, 2)
