"""Only what a role needs is answered: the fields of each object for each role, by name. SECURITY.md rows 3 and 5."""

import json
import re
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.house import House, key, made, problem
from tests.api.stranger import Stranger

APPOINTMENT = {"id", "status", "service_id", "customer_id", "start", "end", "resource_ids", "seats", "version"}
OF_SERIES = {"series_id", "recurrence_id"}
PERSON = {"id", "display_name", "email", "phone", "locale", "version"}
RESOURCE = {
    *("id", "name", "kind", "location_id", "time_zone", "capacity", "working_hours", "overrides", "retired_at"),
    "version",
}
SERVICE = {
    *("id", "name", "duration_min", "buffer_before_min", "buffer_after_min", "slot_step_min", "min_notice_min"),
    *("max_advance_days", "cancellation_notice_min", "requirements", "seats", "approval_required"),
    *("customer_overlap_allowed", "booking_limits", "offer_min", "no_show_after_min", "release_after_min"),
    *("remind_before_min", "price", "public", "version"),
}
VISIT_OF_A_VISITOR = {
    *("id", "status", "service_id", "start", "end", "version", "organization_id", "organization_name", "time_zone"),
    *("service_name", "duration_min", "price", "place", "change_until"),
}
SERVICE_FOR_VISITORS = {
    *("id", "name", "duration_min", "price", "approval_required", "min_notice_min", "max_advance_days"),
    "cancellation_notice_min",
}


@pytest.mark.security(3)
@pytest.mark.parametrize("role", ["customer", "staff", "auditor"])
def test_who_signs_in_is_answered_these_fields_and_no_others(house: House, role: str) -> None:
    expected = {
        f"/appointments/{house.appointment_id}": APPOINTMENT,
        f"/customers/{house.customer_id}": PERSON,
        f"/resources/{house.resource_id}": RESOURCE,
        f"/services/{house.service_id}": SERVICE,
    }
    for path, fields in expected.items():
        one = made(house.get(path, role=role), 200)
        assert one.keys() == fields, path
        collection = path.rpartition("/")[0]
        items = made(house.get(collection, role=role), 200)["items"]
        assert items
        assert all(fields <= item.keys() <= fields | OF_SERIES for item in items), collection


@pytest.mark.security(3)
def test_a_visitor_is_answered_less(ada: Stranger) -> None:
    house, booked = ada.house, ada.books("2026-11-24T09:00:00Z")

    assert made(ada.sees(booked["link_token"]), 200).keys() == VISIT_OF_A_VISITOR
    (service,) = made(ada.get(f"/{house.id}/services"), 200)["items"]
    assert service.keys() == SERVICE_FOR_VISITORS
    assert made(ada.get(f"/{house.id}"), 200).keys() == {"id", "name", "time_zone"}
    for path in (f"/customers/{house.customer_id}", f"/resources/{house.resource_id}"):
        problem(ada.client.get(f"/v1{path}"), 401, "unauthenticated")
    assert booked.keys() == {"id", "status", "service_id", "start", "end", "version", "link_token"}
    moved = made(ada.with_link(booked["link_token"], "/reschedule", {"start": "2026-11-24T10:00:00Z"}), 200)
    assert moved.keys() == {"id", "status", "service_id", "start", "end", "version"}
    assert made(ada.with_link(booked["link_token"], "/cancel"), 200).keys() == moved.keys()


@pytest.mark.security(5)
def test_nobody_learns_anything_of_anyone_by_trying_every_operation(ada: Stranger) -> None:
    house = ada.house
    booked = ada.books("2026-11-24T13:00:00Z", notes="Canary of a note")
    made(ada.post(f"/appointments/{booked['id']}/codes"), 200)
    made(house.book("2026-11-24T15:00:00Z", notes="Canary of the desk"))
    canaries = [
        *("Ada Canary", ada.email, "Canary of a note", "Canary of the desk", booked["link_token"], ada.code_of(booked)),
        *("Ana Souza", "+5527999990000", "27999990000", "Helena", "Olívia", *house.emails.values()),
    ]
    document = made(ada.client.get("/openapi.json"), 200)
    answers = [*_answers(house, ada.client, document, booked["id"])]

    assert len(answers) > 2 * sum(len(methods) for methods in document["paths"].values()) - 1
    told = "\n".join(f"{answer.text} {answer.headers!r}" for answer in answers)
    assert [canary for canary in canaries if canary in told or json.dumps(canary)[1:-1] in told] == []
    assert booked["id"] in told  # or nothing of this visit would have been asked for
    assert {answer.status_code for answer in answers} >= {200, 401, 404, 422}
    assert all(answer.status_code < 500 for answer in answers)


def _answers(house: House, client: httpx.Client, document: dict[str, Any], visit_id: str) -> list[httpx.Response]:
    """Of every operation: with ids of the house, and with the id of a visitor's visit; with a body and without."""
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = an_example(document, operation) or {}
            body |= {"service_id": house.service_id, "start": "2026-11-24T13:00:00Z"} if "start" in body else {}
            for address in (filled(path, house), filled(path, house, visit_id)):
                for sent in (body, None):
                    window = {"start": "2026-11-24", "end": "2026-11-25"} if path.endswith("/slots") else None
                    headers = {**key(), "If-Match": "*", "Authorization": f"Manage {uuid4().hex}"}
                    found.append(client.request(method, address, json=sent, params=window, headers=headers))
    return found


def filled(path: str, house: House, odd: str | None = None) -> str:
    """The path with the house's own ids, or with this one in the place of each."""
    ids = {"organization_id": house.id, "resource_id": house.resource_id, "customer_id": house.customer_id}
    ids |= {"service_id": house.service_id, "location_id": house.location_id, "closure_id": house.closure_id}
    ids |= {"appointment_id": house.appointment_id, "account_id": house.account_ids["owner"], "slug": "slot-taken"}
    ids |= {"entry_id": house.waitlist_entry_id, "series_id": house.series_id, "pool_id": house.pool_id}
    names = re.findall(r"\{(\w+)\}", path)
    return path.format(**{name: odd or ids.get(name, str(uuid4())) for name in names})


def an_example(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """The body that the document itself shows, where it shows one."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    example: dict[str, Any] = document["components"]["schemas"].get(name, {}).get("example", {})
    return dict(example)
