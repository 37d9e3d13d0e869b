"""Signing up with an address that has an account: SECURITY.md rows 16 and 20."""

from statistics import median
from uuid import uuid4

import httpx
import pytest

from domain.one_time_code import Purpose
from tests.api.house import House, key, made, problem, sign_in
from tests.api.people_at_the_door import (
    link_sent,
    noted,
    registered,
    registration,
    timed,
    token_asked,
)

TAKEN = "another good password"
REPEATED = "access.sign_up_repeated.v1"


def registers(house: House, email: str, **headers: str) -> httpx.Response:
    body = registration(house, email=email, password=TAKEN)
    with house.api.client() as anyone:
        return anyone.post("/v1/auth/register", json=body, headers={**key(), **headers})


def founds(house: House, email: str) -> httpx.Response:
    owner = {"email": email, "password": TAKEN, "display_name": "Eve"}
    with house.api.client() as anyone:
        body = {"name": "Eve's", "time_zone": "UTC", "owner": owner}
        return anyone.post("/v1/organizations", json=body, headers=key())


def secrets_and_people(house: House) -> list[object]:
    return [
        house.api.rows("SELECT * FROM credential ORDER BY account_id"),
        house.api.rows("SELECT organization_id, subject_id FROM vault.subject_key ORDER BY subject_id"),
    ]


@pytest.mark.security(16)
@pytest.mark.parametrize("signs_up", [registers, founds])
def test_sign_up_with_a_taken_address_changes_nothing(house: House, signs_up: object) -> None:
    head, before = house.api.head(), secrets_and_people(house)
    owner = house["owner"].get(f"/v1/accounts/{house.account_ids['owner']}").json()

    answer = signs_up(house, house.emails["owner"].upper())  # type: ignore[operator]

    made(answer)
    assert secrets_and_people(house) == before
    assert house.api.head() == head
    assert house["owner"].get(f"/v1/accounts/{house.account_ids['owner']}").json() == owner
    sign_in(house.api, house.emails["owner"])
    refused = token_asked(house.api, grant_type="password", username=house.emails["owner"], password=TAKEN)
    problem(refused, 401, "sign-in-refused")


@pytest.mark.security(20)
@pytest.mark.parametrize("signs_up", [registers, founds])
def test_the_answer_to_a_sign_up_does_not_tell_whether_the_address_is_known(house: House, signs_up: object) -> None:
    def shape(answer: httpx.Response) -> tuple[int, set[str], set[str]]:
        return answer.status_code, set(answer.json()), set(answer.headers)

    def asks(email: str) -> float:
        return timed(lambda: signs_up(house, email))  # type: ignore[operator]

    taken = signs_up(house, house.emails["staff"])  # type: ignore[operator]
    free = signs_up(house, f"{uuid4().hex}@people.test")  # type: ignore[operator]
    assert shape(taken) == shape(free)
    assert taken.status_code == 201

    known = median(asks(house.emails["staff"]) for _ in range(5))
    unknown = median(asks(f"{uuid4().hex}@people.test") for _ in range(5))
    assert 1 / 3 < known / unknown < 3


@pytest.mark.security(16)
def test_a_repeated_sign_up_with_a_taken_address_leaves_nothing_either(house: House) -> None:
    before, same = secrets_and_people(house), key()
    body = registration(house, email=house.emails["manager"])
    with house.api.client() as anyone:
        first, second = (anyone.post("/v1/auth/register", json=body, headers=same) for _ in range(2))

    assert made(first) == made(second)
    assert second.headers["Idempotent-Replay"] == "true"
    assert secrets_and_people(house) == before


def test_the_owner_of_the_address_is_told_once_a_day_and_the_auditor_each_time(house: House) -> None:
    someone = registered(house)
    for _ in range(3):
        made(registers(house, someone.email))

    assert [one["told"] for one in noted(house, REPEATED, someone.id)] == [True, False, False]


def test_who_signs_up_is_sent_a_link_to_verify_the_address(house: House) -> None:
    someone = registered(house)

    assert len(link_sent(house.api, Purpose.VERIFY_EMAIL, someone.id)) == 64
    assert someone.account()["email_verified"] is False
