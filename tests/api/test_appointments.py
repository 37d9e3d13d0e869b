"""A visit's life over HTTP, and how it is read."""

from datetime import timedelta
from uuid import uuid4

from tests.api.house import House, key, made, problem
from tests.api.running_api import NINE

TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = "2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27"


def test_a_booking_answers_with_the_appointment_its_place_and_its_position(house: House) -> None:
    answer = house.book(f"{TUESDAY}T09:00:00Z")  # when

    body = made(answer)
    assert body["status"] == "booked"
    assert (body["start"], body["end"]) == (f"{TUESDAY}T09:00:00Z", f"{TUESDAY}T09:30:00Z")
    assert body["resource_ids"] == [house.resource_id]
    assert answer.headers["Location"] == f"/v1/appointments/{body['id']}"
    assert answer.headers["ETag"] == '"v1"'
    assert int(answer.headers["Journal-Position"]) > 0
    assert "Idempotent-Replay" not in answer.headers
    read = house.get(f"/appointments/{body['id']}")
    assert read.json() == body
    assert read.headers["ETag"] == '"v1"'
    listed = house.get("/appointments", start=f"{TUESDAY}T09:00:00Z", end=f"{TUESDAY}T09:01:00Z").json()
    assert listed == {"items": [body], "next_cursor": None}


def test_a_taken_slot_is_refused_with_the_nearest_free_ones(house: House) -> None:
    made(house.book(f"{TUESDAY}T10:00:00Z"))  # given

    refused = problem(house.book(f"{TUESDAY}T10:00:00Z"), 409, "slot-taken")  # when

    assert refused["resource_id"] == house.resource_id
    assert [slot["start"] for slot in refused["alternatives"]] == [
        f"{TUESDAY}T09:30:00Z",
        f"{TUESDAY}T10:30:00Z",
        f"{TUESDAY}T10:45:00Z",
    ]
    assert refused["alternatives"][0]["resource_ids"] == [house.resource_id]
    accepted = house.book(refused["alternatives"][0]["start"])
    assert accepted.status_code == 201


def test_starts_that_the_service_does_not_offer_are_refused_each_for_its_reason(house: House) -> None:
    for start, status, slug in (
        (f"{TUESDAY}T08:00:00Z", 409, "outside-working-hours"),
        ("2026-11-28T10:00:00Z", 409, "outside-working-hours"),
        ("2026-11-20T10:00:00Z", 422, "too-soon"),
        ("2036-11-20T10:00:00Z", 422, "too-far-ahead"),
        (f"{TUESDAY}T10:07:00Z", 422, "off-grid"),
        (f"{TUESDAY}T10:00:30Z", 422, "off-grid"),
    ):
        refused = problem(house.book(start), status, slug)
        assert "alternatives" in refused, start


def test_a_hold_is_confirmed_and_then_is_a_booking(house: House) -> None:
    held = made(house.book(f"{WEDNESDAY}T09:00:00Z", hold_min=10))
    assert held["status"] == "held"
    assert held["held_until"] == "2026-11-23T00:10:00Z"

    confirmed = house.post(f"/appointments/{held['id']}/confirm", role="customer")

    body = made(confirmed, 200)
    assert body["status"] == "booked"
    assert "held_until" not in body
    assert confirmed.headers["ETag"] == '"v2"'
    again = house.post(f"/appointments/{held['id']}/confirm", role="customer")
    problem(again, 409, "not-in-that-state")


def test_a_reschedule_needs_the_version_that_was_seen(house: House) -> None:
    visit = made(house.book(f"{WEDNESDAY}T10:00:00Z"))
    path, later = f"/appointments/{visit['id']}/reschedule", {"start": f"{WEDNESDAY}T11:00:00Z"}

    problem(house.post(path, later), 428, "if-match-missing")
    problem(house.post(path, later, **{"If-Match": "v1"}), 400, "malformed-request")
    stale = problem(house.post(path, later, **{"If-Match": '"v9"'}), 412, "stale-version")
    assert (stale["expected"], stale["current"]) == (9, 1)
    problem(house.post(path, later, **{"If-Match": '"another"'}), 412, "stale-version")
    moved = house.post(path, later, **{"If-Match": '"v1"'})

    assert made(moved, 200)["start"] == f"{WEDNESDAY}T11:00:00Z"
    assert moved.headers["ETag"] == '"v2"'
    assert made(house.book(f"{WEDNESDAY}T10:00:00Z"))["status"] == "booked"  # the first slot is free again


def test_a_reschedule_to_a_taken_slot_keeps_the_first_and_offers_others(house: House) -> None:
    made(house.book(f"{WEDNESDAY}T13:00:00Z"))
    visit = made(house.book(f"{WEDNESDAY}T14:00:00Z"))

    refused = house.post(
        f"/appointments/{visit['id']}/reschedule", {"start": f"{WEDNESDAY}T13:00:00Z"}, **{"If-Match": '"v1"'}
    )

    assert problem(refused, 409, "slot-taken")["alternatives"][0]["start"] == f"{WEDNESDAY}T12:30:00Z"
    assert house.get(f"/appointments/{visit['id']}").json() == visit


