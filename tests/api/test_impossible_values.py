"""Nothing is set up, changed or asked for with values that no object can have; and nothing happens then."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.house import House, key, problem

SOMEONES = "0b7a7c52-7d6c-4c06-8f5b-8f0c6f1fd1a4"
"""An id that is always the same: the workers of a parallel run must name their tests alike."""


@pytest.fixture(autouse=True)
def nothing_happens(house: House) -> Iterator[None]:
    before = house.api.head()
    yield
    assert house.api.head() == before


def sent(house: House, path: str, body: object, *, method: str = "POST", **headers: str) -> httpx.Response:
    return house["owner"].request(method, f"/v1{path}", json=body, headers={**key(), **headers})


@pytest.mark.parametrize(
    ("path", "changes", "slug"),
    [
        ("/locations", {"time_zone": "Mars/Olympus"}, "invalid-value"),
        ("/locations", {"time_zone": "../../etc/passwd"}, "invalid-request"),
        ("/locations", {"name": " "}, "invalid-request"),
        ("/locations", {"name": "x" * 201}, "invalid-request"),
        ("/locations", {"name": "a\nb"}, "invalid-request"),
        ("/resources", {"capacity": 0}, "invalid-request"),
        ("/resources", {"capacity": 10_001}, "invalid-request"),
        ("/resources", {"kind": ""}, "invalid-request"),
        ("/resources", {"working_hours": [{"weekday": "XX", "start": "09:00", "end": "17:00"}]}, "invalid-request"),
        ("/resources", {"working_hours": [{"weekday": "MO", "start": "9:00", "end": "17:00"}]}, "invalid-request"),
        ("/resources", {"working_hours": [{"weekday": "MO", "start": "09:00", "end": "24:01"}]}, "invalid-request"),
        ("/resources", {"working_hours": [{"weekday": "MO", "start": "17:00", "end": "09:00"}]}, "invalid-value"),
        (
            "/resources",
            {
                "working_hours": [
                    {"weekday": "MO", "start": "09:00", "end": "12:00"},
                    {"weekday": "MO", "start": "11:00", "end": "17:00"},
                ]
            },
            "hours-overlap",
        ),
        ("/services", {"duration_min": 0}, "invalid-value"),
        ("/services", {"duration_min": 10 * 366 * 24 * 60}, "invalid-value"),
        ("/services", {"duration_min": "30"}, "invalid-request"),
        ("/services", {"slot_step_min": 0}, "invalid-value"),
        ("/services", {"max_advance_days": 36_500}, "invalid-value"),
        ("/services", {"requirements": []}, "invalid-request"),
        ("/services", {"requirements": [{}]}, "invalid-value"),
        ("/services", {"requirements": [{"kind": "room", "resource_id": SOMEONES}]}, "invalid-value"),
        ("/services", {"requirements": [{"kind": "room", "quantity": 0}]}, "invalid-request"),
        ("/services", {"requirements": [{"kind": "room", "pool_id": SOMEONES}]}, "invalid-value"),
        ("/services", {"requirements": [{"pool_id": "the doctors"}]}, "invalid-request"),
        ("/services", {"price": {"amount": -1, "currency": "BRL"}}, "invalid-request"),
        ("/services", {"price": {"amount": 100, "currency": "real"}}, "invalid-request"),
        ("/services", {"seats": 0}, "invalid-request"),
        ("/services", {"seats": 10_001}, "invalid-value"),
        ("/services", {"approval_required": "yes"}, "invalid-request"),
        ("/services", {"customer_overlap_allowed": 1}, "invalid-request"),
        ("/services", {"booking_limits": [{"per": "room", "period": "day", "count": 1}]}, "invalid-request"),
        ("/services", {"booking_limits": [{"per": "customer", "period": "year", "count": 1}]}, "invalid-request"),
        ("/services", {"booking_limits": [{"per": "customer", "period": "day", "count": 0}]}, "invalid-request"),
        ("/services", {"booking_limits": [{"per": "customer", "period": "day", "count": 10_001}]}, "invalid-value"),
        ("/services", {"booking_limits": [{"per": "service", "period": "day", "count": 3}] * 2}, "invalid-value"),
        ("/services", {"booking_limits": [{"per": "service", "period": "day", "count": 3}] * 11}, "invalid-request"),
        ("/services", {"offer_min": 0}, "invalid-value"),
        ("/services", {"no_show_after_min": -1}, "invalid-request"),
        ("/services", {"no_show_after_min": 24 * 60 + 1}, "invalid-value"),
        ("/services", {"release_after_min": 24 * 60 + 1}, "invalid-value"),
        ("/services", {"remind_before_min": [0]}, "invalid-value"),
        ("/services", {"remind_before_min": [60] * 6}, "invalid-request"),
        ("/customers", {"email": "not an address"}, "invalid-request"),
        ("/customers", {"email": "a" * 300 + "@clinic.test"}, "invalid-request"),
        ("/customers", {"phone": "99999"}, "invalid-request"),
        ("/customers", {"locale": "pt_BR!"}, "invalid-request"),
        ("/accounts", {"role": "owner"}, "invalid-request"),
        ("/accounts", {"role": "customer"}, "invalid-request"),
        ("/accounts", {"role": "service"}, "invalid-request"),
        ("/accounts", {"email": ""}, "invalid-request"),
    ],
    ids=str,
)
def test_nothing_is_set_up_with_impossible_values(
    house: House, path: str, changes: dict[str, object], slug: str
) -> None:
    good: dict[str, dict[str, object]] = {
        "/locations": {"name": "Centro", "time_zone": "UTC"},
        "/resources": {"name": "Room", "kind": "room", "time_zone": "UTC"},
        "/services": {"name": "Visit", "duration_min": 30, "requirements": [{"kind": "room"}]},
        "/customers": {"display_name": "Ana"},
        "/accounts": {
            "email": "x@clinic.test",
            "password": "a good enough one",
            "display_name": "X",
            "role": "staff",
        },
    }
    document = problem(sent(house, path, {**good[path], **changes}), 422, slug)

    assert document["errors"]


def test_changes_that_change_nothing_or_take_away_a_name_are_refused(house: House) -> None:
    for path in (
        f"/customers/{house.customer_id}",
        f"/locations/{house.location_id}",
        f"/resources/{house.resource_id}",
        f"/services/{house.service_id}",
    ):
        for body in ({}, {"display_name": None}, {"name": None}, {"id": str(uuid4())}):
            document = sent(house, path, body, method="PATCH", **{"If-Match": '"v1"'})
            problem(document, 422, "invalid-request")
        problem(sent(house, path, {"name": "X", "display_name": "X"}, method="PATCH"), 428, "if-match-missing")


@pytest.mark.parametrize(
    ("changes", "slug", "pointer"),
    [
        ({"seats": 0}, "invalid-request", "/seats"),
        ({"seats": 2}, "invalid-value", "/seats"),
        ({"seats": "1"}, "invalid-request", "/seats"),
        ({"hold_min": 0}, "invalid-request", "/hold_min"),
        ({"hold_min": 24 * 60 + 1}, "invalid-request", "/hold_min"),
        ({"override": {"rules": ["working_hours"]}}, "invalid-request", "/override/reason"),
        ({"override": {"rules": ["working_hours"], "reason": " "}}, "invalid-request", "/override/reason"),
        ({"override": {"rules": [], "reason": "x"}}, "invalid-request", "/override/rules"),
        ({"override": {"rules": ["capacity"], "reason": "x"}}, "invalid-request", "/override/rules/0"),
        ({"override": {"rules": ["slot_grid", "seats"], "reason": "x"}}, "invalid-request", "/override/rules/1"),
        ({"override": {"rules": ["retirement"], "reason": "x"}}, "invalid-request", "/override/rules/0"),
        ({"override": {"rules": ["everything"], "reason": "x"}}, "invalid-request", "/override/rules/0"),
        ({"override": ["working_hours"]}, "invalid-request", "/override"),
    ],
    ids=str,
)
def test_nothing_is_booked_with_impossible_values(
    house: House, changes: dict[str, Any], slug: str, pointer: str
) -> None:
    refused = problem(house.book("2026-11-24T10:00:00Z", **changes), 422, slug)

    assert [error["pointer"] for error in refused["errors"]] == [pointer]


def test_a_service_says_again_only_what_may_be_said_of_none(house: House) -> None:
    path, headers = f"/services/{house.service_id}", {"If-Match": '"v1"'}
    for name in ("seats", "approval_required", "booking_limits", "offer_min", "remind_before_min", "requirements"):
        problem(sent(house, path, {name: None}, method="PATCH", **headers), 422, "invalid-request")


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ({"start": "2026-11-24"}, "invalid-request"),
        ({"start": "2026-11-24", "end": "2026-11-24"}, "invalid-value"),
        ({"start": "2026-11-25", "end": "2026-11-24"}, "invalid-value"),
        ({"start": "2026-11-24", "end": "2027-01-26"}, "invalid-value"),
        ({"start": "2026-11-24", "end": "2036-01-26"}, "invalid-value"),
        ({"start": "2026-11-31", "end": "2026-12-01"}, "invalid-request"),
        ({"start": "2026-11-24T09:00:00", "end": "2026-11-25"}, "invalid-request"),
        ({"start": "2026-11-24", "end": "2026-11-25", "time_zone": "Mars/Olympus"}, "invalid-value"),
        ({"start": "2026-11-24", "end": "2026-11-25", "resource_id": "x"}, "invalid-request"),
        ({"start": "2026-11-24", "end": "2026-11-25", "seats": "0"}, "invalid-request"),
        ({"start": "2026-11-24", "end": "2026-11-25", "seats": "2"}, "invalid-value"),
        ({"start": "2026-11-24", "end": "2026-11-25", "limit": "2"}, "unknown-parameter"),
    ],
    ids=str,
)
def test_slots_are_asked_for_in_a_window_that_exists(house: House, query: dict[str, str], slug: str) -> None:
    problem(house.get(f"/services/{house.service_id}/slots", **query), 422, slug)


def test_a_closure_has_an_end_after_its_start_and_not_before_today(house: House) -> None:
    for start, end in (
        ("2026-11-25T09:00:00Z", "2026-11-25T09:00:00Z"),
        ("2026-11-25T09:00:00Z", "2026-11-24T09:00:00Z"),
        ("2026-11-25T09:00:00Z", "2028-11-24T09:00:00Z"),
        ("2026-11-20T09:00:00Z", "2026-11-21T09:00:00Z"),
    ):
        body = {"start": start, "end": end, "reason": "x"}
        problem(sent(house, f"/resources/{house.resource_id}/closures", body), 422, "invalid-value")
