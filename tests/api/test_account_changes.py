"""Accounts that are disabled, of another role, with another password; and what an auditor sees of it.

SECURITY.md rows 18, 20 and 37.
"""

import re
import time

import httpx
import pytest
from argon2 import PasswordHasher

from application.sign_in_tries import OWN
from tests.api.house import OFFICE_HOURS, PASSWORD, House, key, made, problem
from tests.api.people_at_the_door import (
    Someone,
    change,
    founder,
    member,
    noted,
    registered,
    token_asked,
)

NEW = "four oranges on a train"


@pytest.mark.security(20, 37)
def test_a_disabled_account_signs_in_no_more_and_is_refused_like_a_wrong_password(house: House) -> None:
    someone = member(house, "staff")

    shown = made(house.post(f"/accounts/{someone.id}/disable", role="manager"), 200)

    assert (shown["status"], shown["email"]) == ("disabled", someone.email)
    wrong = problem(someone.tries("not it"), 401, "sign-in-refused")
    right = problem(someone.tries(), 401, "sign-in-refused")
    assert {**wrong, "trace_id": ""} == {**right, "trace_id": ""}
    problem(someone.refreshes(), 401, "refresh-refused")
    reasons = [one["reason"] for one in noted(house, "access.sign_in_refused.v1", someone.id)]
    assert reasons == ["wrong_password", "disabled"]
    ended = noted(house, "access.session_ended.v1", someone.id)
    assert [one["because"] for one in ended] == ["account_disabled"]
    assert len(noted(house, "account.disabled.v1", someone.id)) == 1

    problem(house.post(f"/accounts/{someone.id}/disable"), 409, "already-so")
    made(house.post(f"/accounts/{someone.id}/enable"), 200)
    someone.signs_in_again()
    assert someone.account()["status"] == "active"
    problem(house.post(f"/accounts/{someone.id}/enable"), 409, "already-so")


def test_nobody_disables_themselves_nor_a_manager_an_owner(house: House) -> None:
    owner, manager = house.account_ids["owner"], house.account_ids["manager"]

    problem(house.post(f"/accounts/{owner}/disable"), 409, "not-oneself")
    problem(house.post(f"/accounts/{manager}/disable", role="manager"), 409, "not-oneself")
    problem(house.post(f"/accounts/{owner}/disable", role="manager"), 403, "forbidden")
    problem(house.post(f"/accounts/{owner}/disable", role="staff"), 403, "forbidden")


@pytest.mark.security(37)
def test_a_role_is_granted_by_owners_alone_and_the_next_session_has_it(house: House) -> None:
    someone = member(house, "staff")
    wanted = {"role": "manager"}
    address = f"/v1/accounts/{someone.id}/role"
    problem(house["manager"].put(address, json=wanted, headers=key()), 403, "forbidden")

    shown = made(house["owner"].put(address, json=wanted, headers=key()), 200)

    assert shown["role"] == "manager"
    problem(someone.refreshes(), 401, "refresh-refused")
    someone.signs_in_again()
    made(someone.client.get("/v1/accounts"), 200)
    assert [one["role"] for one in noted(house, "account.role_granted.v1", someone.id)] == ["manager"]
    assert [one["because"] for one in noted(house, "access.session_ended.v1", someone.id)] == ["role_granted"]
    problem(house["owner"].put(address, json=wanted, headers=key()), 409, "already-so")
    problem(house["owner"].put(address, json={"role": "customer"}, headers=key()), 422, "invalid-request")
    customer = registered(house)
    to_customer = house["owner"].put(f"/v1/accounts/{customer.id}/role", json=wanted, headers=key())
    problem(to_customer, 422, "invalid-value")


@pytest.mark.security(37)
def test_who_is_assigned_has_to_sign_in_again_and_then_reaches_that_alone(house: House) -> None:
    someone = member(house, "staff")
    made(someone.client.get(f"/v1/appointments/{house.appointment_id}"), 200)
    room = {"name": "Room 2", "kind": "room", "time_zone": "UTC", "working_hours": OFFICE_HOURS}
    body = {"resource_ids": [made(house.post("/resources", room))["id"]]}

    made(house["owner"].put(f"/v1/accounts/{someone.id}/assignment", json=body, headers=key()), 200)

    problem(someone.refreshes(), 401, "refresh-refused")
    until_refused(someone)
    assert [one["because"] for one in noted(house, "access.session_ended.v1", someone.id)] == ["assigned"]
    someone.signs_in_again()
    assert someone.client.get(f"/v1/appointments/{house.appointment_id}").status_code in {403, 404}


def until_refused(someone: Someone) -> None:
    """Every process hears of ended sessions within seconds."""
    deadline = time.monotonic() + 5
    while someone.client.get("/v1/services").status_code != 401:
        assert time.monotonic() < deadline, "the token is still good"
        time.sleep(0.05)


def test_an_organization_is_never_without_an_owner(house: House) -> None:
    first = founder(house.api)
    problem(_granted(first, first.id, "staff"), 409, "last-owner")
    body = {"email": f"second-{first.id}@clinic.test", "password": PASSWORD, "display_name": "B", "role": "manager"}
    second_id = made(first.post("/accounts", body))["id"]
    made(_granted(first, second_id, "owner"), 200)
    second = Someone(first.api, second_id, body["email"], first.client, "")
    second.signs_in_again()

    made(second.post(f"/accounts/{first.id}/disable"), 200)
    problem(_granted(second, second.id, "staff"), 409, "last-owner")
    made(second.post(f"/accounts/{first.id}/enable"), 200)
    made(_granted(second, second.id, "staff"), 200)

    second.signs_in_again()
    first.signs_in_again()
    problem(second.post(f"/accounts/{first.id}/disable"), 403, "forbidden")
    problem(_granted(first, first.id, "auditor"), 409, "last-owner")


