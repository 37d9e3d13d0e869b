"""Programs sign in by keys that are scoped, expire, are told once and can be revoked: SECURITY.md rows 28, 29, 37."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.api.house import House, api_key_terms, key, made, problem
from tests.api.running_api import RunningApi

pytestmark = pytest.mark.security(28, 29)


def issued(house: House, *scopes: str, **changes: object) -> dict[str, Any]:
    return made(house.post("/api-keys", api_key_terms(*scopes, **changes), role="manager"))


def exchanged(api: RunningApi, client_id: str, client_secret: str | None) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret or ""}
    with api.client() as client:
        return client.post("/v1/auth/token", data=form)


def program(house: House, one: dict[str, Any]) -> httpx.Client:
    token = made(exchanged(house.api, one["client_id"], one["client_secret"]), 200)["access_token"]
    return house.api.client(token)


def test_a_key_is_exchanged_for_a_token_that_does_what_its_scopes_say(house: House) -> None:
    one = issued(house, "service.read", "slots.read")

    answer = made(exchanged(house.api, one["client_id"], one["client_secret"]), 200)

    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}  # nothing that refreshes it
    assert answer["scope"] == "service.read slots.read"
    assert answer["expires_in"] <= 600
    with house.api.client(answer["access_token"]) as client:
        made(client.get("/v1/services"), 200)
        problem(client.get("/v1/resources"), 403, "forbidden")  # which its role could read
        problem(client.get("/v1/api-keys"), 403, "forbidden")
        problem(client.post("/v1/auth/sign-out", headers=key()), 403, "forbidden")


def test_a_program_shows_its_key_as_http_basic_too(house: House) -> None:
    one = issued(house)
    basic = base64.b64encode(f"{one['client_id']}:{one['client_secret']}".encode()).decode()
    with house.api.client() as client:
        form = {"grant_type": "client_credentials"}
        made(client.post("/v1/auth/token", data=form, headers={"Authorization": f"Basic {basic}"}), 200)
        for header in ("Basic", "Basic !", f"Bearer {basic}", "Basic " + base64.b64encode(b"x").decode()):
            answer = client.post("/v1/auth/token", data=form, headers={"Authorization": header})
            problem(answer, 401, "client-refused")
            assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_the_secret_is_long_recognizable_told_once_and_not_kept(house: House) -> None:
    same, body = key(), api_key_terms()
    first = house["owner"].post("/v1/api-keys", json=body, headers=same)
    again = house["owner"].post("/v1/api-keys", json=body, headers=same)

    secret = made(first)["client_secret"]
    assert secret.startswith("dbk_")
    assert len(secret) >= 4 + 43  # 256 bits
    assert made(again)["client_secret"] is None
    assert again.headers["Idempotent-Replay"] == "true"
    made(exchanged(house.api, first.json()["client_id"], secret), 200)
    shown = house.get(f"/api-keys/{first.json()['id']}")
    assert secret not in shown.text + house.get("/api-keys").text
    tables = ("api_key_secret", "sign_in_session", "stored_events", "receipts")
    kept = [json.dumps(house.api.rows(f"SELECT * FROM {table}"), default=repr) for table in tables]
    assert secret not in "".join(kept)
    assert secret.encode().hex() not in "".join(kept)


def test_who_issues_keys_sees_them_with_their_last_use_and_never_with_their_secret(house: House) -> None:
    one = issued(house, name="Booking page")
    before = made(house.get(f"/api-keys/{one['id']}"), 200)
    assert (before["name"], before["used_at"], before["revoked"]) == ("Booking page", None, False)

    with program(house, one) as client:
        made(client.get("/v1/services"), 200)

    after = made(house.get(f"/api-keys/{one['id']}", role="auditor"), 200)
    assert datetime.now(UTC) - datetime.fromisoformat(after["used_at"]) < timedelta(minutes=1)
    listed = made(house.get("/api-keys", role="manager"), 200)["items"]
    assert after in listed
    assert all("client_secret" not in other for other in listed)


@pytest.mark.security(37)
def test_what_a_program_does_is_told_as_its_own_and_so_are_its_key_and_its_signing_in(house: House) -> None:
    one = issued(house, "customer.create")
    with program(house, one) as client:
        customer = made(client.post("/v1/customers", json={"display_name": "Ana"}, headers=key()))
    problem(exchanged(house.api, one["client_id"], "dbk_" + "x" * 43), 401, "client-refused")
    made(house["owner"].delete(f"/v1/api-keys/{one['id']}"), 200)

    told = facts(house, one["account_id"])

    assert [
        (topic, data.get("method") or data.get("reason")) for topic, data in told if topic.startswith("access.")
    ] == [
        ("access.signed_in.v1", "api_key"),
        ("access.sign_in_refused.v1", "wrong_key"),
    ]
    assert [data["customer_id"] for topic, data in told if topic == "customer.registered.v1"] == [customer["id"]]
    (issue, revocation) = [data for topic, data in facts(house) if one["id"] == data.get("api_key_id")]
    assert (issue["scopes"], issue["role"], issue["account_id"]) == (["customer.create"], "staff", one["account_id"])
    assert revocation == {"api_key_id": one["id"]}
    names = made(house.get("/accounts"), 200)["items"]
    assert one["account_id"] in {account["id"] for account in names}


def facts(house: House, actor_id: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    query = {"limit": "200", **({"actor_id": actor_id} if actor_id else {})}
    last = str(house.api.rows("SELECT max(notification_id) FROM stored_events")[0][0])
    told: list[tuple[str, dict[str, Any]]] = []
    after = "0"
    while True:
        headers = {"Journal-Position": last}
        answer = house["auditor"].get("/v1/audit/facts", params={**query, "after": after}, headers=headers)
        items = made(answer, 200)["items"]
        if not items:
            return told
        told += [(one["topic"], one["data"]) for one in items]
        after = str(items[-1]["position"])


def is_out(client: httpx.Client, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while client.get("/v1/services").status_code != 401:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_revoked_key_is_good_for_nothing_and_its_tokens_end_within_seconds(house: House) -> None:
    one, other = issued(house), issued(house)
    with program(house, one) as client, program(house, other) as bystander:
        made(client.get("/v1/services"), 200)

        revoked = made(house["manager"].delete(f"/v1/api-keys/{one['id']}"), 200)

        assert revoked["revoked"] is True
        assert is_out(client)
        made(bystander.get("/v1/services"), 200)
    problem(exchanged(house.api, one["client_id"], one["client_secret"]), 401, "client-refused")
    problem(house["manager"].delete(f"/v1/api-keys/{one['id']}"), 409, "not-in-that-state")


def test_a_key_ends_at_its_time_and_its_tokens_with_it(house: House) -> None:
    one = issued(house)
    with program(house, one) as client, psycopg.connect(house.api.settings.database_url) as connection:
        connection.execute("UPDATE sign_in_session SET expires_at = now() WHERE id = %s", (one["id"],))
        connection.commit()

        assert is_out(client)
    problem(exchanged(house.api, one["client_id"], one["client_secret"]), 401, "client-refused")


def test_no_key_is_issued_for_too_long_for_too_much_or_by_too_little(house: House) -> None:
    now = datetime.now(UTC)

    def refused(pointer: str, *scopes: str, **changes: object) -> None:
        body = api_key_terms(*scopes, **changes)
        document = problem(house.post("/api-keys", body), 422, "invalid-value")
        assert document["errors"][0]["pointer"] == pointer

    refused("/expires_at", expires_at=(now + timedelta(days=400)).isoformat())
    refused("/expires_at", expires_at="2020-01-01T00:00:00Z")
    refused("/scopes", "slots.invent")
    refused("/scopes", "organization.change", role="manager")  # the owner's alone
    refused("/scopes", "audit.read", role="staff")
    refused("/scopes", "appointment.lapse")
    for beyond_itself in ("account.create", "api_key.issue", "api_key.revoke", "session.end"):
        refused("/scopes", beyond_itself, role="manager")
    for role in ("owner", "customer", "service"):
        problem(house.post("/api-keys", api_key_terms(role=role)), 422, "invalid-request")
    problem(house.post("/api-keys", api_key_terms(scopes=[])), 422, "invalid-request")
    problem(house.post("/api-keys", api_key_terms(), role="staff"), 403, "forbidden")
    left = "SELECT count(*) FROM sign_in_session s LEFT JOIN stored_events e ON e.originator_id = s.id"
    assert house.api.rows(f"{left} WHERE s.method = 'api_key' AND e.topic IS NULL") == [(0,)]


def test_another_key_another_secret_and_no_key_are_refused_alike(house: House) -> None:
    one, other = issued(house), issued(house)

    for client_id, secret in (
        (one["client_id"], other["client_secret"]),
        (one["client_id"], ""),
        (one["account_id"], one["client_secret"]),
        (str(uuid4()), one["client_secret"]),
        ("x", one["client_secret"]),
        ("", ""),
    ):
        document = problem(exchanged(house.api, client_id, secret), 401, "client-refused")
        assert document["detail"] == document["title"]
