"""Webhooks over HTTP: SECURITY.md rows 34 and 35 as far as a request decides about them."""

from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from domain.webhook import WEBHOOKS_MAX
from tests.api.house import House, key, made, opened_house, problem
from tests.api.running_api import RunningApi

pytestmark = pytest.mark.security(34, 35)

URL = "https://crm.example.com/daybook"


def added(house: House, **more: object) -> dict[str, Any]:
    return made(house.post("/webhooks", {"url": URL, **more}))


def test_the_secret_is_told_once_and_never_again(house: House) -> None:
    answer = house.post("/webhooks", {"url": URL, "topics": ["series.*", "appointment.booked.v1"]})
    webhook = made(answer)

    assert webhook.pop("secret").startswith("whsec_")
    assert webhook["topics"] == ["appointment.booked.v1", "series.*"]
    assert webhook["enabled"] is True
    assert answer.headers["Location"] == f"/v1/webhooks/{webhook['id']}"
    got = house.get(f"/webhooks/{webhook['id']}")
    assert made(got, 200) == webhook
    assert got.headers["ETag"] == answer.headers["ETag"]
    listed = made(house.get("/webhooks"), 200)["items"]
    assert webhook in listed
    assert "whsec_" not in str(listed)
    facts = made(house.get("/audit/facts", stream_id=webhook["id"]), 200)["items"]
    assert [fact["topic"] for fact in facts] == ["webhook.added.v1"]
    assert "whsec_" not in str(facts)


def test_a_retry_whose_answer_was_lost_is_told_the_same_secret_until_there_is_another(house: House) -> None:
    headers = key()
    first = made(house["owner"].post("/v1/webhooks", json={"url": URL}, headers=headers))
    again = house["owner"].post("/v1/webhooks", json={"url": URL}, headers=headers)

    assert made(again) == first
    assert again.headers["Idempotent-Replay"] == "true"

    rotated = made(house.post(f"/webhooks/{first['id']}/rotate-secret"), 200)
    assert rotated["secret"] not in {None, first["secret"]}
    late = made(house["owner"].post("/v1/webhooks", json={"url": URL}, headers=headers))
    assert late["secret"] is None
    Webhook(rotated["secret"])  # a secret as the standard has it


def test_secrets_of_two_webhooks_differ(house: House) -> None:
    assert added(house)["secret"] != added(house)["secret"]


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example.com/", "https://169.254.169.254/latest/meta-data/", "https://10.0.0.1/", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://2130706433/", "https://0177.0.0.1/", "https://localhost/",
        "https://user:pass@crm.example.com/", "gopher://crm.example.com/", "nothing",
    ],
)  # fmt: skip
def test_what_can_be_no_endpoint_is_refused(house: House, url: str) -> None:
    head = house.api.head()

    document = problem(house.post("/webhooks", {"url": url}), 422, "invalid-value")

    assert document["errors"][0]["pointer"] == "/url"
    webhook = house.api.head()
    assert webhook == head


def test_topics_that_do_not_exist_are_refused(house: House) -> None:
    problem(house.post("/webhooks", {"url": URL, "topics": ["appointment.vanished.v1"]}), 422, "invalid-value")
    problem(house.post("/webhooks", {"url": URL, "topics": ["*"]}), 422, "invalid-request")


def test_a_change_says_which_version_it_changes(house: House) -> None:
    webhook = added(house, topics=["series.*"])
    path = f"/v1/webhooks/{webhook['id']}"

    problem(house["owner"].patch(path, json={"topics": None}), 428, "if-match-missing")
    problem(house["owner"].patch(path, json={"topics": None}, headers={"If-Match": '"v9"'}), 412, "stale-version")
    changed = made(house["owner"].patch(path, json={"topics": None}, headers={"If-Match": '"v1"'}), 200)
    assert (changed["topics"], changed["url"], changed["version"]) == (None, URL, 2)
    moved = made(house["owner"].patch(path, json={"url": f"{URL}/2"}, headers={"If-Match": '"v2"'}), 200)
    assert (moved["topics"], moved["url"]) == (None, f"{URL}/2")
    private = house["owner"].patch(path, json={"url": "https://10.0.0.1/"}, headers={"If-Match": "*"})
    problem(private, 422, "invalid-value")


