"""The same key and body: the same answer again. Another body is refused; a refused command is decided afresh."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx

from tests.api.house import House, key, made, problem


def booking(house: House, start: str) -> dict[str, object]:
    return {"service_id": house.service_id, "start": start, "customer_id": house.customer_id}


def test_a_retry_is_told_the_same_and_does_nothing(house: House) -> None:
    body, same = booking(house, "2026-11-24T09:00:00Z"), key()
    first = house["staff"].post("/v1/appointments", json=body, headers=same)
    head = house.api.head()

    second = house["staff"].post("/v1/appointments", json=body, headers=same)

    assert made(second) == made(first)
    for header in ("Location", "ETag", "Journal-Position"):
        assert second.headers[header] == first.headers[header]
    assert second.headers["Idempotent-Replay"] == "true"
    assert house.api.head() == head


def test_a_retry_may_write_its_members_in_another_order(house: House) -> None:
    body, same = booking(house, "2026-11-24T09:30:00Z"), key()
    first = house["staff"].post("/v1/appointments", json=body, headers=same)
    text = json.dumps(dict(reversed(body.items())), indent=3).encode()

    headers = {**same, "Content-Type": "application/json"}
    second = house["staff"].post("/v1/appointments", content=text, headers=headers)

    assert made(second) == made(first)
    assert second.headers["Idempotent-Replay"] == "true"


def test_a_key_with_another_request_is_refused_and_the_first_stays(house: House) -> None:
    body, same = booking(house, "2026-11-24T10:00:00Z"), key()
    first = made(house["staff"].post("/v1/appointments", json=body, headers=same))
    head = house.api.head()

    for path, other in (
        ("/v1/appointments", booking(house, "2026-11-24T11:00:00Z")),
        ("/v1/customers", {"display_name": "Ana"}),
        (f"/v1/appointments/{first['id']}/confirm", None),
    ):
        problem(house["staff"].post(path, json=other, headers=same), 422, "key-reused")

    assert house.api.head() == head
    assert made(house["staff"].post("/v1/appointments", json=body, headers=same)) == first


def test_a_refused_command_is_not_remembered(house: House) -> None:
    body, same = booking(house, "2026-11-24T12:00:00Z"), key()
    taken = made(house.book("2026-11-24T12:00:00Z"))
    problem(house["staff"].post("/v1/appointments", json=body, headers=same), 409, "slot-taken")
    made(house.post(f"/appointments/{taken['id']}/cancel", role="staff", **{"If-Match": '"v1"'}), 200)

    accepted = house["staff"].post("/v1/appointments", json=body, headers=same)

    assert made(accepted)["status"] == "booked"
    assert "Idempotent-Replay" not in accepted.headers


def test_a_refused_command_may_come_again_with_another_body(house: House) -> None:
    same = key()
    problem(
        house["staff"].post("/v1/appointments", json=booking(house, "2026-11-24T08:00:00Z"), headers=same),
        409,
        "outside-working-hours",
    )

    made(house["staff"].post("/v1/appointments", json=booking(house, "2026-11-24T13:00:00Z"), headers=same))


def test_two_people_may_use_the_same_key(house: House) -> None:
    same = key()
    first = made(house["staff"].post("/v1/appointments", json=booking(house, "2026-11-24T14:00:00Z"), headers=same))
    second = made(house["owner"].post("/v1/appointments", json=booking(house, "2026-11-24T14:30:00Z"), headers=same))

    assert first["id"] != second["id"]


def test_a_transition_that_is_sent_twice_happens_once(house: House) -> None:
    visit = made(house.book("2026-11-24T15:00:00Z"))
    path, same = f"/v1/appointments/{visit['id']}/cancel", {**key(), "If-Match": '"v1"'}
    first = house["staff"].post(path, json={"reason": "x"}, headers=same)

    second = house["staff"].post(path, json={"reason": "x"}, headers=same)

    assert made(second, 200) == made(first, 200)  # though If-Match is stale by now
    assert second.headers["Idempotent-Replay"] == "true"


def test_a_repeated_registration_does_not_undo_a_later_change(house: House) -> None:
    body, same = {"display_name": "Before", "email": "before@x.test"}, key()
    customer = made(house["staff"].post("/v1/customers", json=body, headers=same))
    path = f"/v1/customers/{customer['id']}"
    changed = house["staff"].patch(path, json={"display_name": "After"}, headers={"If-Match": '"v1"'})
    assert made(changed, 200)["email"] == "before@x.test"

    again = house["staff"].post("/v1/customers", json=body, headers=same)

    assert made(again) == customer
    assert made(house["staff"].get(path), 200)["display_name"] == "After"


def test_a_patch_may_carry_a_key_too(house: House) -> None:
    path = f"/v1/locations/{house.location_id}"
    same = {**key(), "If-Match": '"v1"'}
    first = house["owner"].patch(path, json={"name": "Praia"}, headers=same)
    second = house["owner"].patch(path, json={"name": "Praia"}, headers=same)

    assert made(second, 200) == made(first, 200)
    assert second.headers["Idempotent-Replay"] == "true"
    problem(house["owner"].patch(path, json={"name": "Mar"}, headers={"If-Match": '"v1"'}), 412, "stale-version")


def test_racing_retries_take_effect_once(house: House) -> None:
    body, same = booking(house, "2026-11-25T09:00:00Z"), key()
    head, together = house.api.head(), threading.Barrier(10)

    def retry(_: int) -> httpx.Response:
        with house.api.client(house["staff"].headers["Authorization"].removeprefix("Bearer ")) as client:
            together.wait()
            return client.post("/v1/appointments", json=body, headers=same)

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(retry, range(10)))

    accepted = [answer.json() for answer in answers if answer.status_code == 201]
    assert accepted
    assert all(answer == accepted[0] for answer in accepted)
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "in-flight")
            assert answer.headers["Retry-After"]
    assert house.api.head() == head + 3  # the appointment, its claim and its entry on the customer's page, once


def test_fifty_bookings_of_one_slot_leave_one_winner(house: House) -> None:
    body, together = booking(house, "2026-11-26T09:00:00Z"), threading.Barrier(50)
    token = house["staff"].headers["Authorization"].removeprefix("Bearer ")

    def book(_: int) -> httpx.Response:
        with house.api.client(token) as client:
            together.wait()
            return client.post("/v1/appointments", json=body, headers={"Idempotency-Key": uuid4().hex})

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(book, range(50)))

    refused = [problem(answer, 409, "slot-taken") for answer in answers if answer.status_code != 201]
    assert len(refused) == 49
    assert all(len(document["alternatives"]) == 3 for document in refused)
