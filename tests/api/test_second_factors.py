"""Codes of a device besides the password, and what an organization demands: SECURITY.md rows 22 and 24."""

from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from application.sign_in_tries import PAIR
from domain.one_time_code import Purpose
from tests.api.house import PASSWORD, House, key, made, opened_house, problem
from tests.api.people_at_the_door import (
    Someone,
    change,
    founder,
    link_sent,
    member,
    noted,
    registered,
)
from tests.api.running_api import RunningApi

pytestmark = pytest.mark.security(24)


def test_a_device_is_enrolled_with_the_password_and_a_first_code(house: House) -> None:
    someone = member(house, "staff")
    problem(someone.post("/auth/second-factor", {"password": "not it"}), 422, "wrong-password")
    same = key()
    begun = made(someone.post("/auth/second-factor", {"password": PASSWORD}, **same), 200)
    assert made(someone.post("/auth/second-factor", {"password": PASSWORD}, **same), 200) == begun

    uri = urlsplit(begun["otpauth_uri"])
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert parse_qs(uri.query) == {"secret": [begun["secret"]], "issuer": ["Clinic"]}
    assert someone.tries().status_code == 200  # not confirmed yet
    problem(someone.post("/auth/second-factor/confirm", {"code": "000000"}), 422, "code-refused")

    confirming = key()
    code = pyotp.TOTP(begun["secret"]).now()
    confirmed = made(someone.post("/auth/second-factor/confirm", {"code": code}, **confirming), 200)

    assert len(set(confirmed["recovery_codes"])) == 10
    assert someone.account()["second_factor"] is True
    again = made(someone.post("/auth/second-factor/confirm", {"code": code}, **confirming), 200)
    assert again == confirmed  # its answer was lost
    problem(someone.post("/auth/second-factor", {"password": PASSWORD}), 409, "already-so")
    problem(someone.post("/auth/second-factor/confirm", {"code": code}), 409, "already-so")


def test_signing_in_takes_a_code_and_no_code_is_good_twice(house: House) -> None:
    someone = member(house, "staff")
    someone.enrols()
    problem(someone.tries(), 401, "second-factor-needed")
    problem(someone.tries("not it", otp=someone.code()), 401, "sign-in-refused")

    code = someone.code()
    made(someone.tries(otp=code), 200)

    problem(someone.tries(otp=code), 401, "second-factor-refused")
    made(someone.tries(otp=f" {someone.code()[:3]} {someone.code()[3:]}"), 200)
    signed_in = [one["method"] for one in noted(house, "access.signed_in.v1", someone.id)]
    assert signed_in == ["password", "password_and_code", "password_and_code"]


@pytest.mark.security(21)
def test_who_comes_in_two_steps_is_not_slowed_down_for_the_first(house: House) -> None:
    someone = member(house, "staff")
    someone.enrols()

    for _ in range(2 * PAIR.burst):
        problem(someone.tries(), 401, "second-factor-needed")

    made(someone.tries(otp=someone.code()), 200)


def test_what_is_kept_of_a_second_factor_is_neither_secret_nor_code(house: House) -> None:
    someone = member(house, "staff")
    codes = someone.enrols()

    kept = str(house.api.rows("SELECT * FROM second_factor")) + str(house.api.rows("SELECT * FROM recovery_code"))
    journal = str(house.api.rows("SELECT convert_from(state, 'UTF8') FROM stored_events"))

    for secret in (someone.secret, *codes, *(code.replace("-", "") for code in codes)):
        assert secret not in kept + journal


@pytest.mark.security(22)
def test_of_many_wrong_codes_five_are_looked_at_and_the_owner_is_not_locked_out_for_ever(house: House) -> None:
    someone = member(house, "staff")
    recovery = someone.enrols()
    for _ in range(5):
        problem(someone.tries(otp="000000"), 401, "second-factor-refused")

    problem(someone.tries(otp=someone.code()), 401, "second-factor-refused")
    problem(someone.tries(otp=recovery[0]), 401, "second-factor-refused")

    reasons = [one["reason"] for one in noted(house, "access.sign_in_refused.v1", someone.id)]
    assert reasons == ["wrong_code", "too_many_codes"]  # the first of each; the rest of the minute is counted
    change(
        house.api,
        f"UPDATE second_factor SET tries_since = now() - interval '10 minutes' WHERE account_id = '{someone.id}'",
    )
    made(someone.tries(otp=someone.code()), 200)


def test_a_recovery_code_signs_in_once(house: House) -> None:
    someone = member(house, "staff")
    codes = someone.enrols()

    made(someone.tries(otp=codes[0].upper()), 200)
    problem(someone.tries(otp=codes[0]), 401, "second-factor-refused")
    made(someone.tries(otp=codes[1].replace("-", "")), 200)

    assert [one["left"] for one in noted(house, "access.recovery_code_used.v1", someone.id)] == [9, 8]