def test_a_cancelled_visit_gives_its_slot_back_and_keeps_its_reason_in_the_vault(house: House) -> None:
    visit = made(house.book(f"{WEDNESDAY}T15:00:00Z", notes="first visit"))
    path = f"/appointments/{visit['id']}"

    cancelled = house.post(f"{path}/cancel", {"reason": "travels"}, role="staff", **{"If-Match": '"v1"'})

    assert made(cancelled, 200)["status"] == "cancelled"
    assert house.get(path).json()["notes"] == "first visit"
    facts = house.get(f"{path}/history").json()["items"]
    assert [(fact["topic"], fact["note"]) for fact in facts] == [
        ("appointment.booked.v1", "first visit"),
        ("appointment.cancelled.v1", "travels"),
    ]
    assert facts[0]["actor_id"] == house.account_ids["staff"]
    assert facts[0]["data"]["customer_id"] == house.customer_id
    assert "notes" not in house.get(path, role="customer").json()  # staff wrote it, for staff
    assert house.api.rows("SELECT 1 FROM stored_events WHERE convert_from(state, 'UTF8') LIKE '%travels%'") == []
    assert made(house.book(f"{WEDNESDAY}T15:00:00Z"))["status"] == "booked"


def test_what_a_refused_command_said_is_not_kept_over_what_an_accepted_one_said(house: House) -> None:
    same = key()
    wanted = {
        "service_id": house.service_id,
        "customer_id": house.customer_id,
        "start": f"{FRIDAY}T09:00:00Z",
        "notes": "kept",
    }
    visit = made(house["staff"].post("/v1/appointments", json=wanted, headers=same))

    refused = house["staff"].post("/v1/appointments", json={**wanted, "notes": "refused"}, headers=same)

    problem(refused, 422, "key-reused")
    assert house.get(f"/appointments/{visit['id']}").json()["notes"] == "kept"


def test_an_appointment_can_be_read_as_it_was(house: House) -> None:
    visit = made(house.book(f"{FRIDAY}T10:00:00Z"))
    path = f"/appointments/{visit['id']}"
    made(house.post(f"{path}/reschedule", {"start": f"{FRIDAY}T11:00:00Z"}, **{"If-Match": '"v1"'}), 200)

    assert house.get(path, version="1").json() == visit
    assert house.get(path, version="2").json()["start"] == f"{FRIDAY}T11:00:00Z"
    assert house.get(path, as_of="2026-11-23T00:00:00Z").json()["version"] == 2
    problem(house.get(path, version="3"), 404, "not-found")
    problem(house.get(path, as_of="2026-11-22T23:59:59Z"), 404, "not-found")
    problem(house.get(path, version="1", as_of="2026-11-23T00:00:00Z"), 422, "invalid-value")


def test_lists_go_on_by_cursor_and_are_filtered(house: House) -> None:
    other = made(house.post("/customers", {"display_name": "Caio"}, role="staff"))["id"]
    wanted = [made(house.book(f"{THURSDAY}T{hour}:00:00Z", customer_id=other)) for hour in ("11", "09", "15", "10")]
    in_order = sorted(wanted, key=lambda visit: visit["start"])

    first = house.get("/appointments", customer_id=other, limit="3").json()
    second = house.get("/appointments", customer_id=other, limit="3", cursor=first["next_cursor"]).json()

    assert [*first["items"], *second["items"]] == in_order
    assert second["next_cursor"] is None
    made(house.post(f"/appointments/{wanted[0]['id']}/cancel", role="staff", **{"If-Match": '"v1"'}), 200)
    cancelled = house.get("/appointments", customer_id=other, status="cancelled").json()["items"]
    assert [visit["id"] for visit in cancelled] == [wanted[0]["id"]]
    assert house.get("/appointments", resource_id=str(uuid4())).json()["items"] == []
    assert house.get("/appointments", start="2026-11-29", end="2026-11-30").json()["items"] == []
    problem(house.get("/appointments", start="2026-11-30", end="2026-11-29"), 422, "invalid-value")
    problem(house.get("/appointments", cursor="x"), 400, "malformed-cursor")
    problem(house.get("/appointments", limit="201"), 422, "invalid-request")
    problem(house.get("/appointments", custmer_id=other), 422, "unknown-parameter")


def test_messages_about_a_visit_are_listed_once_the_notifier_has_seen_it(house: House) -> None:
    visit = made(house.book(f"{FRIDAY}T14:00:00Z"))

    listed = house.get("/notifications", appointment_id=visit["id"])  # waits for the ledger

    assert made(listed, 200)["next_cursor"] is None
    problem(house.get("/notifications", appointment_id=str(uuid4())), 404, "not-found")
    problem(house.get("/notifications", series_id=str(uuid4())), 404, "not-found")
    problem(house.get("/notifications"), 422, "invalid-value")
    both = {"appointment_id": visit["id"], "series_id": str(uuid4())}
    problem(house.get("/notifications", **both), 422, "invalid-value")


def test_arrival_and_what_follows_have_their_time(house: House) -> None:
    came, stayed_away = (made(house.book(f"2026-11-23T{start}Z")) for start in ("09:00:00", "09:30:00"))
    arrival, absence = f"/appointments/{came['id']}", f"/appointments/{stayed_away['id']}"

    early = problem(house.post(f"{arrival}/check-in", role="staff"), 409, "too-early")
    assert early["opens_at"] == "2026-11-23T05:00:00Z"
    problem(house.post(f"{arrival}/fulfil", role="staff"), 409, "not-in-that-state")
    house.api.clock.set(NINE - timedelta(minutes=5))
    assert made(house.post(f"{arrival}/check-in", role="staff"), 200)["status"] == "arrived"
    assert made(house.post(f"{arrival}/fulfil", role="staff"), 200)["status"] == "fulfilled"
    problem(house.post(f"{absence}/no-show", role="staff"), 409, "too-early")
    house.api.clock.set(NINE + timedelta(minutes=45))
    assert made(house.post(f"{absence}/no-show", role="staff"), 200)["status"] == "noshow"
    lapsed = made(house.book("2026-11-23T12:00:00Z", hold_min=5))
    house.api.clock.set(NINE + timedelta(minutes=55))
    problem(house.post(f"/appointments/{lapsed['id']}/confirm", role="staff"), 409, "hold-lapsed")
