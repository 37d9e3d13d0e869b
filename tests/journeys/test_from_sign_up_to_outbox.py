"""One visit, from the clinic's sign-up to the customer's messages, over every process and every server."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.journeys.visitor import PASSWORD, Visitor, a_service_of_one_room, owner_of_a_new_clinic
from tests.running import RunningStack

WAIT_S = 15.0
VERIFICATION = "Please confirm your e-mail address"

pytestmark = pytest.mark.kafka

T = TypeVar("T")


def eventually(look: Callable[[], T | None]) -> T:
    """What ``look`` finds, as soon as it finds anything."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


@contextmanager
def subscribed(someone: Visitor, topic: str) -> Iterator[ClientConnection]:
    """A socket that has been caught up with ``topic``."""
    url = someone.url.replace("http", "ws", 1) + "/v1/stream"
    with connect(url, subprotocols=["daybook.v1+json"]) as socket:  # type: ignore[list-item]
        socket.send(json.dumps({"op": "init", "token": someone.token}))
        assert frame(socket)["op"] == "ready"
        socket.send(json.dumps({"op": "subscribe", "id": "a", "topic": topic}))
        assert frame(socket)["op"] == "caught_up"
        yield socket


def frame(socket: ClientConnection) -> dict[str, Any]:
    while True:
        found: dict[str, Any] = json.loads(socket.recv(timeout=WAIT_S))
        if found["op"] != "ping":
            return found


def customer_with_email_and_phone(owner: Visitor) -> tuple[Visitor, str, str, str]:
    """Someone who registers: signed in, with subject id, address and number."""
    email, phone = f"maria-{uuid4().hex}@example.com", "+12025550123"
    stranger = Visitor(owner.url, organization_id=owner.organization_id)
    registered = stranger.post(
        "/auth/register",
        {
            "organization_id": owner.organization_id,
            "email": email,
            "password": PASSWORD,
            "display_name": "Maria Patient",
            "phone": phone,
        },
    )
    return stranger.signed_in(email), registered["subject_id"], email, phone


def slots(someone: Visitor, service_id: str) -> list[dict[str, Any]]:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    window = {"start": tomorrow.isoformat(), "end": (tomorrow + timedelta(days=3)).isoformat()}
    found: list[dict[str, Any]] = someone.get(f"/services/{service_id}/slots", **window)["slots"]
    return found


def messages_to(stack: RunningStack, recipient: str) -> list[dict[str, Any]]:
    """About visits; the link that verifies an address comes besides."""
    told = all_messages_to(stack, recipient)
    return [message for message in told if not message["subject"].startswith(VERIFICATION)]


def all_messages_to(stack: RunningStack, recipient: str) -> list[dict[str, Any]]:
    outbox = httpx.get(f"{stack.outbox_url}/outbox.json").json()
    return [message for message in outbox["messages"] if message["to"] == recipient]


def verified_by_mail(stack: RunningStack, someone: Visitor, email: str) -> None:
    """By following the link that was sent at sign-up."""
    mail = eventually(lambda: [one for one in all_messages_to(stack, email) if one["subject"].startswith(VERIFICATION)])
    token = mail[0]["text"].partition("#verify-email=")[2].split()[0]
    assert someone.post("/auth/verify-email", {"token": token}) == {"email_verified": True}


def topics(rows: list[dict[str, Any]]) -> list[str]:
    return [row["topic"] for row in rows]


def test_a_visit_from_sign_up_to_the_audit_trail(stack: RunningStack) -> None:
    # given a clinic that has just signed up, and a customer with an address and a number
    owner = owner_of_a_new_clinic(stack.urls[0])
    room_id, service_id = a_service_of_one_room(owner)
    maria, maria_id, email, phone = customer_with_email_and_phone(owner)
    verified_by_mail(stack, maria, email)
    maria.position = owner.position
    free = slots(maria, service_id)
    assert free

    # when she books, while the clinic watches the room's calendar at the other API process
    with subscribed(owner.at(stack.urls[1]), f"resource:{room_id}:calendar") as socket:
        visit = maria.post(
            "/appointments", {"service_id": service_id, "customer_id": maria_id, "start": free[0]["start"]}
        )
        change = frame(socket)

    # then the clinic sees it at once, the slot is gone, and both messages are out
    assert visit["status"] == "booked"
    assert change["op"] == "change"
    assert change["position"] <= int(maria.position)
    assert visit["id"] in json.dumps(change["data"])
    assert free[0]["start"] not in [slot["start"] for slot in slots(maria, service_id)]
    assert len(eventually(lambda: messages_to(stack, email))) == 1
    assert len(eventually(lambda: messages_to(stack, phone))) == 1

    # when she moves the visit
    moved = maria.send(
        "POST",
        f"/appointments/{visit['id']}/reschedule",
        {"start": free[3]["start"]},
        if_match=f'"v{visit["version"]}"',
    )

    # then she is told
    assert moved.status_code == 200, moved.text
    assert moved.json()["start"] == free[3]["start"]
    assert eventually(lambda: len(messages_to(stack, email)) == 2)

    # when she cancels it
    cancelled = maria.send("POST", f"/appointments/{visit['id']}/cancel", {}, if_match=moved.headers["ETag"])

    # then she is told of that too, the first slot is free again, and history and audit have every step
    assert cancelled.json()["status"] == "cancelled"
    assert eventually(lambda: len(messages_to(stack, email)) == 3)
    assert free[0]["start"] in [slot["start"] for slot in slots(maria, service_id)]
    steps = ["appointment.booked.v1", "appointment.rescheduled.v1", "appointment.cancelled.v1"]
    history = maria.get(f"/appointments/{visit['id']}/history")
    assert topics(history["items"]) == steps
    owner.position = maria.position
    audit = owner.get("/audit/facts", stream_id=visit["id"], limit=200)
    assert topics(audit["items"]) == steps
    assert [row["position"] for row in audit["items"]] == [row["position"] for row in history["items"]]