def test_new_recovery_codes_replace_the_old_ones(house: House) -> None:
    someone = member(house, "staff")
    old, same = someone.enrols(), key()
    problem(someone.post("/auth/second-factor/recovery-codes", {"code": "000000"}), 422, "code-refused")

    body = {"code": someone.code()}
    new = made(someone.post("/auth/second-factor/recovery-codes", body, **same), 200)["recovery_codes"]

    assert not set(new) & set(old)
    problem(someone.tries(otp=old[0]), 401, "second-factor-refused")
    made(someone.tries(otp=new[0]), 200)
    assert made(someone.post("/auth/second-factor/recovery-codes", body, **same), 200)["recovery_codes"] == new
    problem(someone.tries(otp=new[0]), 401, "second-factor-refused")  # the answer again is no new life for them
    newer = made(someone.post("/auth/second-factor/recovery-codes", {"code": someone.code()}), 200)["recovery_codes"]
    late = made(someone.post("/auth/second-factor/recovery-codes", body, **same), 200)
    assert "recovery_codes" not in late  # they have been replaced since
    made(someone.tries(otp=newer[0]), 200)


def test_it_is_removed_by_a_code_and_all_other_sessions_end(house: House) -> None:
    someone = member(house, "staff")
    someone.enrols()
    other = Someone(someone.api, someone.id, someone.email, someone.client, "", someone.secret)
    other.signs_in_again(otp=someone.code())
    problem(someone.post("/auth/second-factor/remove", {"code": "000000"}), 422, "code-refused")
    same, body = key(), {"code": someone.code()}

    made(someone.post("/auth/second-factor/remove", body, **same), 200)

    assert someone.account()["second_factor"] is False
    problem(other.refreshes(), 401, "refresh-refused")
    made(someone.post("/auth/second-factor/remove", body, **same), 200)
    someone.refreshed()
    someone.signs_in_again()
    someone.enrols()


@pytest.fixture(scope="module")
def strict(api: RunningApi) -> House:
    """Its staff need a second factor, its customers a verified address."""
    house = opened_house(api)
    body = {"second_factor_roles": ["staff", "auditor"], "verified_customers_only": True}
    organization = house["owner"].patch(f"/v1/organizations/{house.id}", json=body, headers={**key(), "If-Match": "*"})
    shown = made(organization, 200)
    assert (shown["second_factor_roles"], shown["verified_customers_only"]) == (["auditor", "staff"], True)
    return house


def test_staff_without_a_second_factor_can_do_nothing_but_enrol_where_the_organization_demands_it(
    strict: House,
) -> None:
    someone = member(strict, "staff")

    for path in ("services", "appointments", "organizations", f"accounts/{someone.id}"):
        problem(someone.client.get(f"/v1/{path}"), 403, "second-factor-required")
    booking = {"service_id": strict.service_id, "customer_id": strict.customer_id, "start": "2027-02-01T12:00:00Z"}
    problem(someone.post("/appointments", booking), 403, "second-factor-required")

    someone.enrols()
    problem(someone.client.get("/v1/services"), 403, "second-factor-required")  # it is still the token from before
    someone.refreshed()
    made(someone.client.get("/v1/services"), 200)
    someone.signs_in_again(otp=someone.code())
    made(someone.post("/appointments", booking))


def test_who_removes_the_second_factor_that_is_demanded_is_back_to_enrolling(strict: House) -> None:
    someone = member(strict, "staff")
    someone.enrols()
    someone.refreshed()
    made(someone.post("/auth/second-factor/remove", {"code": someone.code()}), 200)

    someone.refreshed()

    problem(someone.client.get("/v1/services"), 403, "second-factor-required")


def test_the_demand_concerns_the_roles_that_it_names_alone(strict: House) -> None:
    manager = member(strict, "manager")

    made(manager.client.get("/v1/services"), 200)


def test_customers_claim_nothing_before_their_address_is_verified_where_it_is_demanded(strict: House) -> None:
    someone = registered(strict)
    wish = {"service_id": strict.service_id, "customer_id": someone.subject_id, "start": "2027-02-01T14:00:00Z"}

    made(someone.client.get("/v1/services"), 200)
    problem(someone.post("/appointments", wish), 403, "verification-required")
    made(strict.post("/appointments", {**wish, "start": "2027-02-01T15:00:00Z"}, role="manager"))  # for them

    token = link_sent(strict.api, Purpose.VERIFY_EMAIL, someone.id)
    with strict.api.client() as anyone:
        made(anyone.post("/v1/auth/verify-email", json={"token": token}, headers=key()), 200)
    someone.refreshed()
    made(someone.post("/appointments", wish))


def test_a_demand_is_a_fact_and_only_the_owner_makes_it(house: House) -> None:
    owner = founder(house.api)
    own = made(owner.client.get("/v1/organizations"), 200)["items"][0]
    address = f"/v1/organizations/{own['id']}"
    headers = {**key(), "If-Match": f'"v{own["version"]}"'}
    changed = owner.client.patch(address, json={"second_factor_roles": ["owner"]}, headers=headers)
    assert made(changed, 200)["name"] == own["name"]
    assert made(owner.client.get(address), 200)["second_factor_roles"] == ["owner"]
    by_staff = house["staff"].patch(
        f"/v1/organizations/{house.id}",
        json={"second_factor_roles": []},
        headers={**key(), "If-Match": "*"},
    )
    problem(by_staff, 403, "forbidden")

    owner.refreshed()

    problem(owner.client.get(address), 403, "second-factor-required")
    owner.enrols()
    owner.refreshed()
    made(owner.client.get(address), 200)
