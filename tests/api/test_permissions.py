"""What the matrix of ``test_policy`` does not ask: objects within bodies, a stranger's crawl, rights within rights."""

from typing import Any
from uuid import uuid4

import pytest

from tests.api.house import PASSWORD, House, key, made, opened_house, problem
from tests.api.running_api import RunningApi


@pytest.fixture(scope="module")
def neighbour(api: RunningApi) -> House:
    return opened_house(api)


def test_nothing_is_built_on_another_organizations_objects(house: House, neighbour: House) -> None:
    head = house.api.head()
    spare: dict[str, Any] = {"name": "X", "kind": "spare", "time_zone": "UTC", "location_id": house.location_id}
    service = {"name": "X", "duration_min": 30, "requirements": [{"resource_id": house.resource_id}]}
    booking = {
        "service_id": neighbour.service_id,
        "customer_id": neighbour.customer_id,
        "start": "2026-11-24T09:00:00Z",
    }

    problem(neighbour.post("/resources", spare), 404, "not-found")
    problem(neighbour.post("/services", service), 404, "not-found")
    problem(neighbour.post("/appointments", {**booking, "customer_id": house.customer_id}), 404, "not-found")
    problem(neighbour.post("/appointments", {**booking, "service_id": house.service_id}), 404, "not-found")
    foreign_resource = {**booking, "resource_ids": [house.resource_id]}
    problem(neighbour.post("/appointments", foreign_resource), 422, "resource-not-suitable")
    query = {"appointment_id": house.appointment_id}
    problem(neighbour["owner"].get("/v1/notifications", params=query), 404, "not-found")
    assert house.api.head() == head


def test_a_customer_does_not_reach_another_customers_visits(house: House) -> None:
    body = {"organization_id": house.id, "email": f"{uuid4().hex}@x.test", "password": PASSWORD, "display_name": "Eva"}
    with house.api.client() as anyone:
        eva = made(anyone.post("/v1/auth/register", json=body, headers=key()))
        form = {"grant_type": "password", "username": body["email"], "password": PASSWORD}
        token = made(anyone.post("/v1/auth/token", data=form), 200)["access_token"]
    head = house.api.head()
    with house.api.client(token) as client:
        problem(client.get(f"/v1/customers/{house.customer_id}"), 404, "not-found")
        problem(client.get("/v1/appointments", params={"customer_id": house.customer_id}), 403, "forbidden")
        assert made(client.get("/v1/appointments"), 200)["items"] == []
        assert made(client.get("/v1/series"), 200)["items"] == []
        assert [one["id"] for one in made(client.get("/v1/customers"), 200)["items"]] == [eva["subject_id"]]
        assert made(client.get(f"/v1/customers/{eva['subject_id']}"), 200)["display_name"] == "Eva"
    assert house.api.head() == head


@pytest.mark.security(37)
def test_a_forbidden_call_is_visible_to_the_auditor(house: House) -> None:
    for _ in range(3):
        problem(house.get("/audit/facts", role="staff"), 403, "forbidden")

    query = {"topic": "access.call_forbidden.v1", "limit": "200", "actor_id": house.account_ids["staff"]}
    noted = made(house["auditor"].get("/v1/audit/facts", params=query), 200)["items"]

    of_these = [one["data"] for one in noted if one["data"]["operation"] == "audit.read"]
    assert [one["times"] for one in of_these] == [1]  # the others of this minute are counted
    assert of_these[0]["account_id"] == house.account_ids["staff"]