def _granted(by: Someone, account_id: str, role: str) -> httpx.Response:
    return by.client.put(f"/v1/accounts/{account_id}/role", json={"role": role}, headers=key())


@pytest.mark.security(37)
def test_a_password_is_changed_by_who_knows_it_and_all_other_sessions_end(house: House) -> None:
    someone = member(house, "staff")
    other = Someone(someone.api, someone.id, someone.email, someone.client, "")
    other.signs_in_again()
    body, same = {"current_password": PASSWORD, "new_password": NEW}, key()
    problem(someone.post("/auth/password", {**body, "current_password": NEW}), 422, "wrong-password")
    problem(someone.post("/auth/password", {**body, "new_password": "password1"}), 422, "invalid-request")

    made(someone.post("/auth/password", body, **same), 200)

    problem(other.refreshes(), 401, "refresh-refused")
    someone.refreshed()
    problem(someone.tries(PASSWORD), 401, "sign-in-refused")
    someone.signs_in_again(NEW)
    assert len(noted(house, "account.password_changed.v1", someone.id)) == 1
    assert [one["because"] for one in noted(house, "access.session_ended.v1", someone.id)] == ["password_changed"]


def test_a_change_of_password_that_is_repeated_does_not_undo_a_later_one(house: House) -> None:
    someone, first = member(house, "staff"), key()
    there = {"current_password": PASSWORD, "new_password": NEW}
    back = {"current_password": NEW, "new_password": PASSWORD}
    made(someone.post("/auth/password", there, **first), 200)
    made(someone.post("/auth/password", back), 200)

    again = someone.post("/auth/password", there, **first)

    assert again.headers["Idempotent-Replay"] == "true"
    someone.signs_in_again(PASSWORD)


@pytest.mark.security(21)
def test_whoever_has_stolen_a_token_guesses_the_password_no_faster_than_at_signing_in(house: House) -> None:
    someone = member(house, "staff")

    def guess(number: int) -> httpx.Response:
        if number % 2:
            return someone.post("/auth/second-factor", {"password": f"guess {number}"})
        return someone.post("/auth/password", {"current_password": f"guess {number}", "new_password": NEW})

    answers = [guess(number) for number in range(2 * OWN.burst)]

    looked_at = [answer.status_code for answer in answers].count(422)
    assert OWN.burst <= looked_at <= OWN.burst + 3
    problem(answers[-1], 429, "too-many-requests")
    assert int(answers[-1].headers["Retry-After"]) <= OWN.every_s
    problem(someone.tries(), 429, "too-many-requests")  # it is the same bucket
    reasons = [one["reason"] for one in noted(house, "access.sign_in_refused.v1", someone.id)]
    assert reasons == ["wrong_password", "too_many"]


@pytest.mark.security(37)
def test_refused_sign_ins_are_facts_for_the_auditor_and_lock_nobody_out(house: House) -> None:
    someone = member(house, "staff")
    for _ in range(4):
        problem(someone.tries("not it"), 401, "sign-in-refused")

    made(someone.tries(), 200)

    [first] = noted(house, "access.sign_in_refused.v1", someone.id)
    assert (first["reason"], first["times"]) == ("wrong_password", 1)  # the others of this minute are counted


@pytest.mark.security(37)
def test_of_an_unknown_address_only_a_number_is_kept(house: House) -> None:
    def counted() -> int:
        with house.api.client() as client:
            text = client.get("/metrics").text
        found = re.search(r"^daybook_sign_ins_refused_unknown_total (\d+)", text, re.MULTILINE)
        assert found
        return int(found[1])

    before, facts = counted(), house.api.rows("SELECT count(*) FROM stored_events")
    refused = token_asked(house.api, grant_type="password", username="nobody@x.test", password=PASSWORD)
    problem(refused, 401, "sign-in-refused")

    assert counted() == before + 1
    assert house.api.rows("SELECT count(*) FROM stored_events") == facts


@pytest.mark.security(37)
def test_a_session_that_ends_because_its_token_came_twice_is_a_fact(house: House) -> None:
    someone = member(house, "staff")
    stolen = someone.refresh_token
    someone.refreshed()

    problem(token_asked(house.api, grant_type="refresh_token", refresh_token=stolen), 401, "refresh-refused")

    assert [one["because"] for one in noted(house, "access.session_ended.v1", someone.id)] == ["refresh_reused"]
    assert len(noted(house, "access.signed_in.v1", someone.id)) == 1


@pytest.mark.security(18)
def test_a_digest_of_lesser_strength_is_made_anew_when_its_owner_signs_in(house: House) -> None:
    someone = member(house, "staff")
    weak = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    change(house.api, f"UPDATE credential SET password_digest = '{weak}' WHERE account_id = '{someone.id}'")
    problem(someone.tries("not it"), 401, "sign-in-refused")
    assert _digest(someone) == weak

    made(someone.tries(), 200)

    assert _digest(someone).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    made(someone.tries(), 200)


def _digest(someone: Someone) -> str:
    [(digest,)] = someone.api.rows(f"SELECT password_digest FROM credential WHERE account_id = '{someone.id}'")
    return str(digest)
