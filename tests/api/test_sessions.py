"""Group appointments over HTTP: seats, the session that they are in, and what is left of it."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.house import House, made, problem
from tests.api.running_api import MONDAY

TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27"


@pytest.fixture(scope="module")
def yoga(house: House) -> str:
    """A class of five, in a room of its own."""
    room = {"name": "Hall", "kind": "hall", "time_zone": "UTC", "working_hours": EVERY_WORKDAY}
    hall = made(house.post("/resources", room))["id"]
    wanted = {"name": "Yoga", "duration_min": 60, "seats": 5, "requirements": [{"resource_id": hall}]}
    return str(made(house.post("/services", wanted))["id"])


EVERY_WORKDAY = [{"weekday": day, "start": "09:00", "end": "17:00"} for day in ("MO", "TU", "WE", "TH", "FR")]


def a_customer(house: House) -> str:
    return str(made(house.post("/customers", {"display_name": "Bia"}, role="staff"))["id"])


def seats(house: House, service_id: str, start: str, **wish: Any) -> Any:
    return house.book(start, service_id=service_id, customer_id=a_customer(house), **wish)


def test_two_bookings_of_one_start_are_in_one_session(house: House, yoga: str) -> None:
    first = made(seats(house, yoga, f"{TUESDAY}T09:00:00Z", seats=2))
    second = made(seats(house, yoga, f"{TUESDAY}T09:00:00Z"))

    assert (first["seats"], second["seats"]) == (2, 1)
    assert first["session_id"] == second["session_id"]
    assert first["resource_ids"] == second["resource_ids"]
    opened = house.get("/audit/facts", topic="session.opened.v1", stream_id=first["session_id"]).json()["items"]
    assert len(opened) == 1
    claims = house.get("/audit/facts", topic="resource_day.slot_claimed.v1", limit="200").json()["items"]
    assert [claim["data"]["appointment_id"] for claim in claims].count(first["session_id"]) == 1
    assert house.get(f"/appointments/{first['id']}").json() == first


def test_whoever_wants_more_seats_than_are_left_is_told_how_many(house: House, yoga: str) -> None:
    made(seats(house, yoga, f"{TUESDAY}T12:00:00Z", seats=4))
    full = made(seats(house, yoga, f"{TUESDAY}T11:00:00Z", seats=4))

    refused = problem(seats(house, yoga, f"{TUESDAY}T11:00:00Z", seats=2), 409, "session-full")

    assert (refused["session_id"], refused["seats_free"]) == (full["session_id"], 1)
    assert refused["errors"] == [{"pointer": "/seats", "detail": refused["title"]}]
    assert refused["alternatives"][0]["start"] == f"{TUESDAY}T10:00:00Z"  # at twelve there is one seat, too
    assert seats(house, yoga, refused["alternatives"][0]["start"], seats=2).status_code == 201
    made(seats(house, yoga, f"{TUESDAY}T11:00:00Z"))


def test_more_seats_than_a_session_has_are_no_valid_wish(house: House, yoga: str) -> None:
    refused = problem(seats(house, yoga, f"{TUESDAY}T15:00:00Z", seats=6), 422, "invalid-value")
    assert refused["errors"] == [{"pointer": "/seats", "detail": "between 1 and 5"}]


def test_the_last_seat_that_is_given_up_gives_the_room_back(house: House, yoga: str) -> None:
    half_past, whole = f"{WEDNESDAY}T09:30:00Z", f"{WEDNESDAY}T09:00:00Z"
    visits = [made(seats(house, yoga, whole)) for _ in range(2)]
    problem(seats(house, yoga, half_past), 409, "slot-taken")

    for visit in visits:
        cancel = f"/appointments/{visit['id']}/cancel"
        made(house.post(cancel, role="staff", **{"If-Match": '"v1"'}), 200)
        if visit is visits[0]:
            problem(seats(house, yoga, half_past), 409, "slot-taken")

    other = made(seats(house, yoga, half_past))
    assert other["session_id"] != visits[0]["session_id"]


def test_a_reschedule_takes_the_seats_along(house: House, yoga: str) -> None:
    visit = made(seats(house, yoga, f"{THURSDAY}T09:00:00Z", seats=3))
    made(seats(house, yoga, f"{THURSDAY}T11:00:00Z", seats=3))
    path, headers = f"/appointments/{visit['id']}/reschedule", {"If-Match": '"v1"'}

    full = house.post(path, {"start": f"{THURSDAY}T11:00:00Z"}, role="staff", **headers)
    assert problem(full, 409, "session-full")["seats_free"] == 2
    moved = made(house.post(path, {"start": f"{THURSDAY}T13:00:00Z"}, role="staff", **headers), 200)

    assert moved["seats"] == 3
    assert moved["session_id"] != visit["session_id"]
    assert made(seats(house, yoga, f"{THURSDAY}T09:00:00Z", seats=5))["session_id"] == visit["session_id"]


def test_a_held_seat_that_lapsed_is_free_at_once(house: House, yoga: str) -> None:
    start = f"{FRIDAY}T09:00:00Z"
    made(seats(house, yoga, start, seats=4))
    held = made(seats(house, yoga, start, hold_min=10))
    assert held["held_until"] == "2026-11-23T00:10:00Z"
    problem(seats(house, yoga, start), 409, "session-full")

    house.api.clock.set(MONDAY + timedelta(minutes=10))

    made(seats(house, yoga, start))
    problem(house.post(f"/appointments/{held['id']}/confirm", role="staff"), 409, "hold-lapsed")


def test_a_service_for_one_has_no_sessions(house: House) -> None:
    visit = made(house.book(f"{FRIDAY}T09:00:00Z"))
    assert visit["seats"] == 1
    assert "session_id" not in visit
    refused = problem(house.book(f"{FRIDAY}T10:00:00Z", seats=2), 422, "invalid-value")
    assert refused["errors"][0]["pointer"] == "/seats"
