"""Sign-in, refreshing: SECURITY.md rows 17 to 20 and 27."""

import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.house import PASSWORD, House, key, made, problem, sign_in
from tests.api.running_api import RunningApi


def asked(api: RunningApi, **form: str) -> httpx.Response:
    with api.client() as client:
        return client.post("/v1/auth/token", data=form)


def refreshed(api: RunningApi, token: str, **headers: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    with api.client() as client:
        return client.post("/v1/auth/token", data=form, headers=headers)


def registration(house: House, **changes: object) -> dict[str, object]:
    return {
        "organization_id": house.id,
        "email": f"{uuid4().hex}@people.test",
        "password": PASSWORD,
        "display_name": "Ana",
        **changes,
    }


def test_a_sign_in_gives_a_short_token_that_speaks_for_the_account(house: House) -> None:
    tokens = sign_in(house.api, f"  {house.emails['staff'].upper()} ".strip())

    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] <= 600
    with house.api.client(tokens["access_token"]) as client:
        own = made(client.get(f"/v1/accounts/{house.account_ids['staff']}"), 200)
    assert (own["role"], own["display_name"], own["email"]) == ("staff", "A staff", house.emails["staff"])


@pytest.mark.security(20)
def test_who_does_not_exist_is_refused_like_a_wrong_password(house: House) -> None:
    def refusal(email: str) -> tuple[dict[str, Any], float]:
        began = time.perf_counter()
        answer = asked(house.api, grant_type="password", username=email, password="not that one")
        document = problem(answer, 401, "sign-in-refused")
        del document["trace_id"]
        return document, time.perf_counter() - began

    known, unknown = refusal(house.emails["owner"]), refusal("nobody@clinic.test")

    assert known[0] == unknown[0]
    assert unknown[1] > known[1] / 3  # the same slow digest is worked out for a stranger


def test_malformed_token_requests_are_told_what_is_needed(house: House) -> None:
    problem(asked(house.api, grant_type="password", username="a@clinic.test"), 422, "invalid-request")
    problem(asked(house.api, grant_type="refresh_token"), 422, "invalid-request")
    problem(asked(house.api, grant_type="magic"), 400, "unsupported-grant")
    problem(asked(house.api), 422, "invalid-request")
    problem(asked(house.api, grant_type="password", username="a", password="x" * 129), 422, "invalid-request")


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_family(house: House) -> None:
    first = sign_in(house.api, house.emails["staff"])["refresh_token"]
    second = made(refreshed(house.api, first), 200)["refresh_token"]
    third = made(refreshed(house.api, second), 200)["refresh_token"]

    problem(refreshed(house.api, first), 401, "refresh-refused")  # stolen

    problem(refreshed(house.api, third), 401, "refresh-refused")
    other = sign_in(house.api, house.emails["staff"])["refresh_token"]
    made(refreshed(house.api, other), 200)  # another sign-in is not concerned
    problem(refreshed(house.api, "no such token"), 401, "refresh-refused")


def test_a_refresh_whose_answer_was_lost_can_be_asked_for_again(house: House) -> None:
    first = sign_in(house.api, house.emails["staff"])["refresh_token"]
    same = key()
    lost = made(refreshed(house.api, first, **same), 200)

    again = made(refreshed(house.api, first, **same), 200)

    assert again["refresh_token"] == lost["refresh_token"]
    made(refreshed(house.api, again["refresh_token"]), 200)
    problem(refreshed(house.api, first, **same), 401, "refresh-refused")  # its successor is used: now it is a theft


def test_a_repeated_sign_up_is_the_same_sign_up(house: House) -> None:
    body, same = registration(house), key()
    with house.api.client() as anyone:
        first = anyone.post("/v1/auth/register", json=body, headers=same)
        second = anyone.post("/v1/auth/register", json=body, headers=same)
        other = anyone.post("/v1/auth/register", json={**body, "password": "stolen identity"}, headers=same)

    assert made(first) == made(second)
    assert second.headers["Idempotent-Replay"] == "true"
    problem(other, 422, "key-reused")
    sign_in(house.api, str(body["email"]))
    problem(
        asked(house.api, grant_type="password", username=str(body["email"]), password="stolen identity"),
        401,
        "sign-in-refused",
    )


def test_no_one_signs_up_with_an_organization_that_does_not_exist(house: House) -> None:
    body = registration(house, organization_id=str(uuid4()))
    with house.api.client() as anyone:
        problem(anyone.post("/v1/auth/register", json=body, headers=key()), 404, "not-found")
    problem(
        asked(house.api, grant_type="password", username=str(body["email"]), password=PASSWORD), 401, "sign-in-refused"
    )


@pytest.mark.security(19)
@pytest.mark.parametrize(
    ("password", "accepted"),
    [
        ("seven77", False),
        ("qzv8wmk2", True),
        ("x y" * 42, True),  # 126
        ("é" * 64, False),  # one letter only
        ("éèê " * 16, True),
        ("abc" * 43, False),  # 129
        ("password", False),
        ("PASSWORD1", False),
        ("12345678", False),
        ("QwertyUiop", False),
        ("chocolate", False),  # of the thousands that have leaked most often
        ("Elizabeth", False),
        ("senha1234", False),
        ("密码密码很长的一句", True),
        ("no rules on what it is made of", True),
    ],
)
def test_passwords_are_long_enough_and_not_the_first_that_one_would_try(
    house: House, password: str, *, accepted: bool
) -> None:
    body = registration(house, password=password)
    with house.api.client() as anyone:
        answer = anyone.post("/v1/auth/register", json=body, headers=key())

    if accepted:
        made(answer)
        sign_in(house.api, str(body["email"]), password)
    else:
        document = problem(answer, 422, "invalid-request")
        assert document["errors"][0]["pointer"] == "/password"
        assert f'"{password}"' not in answer.text


@pytest.mark.security(18)
def test_passwords_are_kept_as_argon2id_of_owasps_strength(house: House) -> None:
    for (digest,) in house.api.rows("SELECT password_digest FROM credential"):
        assert digest.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
