"""Links that are sent: verified addresses, forgotten passwords. SECURITY.md rows 20, 22 and 23."""

from concurrent.futures import ThreadPoolExecutor
from statistics import median
from uuid import uuid4

import httpx
import pytest

from domain.one_time_code import Purpose
from tests.api.house import PASSWORD, House, key, made, problem
from tests.api.people_at_the_door import (
    Someone,
    change,
    link_sent,
    links_requested,
    noted,
    registered,
    timed,
)
from tests.api.post_office import PostOffice
from tests.api.running_api import RunningApi

NEW = "four oranges on a train"
RESET, VERIFY = Purpose.RESET_PASSWORD, Purpose.VERIFY_EMAIL


def asks_for_reset(api: RunningApi, email: str, **headers: str) -> httpx.Response:
    with api.client() as anyone:
        return anyone.post("/v1/auth/password-reset", json={"email": email}, headers={**key(), **headers})


def chooses(api: RunningApi, token: str, password: str = NEW, **headers: str) -> httpx.Response:
    body = {"token": token, "password": password}
    with api.client() as anyone:
        return anyone.post("/v1/auth/password-reset/confirm", json=body, headers={**key(), **headers})


def verifies(api: RunningApi, token: str, **headers: str) -> httpx.Response:
    with api.client() as anyone:
        return anyone.post("/v1/auth/verify-email", json={"token": token}, headers={**key(), **headers})


def reset_link(someone: Someone) -> str:
    made(asks_for_reset(someone.api, someone.email), 202)
    return link_sent(someone.api, RESET, someone.id)


def test_the_link_of_the_mail_verifies_the_address_once(house: House) -> None:
    someone, same = registered(house), key()
    token = link_sent(house.api, VERIFY, someone.id)

    assert made(verifies(house.api, token, **same), 200) == {"email_verified": True}

    assert someone.account()["email_verified"] is True
    again = verifies(house.api, token, **same)
    assert made(again, 200) == {"email_verified": True}  # the same command, whose answer was lost
    assert again.headers["Idempotent-Replay"] == "true"
    problem(verifies(house.api, token), 422, "code-refused")
    assert len(noted(house, "account.email_verified.v1", someone.id)) == 1


@pytest.mark.security(22)
def test_a_link_for_one_purpose_is_none_for_another(house: House) -> None:
    someone = registered(house)

    problem(chooses(house.api, link_sent(house.api, VERIFY, someone.id)), 422, "code-refused")
    problem(verifies(house.api, reset_link(someone)), 422, "code-refused")
    problem(verifies(house.api, "x" * 64), 422, "code-refused")


def test_another_link_can_be_asked_for_after_a_minute_until_the_address_is_verified(house: House) -> None:
    someone = registered(house)
    first = link_sent(house.api, VERIFY, someone.id)
    made(someone.post("/auth/verify-email/request"), 202)
    assert link_sent(house.api, VERIFY, someone.id) == first

    change(
        house.api, f"UPDATE one_time_code SET issued_at = issued_at - interval '1 minute' WHERE key = '{someone.id}'"
    )
    made(someone.post("/auth/verify-email/request"), 202)
    second = link_sent(house.api, VERIFY, someone.id)

    assert second != first
    assert links_requested(house.api, VERIFY, someone.id) == 2
    made(verifies(house.api, second), 200)
    problem(someone.post("/auth/verify-email/request"), 409, "already-so")


@pytest.mark.security(22, 23)
def test_a_reset_gives_a_new_password_once_and_ends_all_sessions(house: House) -> None:
    someone = registered(house)
    token, same = reset_link(someone), key()

    made(chooses(house.api, token, **same), 200)

    problem(someone.refreshes(), 401, "refresh-refused")
    problem(someone.tries(PASSWORD), 401, "sign-in-refused")
    someone.signs_in_again(NEW)
    assert made(chooses(house.api, token, **same), 200) == {"password_changed": True}
    problem(chooses(house.api, token, "five plums in a tower"), 422, "code-refused")
    someone.signs_in_again(NEW)
    assert len(noted(house, "account.password_reset.v1", someone.id)) == 1
    ended = noted(house, "access.session_ended.v1", someone.id)
    assert [one["because"] for one in ended] == ["password_changed"]