def test_one_that_is_disabled_is_told_so_and_enabled_again(house: House) -> None:
    webhook = added(house)
    path = f"/v1/webhooks/{webhook['id']}"

    off = made(house["owner"].patch(path, json={"enabled": False}, headers={"If-Match": "*"}), 200)
    assert (off["enabled"], off["disabled_because"]) == (False, "asked")
    problem(house.post(f"/webhooks/{webhook['id']}/test"), 409, "webhook-disabled")
    on = made(house["owner"].patch(path, json={"enabled": True}, headers={"If-Match": "*"}), 200)
    assert (on["enabled"], on["disabled_because"]) == (True, None)


def test_a_test_is_among_the_deliveries_and_a_retry_of_it_is_the_same_one(house: House) -> None:
    webhook = added(house, topics=["series.*"])
    headers = key()
    path = f"/v1/webhooks/{webhook['id']}/test"

    asked = house["owner"].post(path, headers=headers)
    house.position = asked.headers["Journal-Position"]
    assert made(house["owner"].post(path, headers=headers), 200) == made(asked, 200)

    [delivery] = made(house.get(f"/webhooks/{webhook['id']}/deliveries"), 200)["items"]
    assert delivery["id"] == made(asked, 200)["delivery_id"]
    assert (delivery["topic"], delivery["status"], delivery["attempts"]) == ("webhook.test_requested.v1", "pending", 0)
    assert delivery["next_attempt_at"]


def test_deliveries_are_paged_from_the_newest_fact_on(house: House) -> None:
    webhook = added(house, topics=["series.*"])
    for _ in range(3):
        made(house.post(f"/webhooks/{webhook['id']}/test"), 200)

    first = made(house.get(f"/webhooks/{webhook['id']}/deliveries", limit="2"), 200)
    rest = made(house.get(f"/webhooks/{webhook['id']}/deliveries", limit="2", cursor=first["next_cursor"]), 200)

    positions = [one["position"] for one in (*first["items"], *rest["items"])]
    assert positions == sorted(positions, reverse=True)
    assert len(positions) == 3
    assert rest["next_cursor"] is None


def test_one_that_is_removed_is_gone_with_its_secret(house: House) -> None:
    webhook = added(house)
    removed = house["owner"].delete(f"/v1/webhooks/{webhook['id']}")
    house.position = removed.headers["Journal-Position"]
    made(removed, 200)

    problem(house.get(f"/webhooks/{webhook['id']}"), 404, "not-found")
    problem(house.get(f"/webhooks/{webhook['id']}/deliveries"), 404, "not-found")
    problem(house.post(f"/webhooks/{webhook['id']}/rotate-secret"), 404, "not-found")
    problem(house["owner"].delete(f"/v1/webhooks/{webhook['id']}"), 404, "not-found")
    assert webhook["id"] not in str(made(house.get("/webhooks"), 200))
    assert house.api.rows(f"SELECT * FROM webhooks.secret WHERE webhook_id = '{webhook['id']}'") == []


def test_an_organization_has_so_many_and_no_more(api: RunningApi) -> None:
    crowded = opened_house(api)
    kept = [added(crowded) for _ in range(WEBHOOKS_MAX - 1)]  # the house has one

    problem(crowded.post("/webhooks", {"url": URL}), 409, "too-many-webhooks")

    made(crowded["owner"].delete(f"/v1/webhooks/{kept[0]['id']}"), 200)
    added(crowded)


@pytest.mark.parametrize("role", ["staff", "auditor", "customer"])
def test_only_owners_and_managers_say_where_facts_go(house: House, role: str) -> None:
    webhook = added(house)

    problem(house.post("/webhooks", {"url": URL}, role=role), 403, "forbidden")
    problem(house.get("/webhooks", role=role), 403, "forbidden")
    problem(house.get(f"/webhooks/{webhook['id']}/deliveries", role=role), 403, "forbidden")
    made(house.get(f"/webhooks/{uuid4()}", role="manager"), 404)
