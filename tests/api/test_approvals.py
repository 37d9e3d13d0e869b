"""Requests and holds over HTTP: what waits for a yes claims its slot, and lets go of it in time."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.house import House, made, problem
from tests.api.running_api import MONDAY, NINE

TUESDAY, WEDNESDAY = "2026-11-24", "2026-11-25"


@pytest.fixture(scope="module")
def surgery(house: House) -> str:
    """A service that the house approves each booking of."""
    needs = [{"resource_id": house.resource_id}]
    wanted = {"name": "Surgery", "duration_min": 60, "approval_required": True, "requirements": needs}
    return str(made(house.post("/services", wanted))["id"])


def a_customer(house: House) -> str:
    return str(made(house.post("/customers", {"display_name": "Caio"}, role="staff"))["id"])


def approved(house: House, visit: dict[str, Any], role: str = "staff") -> Any:
    return house.post(f"/appointments/{visit['id']}/approve", role=role)


def test_a_request_claims_its_slot_and_the_second_is_refused_at_once(house: House, surgery: str) -> None:
    asked = house.book(f"{TUESDAY}T09:00:00Z", role="customer", service_id=surgery)
    request = made(asked)
    assert (request["status"], request["held_until"]) == ("pending", f"{TUESDAY}T09:00:00Z")

    second = house.book(f"{TUESDAY}T09:30:00Z", service_id=surgery, customer_id=a_customer(house))

    assert problem(second, 409, "slot-taken")["alternatives"][0]["start"] == f"{TUESDAY}T10:00:00Z"
    problem(approved(house, request, "customer"), 403, "forbidden")
    answer = approved(house, request)
    booked = made(answer, 200)
    assert booked["status"] == "booked"
    assert "held_until" not in booked
    assert answer.headers["ETag"] == '"v2"'
    problem(approved(house, request), 409, "not-in-that-state")
    topics = [fact["topic"] for fact in house.get(f"/appointments/{request['id']}/history").json()["items"]]
    assert topics == ["appointment.requested.v1", "appointment.approved.v1"]
    listed = house.get("/appointments", status="pending", customer_id=house.customer_id).json()["items"]
    assert request["id"] not in [visit["id"] for visit in listed]


def test_requests_are_listed_by_their_status(house: House, surgery: str) -> None:
    request = made(house.book(f"{TUESDAY}T13:00:00Z", service_id=surgery))
    listed = house.get("/appointments", status="pending", start=f"{TUESDAY}T13:00:00Z").json()["items"]
    assert request in listed


def test_a_request_is_turned_down_by_cancelling_it(house: House, surgery: str) -> None:
    request = made(house.book(f"{TUESDAY}T15:00:00Z", service_id=surgery))
    path = f"/appointments/{request['id']}/cancel"
    turned_down = house.post(path, {"reason": "no theatre"}, role="staff", **{"If-Match": '"v1"'})
    assert made(turned_down, 200)["status"] == "cancelled"
    problem(approved(house, request), 409, "not-in-that-state")
    made(house.book(f"{TUESDAY}T15:00:00Z", service_id=surgery))


def test_a_confirmed_hold_is_a_request_where_the_house_approves(house: House, surgery: str) -> None:
    held = made(house.book(f"{WEDNESDAY}T09:00:00Z", role="customer", service_id=surgery, hold_min=10))
    assert held["status"] == "held"
    path = f"/appointments/{held['id']}/confirm"
    request = made(house.post(path, role="customer"), 200)
    assert (request["status"], request["held_until"]) == ("pending", f"{WEDNESDAY}T09:00:00Z")
    assert made(approved(house, held), 200)["status"] == "booked"


def test_a_holder_changes_its_own_hold_and_others_are_locked_out(house: House) -> None:
    held = made(house.book(f"{WEDNESDAY}T11:00:00Z", role="customer", hold_min=10))
    path, etag = f"/appointments/{held['id']}/reschedule", {"If-Match": '"v1"'}

    moved = made(house.post(path, {"start": f"{WEDNESDAY}T11:15:00Z"}, role="customer", **etag), 200)

    assert (moved["status"], moved["held_until"]) == ("held", held["held_until"])
    other = a_customer(house)
    problem(house.book(f"{WEDNESDAY}T11:30:00Z", customer_id=other), 409, "slot-taken")
    made(house.book(f"{WEDNESDAY}T10:45:00Z", customer_id=other))  # what was held first, is free again


@pytest.mark.parametrize("minute", ["00", "15"])
def test_a_holder_books_again_what_it_holds_or_next_to_it(house: House, minute: str) -> None:
    hour = "13" if minute == "00" else "14"
    held = made(house.book(f"{WEDNESDAY}T{hour}:00:00Z", role="customer", hold_min=10))
    problem(house.book(f"{WEDNESDAY}T{hour}:{minute}:00Z", customer_id=a_customer(house)), 409, "slot-taken")

    again = house.book(f"{WEDNESDAY}T{hour}:{minute}:00Z", role="customer")

    assert made(again)["status"] == "booked"
    assert house.get(f"/appointments/{held['id']}").json()["status"] == "cancelled"


def test_a_request_that_nobody_approved_lapses_at_its_start(house: House, surgery: str) -> None:
    request = made(house.book("2026-11-23T09:00:00Z", service_id=surgery))
    held = made(house.book("2026-11-23T11:00:00Z", hold_min=30, customer_id=a_customer(house)))
    assert held["held_until"] == (MONDAY + timedelta(minutes=30)).isoformat().replace("+00:00", "Z")

    house.api.clock.set(NINE)

    lapsed = problem(approved(house, request), 409, "hold-lapsed")
    assert lapsed["lapsed_at"] == "2026-11-23T09:00:00Z"
    made(house.book("2026-11-23T09:15:00Z"))
    made(house.book("2026-11-23T11:00:00Z", customer_id=a_customer(house)))
