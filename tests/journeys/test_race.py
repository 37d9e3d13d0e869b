"""Fifty people want one slot at the same moment, at two API processes."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx

from tests.journeys.visitor import PASSWORD, Visitor, a_service_of_one_room, owner_of_a_new_clinic
from tests.running import RunningStack

CROWD = 50
TWINS = 8
"""No more than may try to sign in to one account, one after another, without being slowed down."""


async def book_all_at_once(
    stack: RunningStack, owner: Visitor, body: dict[str, str], customer_ids: Sequence[str]
) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=CROWD, max_keepalive_connections=CROWD)
    async with httpx.AsyncClient(timeout=60, limits=limits) as http:

        async def book(number: int) -> httpx.Response:
            url = stack.urls[number % len(stack.urls)]
            headers = {"Authorization": f"Bearer {owner.token}", "Idempotency-Key": uuid4().hex}
            wish = body | {"customer_id": customer_ids[number % len(customer_ids)]}
            return await http.post(f"{url}/v1/appointments", json=wish, headers=headers)

        return await asyncio.gather(*(book(number) for number in range(CROWD)))


def a_free_slot(owner: Visitor, service_id: str) -> str:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    window = {"start": tomorrow.isoformat(), "end": (tomorrow + timedelta(days=2)).isoformat()}
    return str(owner.get(f"/services/{service_id}/slots", **window)["slots"][4]["start"])


def test_one_of_fifty_gets_the_slot_and_the_others_hear_of_free_ones(stack: RunningStack) -> None:
    owner = owner_of_a_new_clinic(stack.urls[0])
    room_id, service_id = a_service_of_one_room(owner)
    customer = owner.post("/customers", {"display_name": "Crowd"})
    start = a_free_slot(owner, service_id)

    answers = asyncio.run(book_all_at_once(stack, owner, {"service_id": service_id, "start": start}, [customer["id"]]))

    booked = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert (len(booked), len(refused)) == (1, CROWD - 1), [answer.text for answer in answers][:3]
    for answer in refused:
        problem = answer.json()
        assert problem["type"].endswith("/slot-taken")
        assert problem["alternatives"]
        assert start not in [slot["start"] for slot in problem["alternatives"]]
    owner.position = booked[0].headers["Journal-Position"]
    items = owner.get("/appointments", resource_id=room_id)["items"]
    assert [item["id"] for item in items] == [booked[0].json()["id"]]


def test_a_room_for_five_takes_five_of_fifty(stack: RunningStack) -> None:
    owner = owner_of_a_new_clinic(stack.urls[0])
    _, service_id = a_service_of_one_room(owner, capacity=5)
    crowd = [owner.post("/customers", {"display_name": f"Number {number}"})["id"] for number in range(CROWD)]
    start = a_free_slot(owner, service_id)

    answers = asyncio.run(book_all_at_once(stack, owner, {"service_id": service_id, "start": start}, crowd))

    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] * 5 + [409] * (CROWD - 5)


def test_one_of_many_who_sign_up_with_one_address_at_once_gets_it(stack: RunningStack) -> None:
    owner = owner_of_a_new_clinic(stack.urls[0])
    email = f"wanted-{uuid4().hex}@example.com"
    someone = {"organization_id": owner.organization_id, "email": email, "display_name": "Twin"}
    passwords = [f"{PASSWORD} {number}" for number in range(TWINS)]

    async def register_all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as http:

            async def register(number: int) -> httpx.Response:
                url = stack.urls[number % len(stack.urls)]
                body, headers = {**someone, "password": passwords[number]}, {"Idempotency-Key": uuid4().hex}
                return await http.post(f"{url}/v1/auth/register", json=body, headers=headers)

            return await asyncio.gather(*(register(number) for number in range(TWINS)))

    codes = [answer.status_code for answer in asyncio.run(register_all_at_once())]

    assert codes == [201] * TWINS  # nobody is told whose address it was before
    form = {"grant_type": "password", "username": email}
    tries = [httpx.post(f"{owner.url}/v1/auth/token", data={**form, "password": one}, timeout=30) for one in passwords]
    assert sorted(answer.status_code for answer in tries) == [200] + [401] * (TWINS - 1)
