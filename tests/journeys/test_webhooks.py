"""Facts leave for other programs, and providers' reports come in: over every process, whichever of them dies."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.journeys.visitor import Visitor, a_service_of_one_room, owner_of_a_new_clinic
from tests.receiver import Receiver, receiving
from tests.running import RunningStack

WAIT_S = 30.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def visits(owner: Visitor, service_id: str, customer_id: str, many: int) -> list[dict[str, Any]]:
    day = (datetime.now(UTC) + timedelta(days=1)).date()
    window = {"start": day.isoformat(), "end": (day + timedelta(days=3)).isoformat()}
    free = owner.get(f"/services/{service_id}/slots", **window)["slots"]
    about = {"service_id": service_id, "customer_id": customer_id}
    return [owner.post("/appointments", {**about, "start": slot["start"]}) for slot in free[: 2 * many : 2]]


def test_every_booking_reaches_a_receiver_although_the_process_that_delivers_is_killed(
    stack: RunningStack, receiver: Receiver
) -> None:
    # given a receiver that fails now and then
    owner = owner_of_a_new_clinic(stack.urls[0])
    _, service_id = a_service_of_one_room(owner)
    webhook = owner.post("/webhooks", {"url": f"{receiver.url}/hook", "topics": ["appointment.*"]})
    customer_id = owner.post("/customers", {"display_name": "Maria Patient", "email": "maria@example.com"})["id"]
    receiver.answers.extend([500, 200, 503])

    # when visits are booked, and the process dies among them
    booked = visits(owner, service_id, customer_id, 4)
    stack.restart("webhooks")
    booked += visits(owner, service_id, customer_id, 4)

    # then it hears of each, under one id, signed, and of nobody's name
    ids = {visit["id"] for visit in booked}
    eventually(lambda: {json.loads(got.body)["data"]["stream_id"] for got in receiver.got} == ids)
    for got in receiver.got:
        assert got.verified(webhook["secret"])["type"] == "appointment.booked.v1"
        assert b"Maria" not in got.body
    assert len({got.id for got in receiver.got}) == len(booked)
    listed = f"/webhooks/{webhook['id']}/deliveries"
    eventually(lambda: {one["status"] for one in owner.get(listed)["items"]} == {"delivered"})


def test_what_becomes_of_a_message_is_known_when_its_provider_has_called_back(stack: RunningStack) -> None:
    owner = owner_of_a_new_clinic(stack.urls[0])
    _, service_id = a_service_of_one_room(owner)

    def told(**contact: str) -> Callable[[], dict[str, tuple[str, str | None]]]:
        person = owner.post("/customers", {"display_name": "Maria Patient", **contact})
        [visit] = visits(owner, service_id, person["id"], 1)

        def ask() -> dict[str, tuple[str, str | None]]:
            items = owner.get("/notifications", appointment_id=visit["id"])["items"]
            return {one["channel"]: (one["status"], one["reason"]) for one in items}

        return ask

    reached = told(email=f"maria-{uuid4().hex}@example.com", phone="+12025550124")
    unreached = told(email=f"bounce-{uuid4().hex}@example.com")

    eventually(lambda: reached() == {"email": ("delivered", None), "sms": ("delivered", None)})
    eventually(lambda: unreached() == {"email": ("bounced", "sendgrid_5.1.1")})
