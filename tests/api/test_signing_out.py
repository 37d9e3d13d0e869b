"""Sessions are listed and ended, and what has ended stays out, on sockets too: SECURITY.md rows 28, 29 and 37."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from application.ended_sessions import UNKNOWN_AFTER_S
from tests.api.house import House, key, made, opened_house, problem, sign_in
from tests.api.running_api import RunningApi

pytestmark = pytest.mark.security(28, 29)
WITHIN_S = 5.0


@pytest.fixture
def house(api: RunningApi) -> House:
    """Each test has its own: sessions are ended here."""
    return opened_house(api)


def client_of(house: House, role: str) -> httpx.Client:
    return house.api.client(sign_in(house.api, house.emails[role])["access_token"])


def refreshed(api: RunningApi, token: str) -> httpx.Response:
    with api.client() as client:
        return client.post("/v1/auth/token", data={"grant_type": "refresh_token", "refresh_token": token})


def sessions(client: httpx.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = made(client.get("/v1/auth/sessions"), 200)["items"]
    return items


def is_out(client: httpx.Client) -> bool:
    """Whether it is refused within the time that is promised."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        answer = client.get("/v1/services")
        if answer.status_code == 401:
            problem(answer, 401, "unauthenticated")
            return True
        time.sleep(0.05)
    return False


def facts(house: House, topic: str) -> list[dict[str, Any]]:
    rows = house.api.rows(f"SELECT state FROM stored_events WHERE topic = '{topic}' ORDER BY notification_id")
    told = [json.loads(bytes(row[0])) for row in rows]
    return [one["data"] for one in told if house.id in json.dumps(one)]


def test_one_sees_where_one_is_signed_in_and_which_session_asks(house: House) -> None:
    with client_of(house, "staff") as here:
        told = sessions(here)

    assert [one["current"] for one in told] == [False, True]
    assert {one["method"] for one in told} == {"password"}
    assert told[0].keys() == {"id", "method", "begun_at", "used_at", "expires_at", "current"}
    ours, others = {one["id"] for one in told}, {one["id"] for one in sessions(house["manager"])}
    assert not ours & others


def test_a_sign_out_ends_this_session_and_no_other(house: House) -> None:
    tokens = sign_in(house.api, house.emails["staff"])
    with house.api.client(tokens["access_token"]) as here:
        (current,) = [one["id"] for one in sessions(here) if one["current"]]

        signed_out = here.post("/v1/auth/sign-out", headers=key())

        assert made(signed_out, 200) == {"ended": [current]}
        assert is_out(here)
    problem(refreshed(house.api, tokens["refresh_token"]), 401, "refresh-refused")
    assert [one["current"] for one in sessions(house["staff"])] == [True]
    ended = {"account_id": house.account_ids["staff"], "session_id": current}
    assert facts(house, "access.session_ended.v1") == [{**ended, "because": "signed_out"}]


def test_a_sign_out_everywhere_ends_all_sessions_of_the_account(house: House) -> None:
    with client_of(house, "staff") as here, client_of(house, "staff") as there:
        ended = made(here.post("/v1/auth/sign-out", params={"everywhere": "true"}, headers=key()), 200)["ended"]

        assert len(ended) == 3
        assert is_out(here)
        assert is_out(there)
    assert is_out(house["staff"])
    assert sessions(house["manager"])


def test_a_session_on_a_lost_device_is_ended_from_another(house: House) -> None:
    with client_of(house, "customer") as lost:
        (gone,) = [one["id"] for one in sessions(lost) if one["current"]]

        answer = house["customer"].delete(f"/v1/auth/sessions/{gone}")

        assert made(answer, 200) == {"ended": [gone]}
        assert is_out(lost)
    problem(house["customer"].delete(f"/v1/auth/sessions/{gone}"), 404, "not-found")
    (kept,) = [one["id"] for one in sessions(house["staff"])]
    problem(house["customer"].delete(f"/v1/auth/sessions/{kept}"), 404, "not-found")
    problem(house["owner"].delete(f"/v1/auth/sessions/{kept}"), 404, "not-found")


def test_a_manager_ends_the_sessions_of_a_member_and_a_member_only_their_own(house: House) -> None:
    staff, auditor = (f"/v1/accounts/{house.account_ids[role]}/sessions" for role in ("staff", "auditor"))
    problem(house["staff"].delete(auditor), 404, "not-found")
    (session,) = [one["id"] for one in sessions(house["staff"])]

    answer = house["manager"].delete(staff)

    assert made(answer, 200) == {"ended": [session]}
    assert is_out(house["staff"])
    assert made(house["manager"].delete(staff), 200) == {"ended": []}
    assert sessions(house["auditor"])


def test_a_session_that_is_past_its_time_is_out_however_young_its_tokens_are(house: House) -> None:
    tokens = sign_in(house.api, house.emails["staff"])
    with house.api.client(tokens["access_token"]) as here:
        (current,) = [one["id"] for one in sessions(here) if one["current"]]

        move_forward(house, current)

        assert is_out(here)
    problem(refreshed(house.api, tokens["refresh_token"]), 401, "refresh-refused")