@pytest.mark.security(22)
def test_of_those_who_follow_one_link_at_once_one_chooses_the_password(house: House) -> None:
    someone = registered(house)
    token = reset_link(someone)
    wanted = [f"{number} oranges on a train" for number in range(4)]

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda password: chooses(house.api, token, password), wanted))

    won = [password for password, answer in zip(wanted, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    assert sorted(answer.status_code for answer in answers) == [200, 422, 422, 422]
    someone.signs_in_again(won[0])


@pytest.mark.security(22)
def test_a_link_is_over_after_ten_minutes(house: House) -> None:
    someone = registered(house)
    token = reset_link(someone)
    [(lasts,)] = house.api.rows(
        f"SELECT extract(epoch FROM expires_at - issued_at)::int FROM one_time_code"
        f" WHERE key = '{someone.id}' AND purpose = '{RESET}'"
    )
    assert lasts <= 600
    change(house.api, f"UPDATE one_time_code SET expires_at = clock_timestamp() WHERE key = '{someone.id}'")

    problem(chooses(house.api, token), 422, "code-refused")
    made(someone.tries(PASSWORD), 200)


@pytest.mark.security(20)
def test_asking_for_a_reset_does_not_tell_who_has_an_account(house: House) -> None:
    def asks(email: str) -> float:
        return timed(lambda: asks_for_reset(house.api, email))

    someone, disabled = registered(house), registered(house)
    made(house.post(f"/accounts/{disabled.id}/disable"), 200)
    answers = [asks_for_reset(house.api, email) for email in (someone.email, "nobody@x.test", disabled.email)]

    assert [made(answer, 202) for answer in answers] == [{"accepted": True}] * 3
    assert len({frozenset(answer.headers) for answer in answers}) == 1
    assert links_requested(house.api, RESET, someone.id) == 1
    assert links_requested(house.api, RESET, disabled.id) == 0

    known = median(asks(registered(house).email) for _ in range(5))
    unknown = median(asks(f"{uuid4().hex}@x.test") for _ in range(5))
    assert 1 / 2 < known / unknown < 2


def test_a_second_reset_within_a_minute_sends_nothing(house: House) -> None:
    someone = registered(house)
    token = reset_link(someone)
    made(asks_for_reset(house.api, someone.email), 202)

    assert links_requested(house.api, RESET, someone.id) == 1
    made(chooses(house.api, token), 200)


@pytest.mark.security(23)
def test_a_reset_signs_nobody_in_and_leaves_the_second_factor(house: House) -> None:
    someone = registered(house)
    someone.enrols()
    token = reset_link(someone)

    assert made(chooses(house.api, token), 200) == {"password_changed": True}

    problem(someone.tries(NEW), 401, "second-factor-needed")
    problem(someone.tries(NEW, otp="000000"), 401, "second-factor-refused")
    someone.signs_in_again(NEW, otp=someone.code())


@pytest.mark.security(23)
def test_who_changes_the_address_of_a_customer_does_not_get_at_the_account(house: House) -> None:
    """The front desk may; but links go to the address that signs in, or nowhere."""
    someone = registered(house)
    changed = house["staff"].patch(
        f"/v1/customers/{someone.subject_id}", json={"email": "eve@x.test"}, headers={**key(), "If-Match": "*"}
    )
    made(changed, 200)

    made(asks_for_reset(house.api, someone.email), 202)
    made(asks_for_reset(house.api, "eve@x.test"), 202)

    assert links_requested(house.api, RESET, someone.id) == 0


@pytest.mark.security(23)
def test_the_link_leads_to_the_configured_address_whatever_the_request_says_of_hosts(
    house: House, post_office: PostOffice
) -> None:
    someone = registered(house)
    poisoned = {
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "host=evil.example",
        "Origin": "https://evil.example",
        "Referer": "https://evil.example/",
    }
    made(asks_for_reset(house.api, someone.email, **poisoned), 202)

    mail = post_office.mail(someone.email, "new password")

    link = f"{house.api.settings.public_url}/account#reset-password="
    assert link in mail.text
    assert "evil" not in f"{mail.text}{mail.html}{mail.subject}"
    token = mail.text.partition(link)[2].split()[0]
    made(chooses(house.api, token), 200)
    someone.signs_in_again(NEW)
