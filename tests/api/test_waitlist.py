"""The waitlist over HTTP: offers in order, and nobody hears of a slot that is not theirs to take."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.house import PASSWORD, House, key, made, problem, sign_in
from tests.api.waiting_house import HALF_PAST_NINE, NINE, TEN, Waiting


@pytest.fixture
def waiting(house: House) -> Waiting:
    return Waiting(house)


@contextmanager
def another_customer(house: House) -> Iterator[tuple[str, httpx.Client]]:
    """Someone else who has registered in the house."""
    body = {"organization_id": house.id, "email": f"{uuid4().hex}@x.test", "password": PASSWORD, "display_name": "Eva"}
    with house.api.client() as anyone:
        eva = made(anyone.post("/v1/auth/register", json=body, headers=key()))
    with house.api.client(sign_in(house.api, body["email"])["access_token"]) as client:
        yield eva["subject_id"], client


def test_one_joins_is_offered_what_becomes_free_and_accepts(waiting: Waiting) -> None:
    visit = waiting.books()  # given
    joined = waiting.joins()
    assert joined["status"] == "waiting"

    waiting.cancels(visit)  # when
    offered = waiting.entry(joined["id"])

    assert offered["status"] == "offered"  # then
    assert (offered["offer"]["start"], offered["offer"]["end"]) == (NINE, HALF_PAST_NINE)
    assert offered["offer"]["until"] == "2026-11-23T00:30:00Z"
    accepted = made(waiting.house.post(f"/waitlist/{joined['id']}/accept"), 200)
    assert accepted["status"] == "accepted"
    assert accepted["appointment"]["id"] == offered["offer"]["appointment_id"]
    assert accepted["appointment"]["status"] == "booked"
    assert accepted["appointment"]["waitlist_entry_id"] == joined["id"]
    after = waiting.entry(joined["id"])
    assert (after["status"], after["appointment_id"]) == ("accepted", accepted["appointment"]["id"])


def test_what_is_declined_or_left_goes_to_the_next(waiting: Waiting) -> None:
    visit = waiting.books()
    first, second, third = (waiting.joins()["id"] for _ in range(3))
    waiting.cancels(visit)

    declined = made(waiting.house.post(f"/waitlist/{first}/decline"), 200)
    assert (declined["status"], declined["appointment"]["status"]) == ("waiting", "cancelled")
    assert waiting.entry(second)["status"] == "offered"

    left = waiting.house["staff"].delete(f"/v1/waitlist/{second}")
    waiting.house.position = left.headers["Journal-Position"]
    assert made(left, 200)["status"] == "left"
    assert [(one["id"], one["status"], one.get("place")) for one in waiting.listed()] == [
        (first, "waiting", 1),
        (second, "left", None),
        (third, "offered", 2),
    ]


def test_a_retry_is_answered_as_the_first_time(waiting: Waiting) -> None:
    visit, entry = waiting.books(), waiting.joins()
    waiting.cancels(visit)
    headers, path = key(), f"/v1/waitlist/{entry['id']}/accept"

    first = waiting.house["staff"].post(path, headers=headers)
    again = waiting.house["staff"].post(path, headers=headers)

    assert again.headers["Idempotent-Replay"] == "true"
    assert made(first, 200) == made(again, 200)


def test_without_an_offer_there_is_nothing_to_answer(waiting: Waiting) -> None:
    house, entry = waiting.house, waiting.joins()
    for verb in ("accept", "decline"):
        problem(house.post(f"/waitlist/{entry['id']}/{verb}"), 409, "nothing-offered")
    made(house["staff"].delete(f"/v1/waitlist/{entry['id']}"), 200)
    house.position = str(house.api.head())
    assert waiting.entry(entry["id"])["status"] == "left"

    for verb in ("accept", "decline"):
        problem(house.post(f"/waitlist/{entry['id']}/{verb}"), 409, "nothing-offered")
    problem(house["staff"].delete(f"/v1/waitlist/{entry['id']}"), 409, "not-in-that-state")
    problem(house.post(f"/waitlist/{uuid4()}/accept"), 404, "not-found")


def test_one_waits_once_for_the_same_time(waiting: Waiting) -> None:
    entry = waiting.joins()
    again = {
        "service_id": waiting.service,
        "customer_id": entry["customer_id"],
        "windows": [{"start": HALF_PAST_NINE, "end": TEN}],
    }

    refused = problem(waiting.house.post("/waitlist", again), 409, "already-waiting")

    assert refused["entry_id"] == entry["id"]


@pytest.mark.parametrize(
    "changes",
    [
        {"windows": []},
        {"windows": [{"start": TEN, "end": NINE}]},
        {"windows": [{"start": NINE, "end": NINE}]},
        {"windows": [{"start": "2026-11-01T09:00:00Z", "end": "2026-11-01T10:00:00Z"}]},
        {"windows": [{"start": NINE, "end": "2026-12-07T09:29:00Z"}]},
        {"windows": [{"start": NINE, "end": "2028-12-07T10:00:00Z"}]},
        {"windows": [{"start": NINE, "end": TEN}] * 51},
        {"seats": 0},
        {"seats": 2},
    ],
)
def test_what_cannot_be_waited_for_is_refused(waiting: Waiting, changes: dict[str, Any]) -> None:
    customer_id = waiting.house.customer_id
    wanted = {"service_id": waiting.service, "customer_id": customer_id, "windows": [{"start": NINE, "end": TEN}]}

    document = waiting.house.post("/waitlist", {**wanted, **changes})

    assert document.status_code == 422
    assert document.json()["errors"][0]["pointer"].startswith(f"/{next(iter(changes))}")


def test_a_resource_that_is_of_no_use_is_not_waited_for(waiting: Waiting) -> None:
    wanted = {
        "service_id": waiting.service,
        "customer_id": waiting.house.customer_id,
        "windows": [{"start": NINE, "end": TEN}],
        "resource_id": waiting.house.resource_id,
    }

    problem(waiting.house.post("/waitlist", wanted), 422, "resource-not-suitable")


def test_lists_go_page_by_page_and_are_narrowed(waiting: Waiting) -> None:
    ids = [waiting.joins()["id"] for _ in range(3)]

    found: list[str] = []
    cursor = ""
    while cursor is not None:
        query = {"service_id": waiting.service, "limit": "2", **({"cursor": cursor} if cursor else {})}
        page = made(waiting.house.get("/waitlist", **query), 200)
        found += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]

    assert found == ids
    assert waiting.listed(status="offered") == []
    one = waiting.listed()[1]
    assert [entry["id"] for entry in waiting.listed(customer_id=one["customer_id"])] == ids[1:2]


def test_customers_see_themselves_only_and_not_their_place(waiting: Waiting) -> None:
    house = waiting.house
    waiting.joins()
    with another_customer(house) as (eva, client):
        entry = waiting.joins(eva)
        house.position = str(house.api.head())
        headers = {"Journal-Position": house.position}

        listed = made(client.get("/v1/waitlist", headers=headers), 200)["items"]
        assert [one["id"] for one in listed] == [entry["id"]]
        assert "place" not in listed[0]
        assert "place" not in made(client.get(f"/v1/waitlist/{entry['id']}"), 200)
        assert waiting.entry(entry["id"])["place"] == 2
        problem(client.get("/v1/waitlist", params={"customer_id": house.customer_id}), 403, "forbidden")


def test_no_one_hears_of_an_offer_that_is_not_theirs(waiting: Waiting) -> None:
    house, visit = waiting.house, waiting.books()
    offered = waiting.joins()
    with another_customer(house) as (eva, client):
        own = waiting.joins(eva)
        waiting.cancels(visit)
        hold = waiting.entry(offered["id"])["offer"]["appointment_id"]
        headers = {"Journal-Position": house.position}

        for path in (f"/v1/waitlist/{offered['id']}", f"/v1/appointments/{hold}"):
            problem(client.get(path, headers=headers), 404, "not-found")
        for verb in ("accept", "decline"):
            problem(client.post(f"/v1/waitlist/{offered['id']}/{verb}", headers=key()), 404, "not-found")
            problem(client.post(f"/v1/waitlist/{own['id']}/{verb}", headers=key()), 409, "nothing-offered")
        problem(client.delete(f"/v1/waitlist/{offered['id']}"), 404, "not-found")
        wanted = {"service_id": waiting.service, "start": NINE, "customer_id": eva}
        refused = problem(client.post("/v1/appointments", json=wanted, headers=key()), 409, "slot-taken")
        slots = client.get(f"/v1/services/{waiting.service}/slots", params={"start": NINE, "end": TEN}, headers=headers)
        seen = json.dumps([refused, made(slots, 200), made(client.get("/v1/waitlist", headers=headers), 200)])

    assert NINE not in [slot["start"] for slot in slots.json()["slots"]]
    for secret in (hold, offered["id"], offered["customer_id"]):
        assert secret not in seen