def move_forward(house: House, session_id: str) -> None:
    """As if its 180 days were over."""
    with psycopg.connect(house.api.settings.database_url) as connection:
        connection.execute(
            "UPDATE sign_in_session SET expires_at = now(), begun_at = now() - interval '180 days' WHERE id = %s",
            (session_id,),
        )


@pytest.mark.security(37)
def test_who_comes_with_a_token_of_an_ended_session_is_visible_to_the_auditor(house: House) -> None:
    with client_of(house, "staff") as here:
        (current,) = [one["id"] for one in sessions(here) if one["current"]]
        made(here.post("/v1/auth/sign-out", headers=key()), 200)
        assert is_out(here)
        assert is_out(here)

    query = {"topic": "access.ended_session_used.v1", "actor_id": house.account_ids["staff"]}
    last = str(house.api.rows("SELECT max(notification_id) FROM stored_events")[0][0])
    answer = house["auditor"].get("/v1/audit/facts", params=query, headers={"Journal-Position": last})
    noted = made(answer, 200)["items"]

    assert [(one["data"]["session_id"], one["data"]["times"]) for one in noted] == [(current, 1)]


def test_what_is_flushed_from_redis_is_lost_to_nobody(house: House, valkey_url: str) -> None:
    with client_of(house, "staff") as here:
        made(here.post("/v1/auth/sign-out", headers=key()), 200)
        assert is_out(here)

        flush(valkey_url)

        problem(here.get("/v1/services"), 401, "unauthenticated")
    assert sessions(house["staff"])


def test_a_process_that_cannot_know_who_has_signed_out_lets_nobody_in_until_it_does(house: House) -> None:
    def status() -> int:
        return house["staff"].get("/v1/services").status_code

    with psycopg.connect(house.api.settings.database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE sign_in_session RENAME TO elsewhere")
        assert status() == 200  # for some seconds it knows well enough
        assert comes_true(lambda: status() == 503, within_s=UNKNOWN_AFTER_S + 5)
        answer = house["staff"].get("/v1/services")
        connection.execute("ALTER TABLE elsewhere RENAME TO sign_in_session")

    problem(answer, 503, "sessions-unknown")
    assert answer.headers["Retry-After"]
    assert comes_true(lambda: status() == 200, within_s=WITHIN_S)


def comes_true(holds: Callable[[], bool], *, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def flush(url: str) -> None:
    import redis

    with redis.Redis.from_url(url) as client:
        client.flushall()


def closed_within(house: House, token: str, end: Callable[[], object]) -> tuple[int | None, float]:
    """How a socket that was signed in with ``token`` is closed once ``end`` was called, and after how long."""

    async def follow() -> tuple[int | None, float]:
        address = house.api.url.replace("http:", "ws:") + "/v1/stream"
        async with connect(address, subprotocols=[Subprotocol("daybook.v1+json")]) as socket:
            await socket.send(json.dumps({"op": "init", "token": token}))
            assert json.loads(await socket.recv()) == {"op": "ready"}
            await asyncio.to_thread(end)
            began = time.monotonic()
            async with asyncio.timeout(2 * WITHIN_S):
                await socket.wait_closed()
            return socket.close_code, time.monotonic() - began

    return asyncio.run(follow())


def signing_out(house: House, tokens: dict[str, Any]) -> None:
    with house.api.client(tokens["access_token"]) as here:
        made(here.post("/v1/auth/sign-out", headers=key()), 200)


def stealing(house: House, tokens: dict[str, Any]) -> None:
    made(refreshed(house.api, tokens["refresh_token"]), 200)
    problem(refreshed(house.api, tokens["refresh_token"]), 401, "refresh-refused")


def being_put_out(house: House, _: dict[str, Any]) -> None:
    made(house["manager"].delete(f"/v1/accounts/{house.account_ids['staff']}/sessions"), 200)


@pytest.mark.parametrize("ending", [signing_out, stealing, being_put_out])
def test_an_open_socket_is_closed_within_seconds_of_the_end_of_its_session(
    house: House, ending: Callable[[House, dict[str, Any]], None]
) -> None:
    tokens = sign_in(house.api, house.emails["staff"])

    code, after_s = closed_within(house, tokens["access_token"], lambda: ending(house, tokens))

    assert code == 4401
    assert after_s < WITHIN_S


def test_a_socket_is_not_opened_with_the_token_of_an_ended_session(house: House) -> None:
    tokens = sign_in(house.api, house.emails["staff"])
    signing_out(house, tokens)
    with house.api.client(tokens["access_token"]) as here:
        assert is_out(here)

    async def knock() -> int | None:
        address = house.api.url.replace("http:", "ws:") + "/v1/stream"
        async with connect(address, subprotocols=[Subprotocol("daybook.v1+json")]) as socket:
            await socket.send(json.dumps({"op": "init", "token": tokens["access_token"]}))
            await socket.wait_closed()
            return socket.close_code

    assert asyncio.run(knock()) == 4401
