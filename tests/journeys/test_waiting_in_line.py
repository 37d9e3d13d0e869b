"""Who waits for a full day, over every process: offered what is given back, and what becomes free by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.journeys.test_from_sign_up_to_outbox import eventually, messages_to
from tests.journeys.visitor import Visitor, a_service_of_one_room, owner_of_a_new_clinic
from tests.running import RunningStack


def a_day_ahead(hour: int) -> str:
    """A start in the clinic's office hours (its zone is three hours behind UTC)."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight + timedelta(days=2, hours=hour)).isoformat()


def a_customer(owner: Visitor) -> tuple[str, str]:
    email = f"waiting-{uuid4().hex}@example.com"
    return owner.post("/customers", {"display_name": "Someone", "email": email})["id"], email


def joined(owner: Visitor, service_id: str, customer_id: str, start: str, end: str) -> dict[str, Any]:
    wish = {"service_id": service_id, "customer_id": customer_id, "windows": [{"start": start, "end": end}]}
    return owner.post("/waitlist", wish)


def test_what_is_given_back_is_held_at_once_for_the_first_who_waits_and_told_to_nobody_else(
    stack: RunningStack,
) -> None:
    # given a slot that is taken, and two who wait for it
    owner = owner_of_a_new_clinic(stack.urls[0])
    _, service_id = a_service_of_one_room(owner)
    (taker, _), (first, first_email), (second, second_email) = (a_customer(owner) for _ in range(3))
    visit = owner.post("/appointments", {"service_id": service_id, "customer_id": taker, "start": a_day_ahead(15)})
    entries = [joined(owner, service_id, customer, visit["start"], visit["end"]) for customer in (first, second)]

    # when it is given back
    owner.post(f"/appointments/{visit['id']}/cancel", if_match='"v1"')

    # then it is held for the first, in that very decision: nobody else can book it
    offered = owner.get(f"/waitlist/{entries[0]['id']}")
    assert (offered["status"], offered["offer"]["start"]) == ("offered", visit["start"])
    assert owner.get(f"/waitlist/{entries[1]['id']}")["status"] == "waiting"
    passer_by, _ = a_customer(owner)
    wish = {"service_id": service_id, "customer_id": passer_by, "start": visit["start"]}
    assert owner.send("POST", "/appointments", wish).status_code == 409

    # and only the first hears of it
    assert len(eventually(lambda: messages_to(stack, first_email))) == 1
    assert messages_to(stack, second_email) == []

    # when the first declines, the second is offered it, accepts, and has the visit
    owner.post(f"/waitlist/{entries[0]['id']}/decline")
    accepted = owner.post(f"/waitlist/{entries[1]['id']}/accept")
    assert (accepted["status"], accepted["appointment"]["status"]) == ("accepted", "booked")
    assert accepted["appointment"]["start"] == visit["start"]


def test_time_that_nobody_gave_back_is_found_by_the_timekeeper(stack: RunningStack) -> None:
    # given a room that is closed, and someone who waits for it
    owner = owner_of_a_new_clinic(stack.urls[0])
    room_id, service_id = a_service_of_one_room(owner)
    closure = owner.post(f"/resources/{room_id}/closures", {"start": a_day_ahead(11), "end": a_day_ahead(23)})
    customer, email = a_customer(owner)
    entry = joined(owner, service_id, customer, a_day_ahead(12), a_day_ahead(20))
    assert entry["status"] == "waiting"

    # when it opens again
    assert owner.send("DELETE", f"/resources/{room_id}/closures/{closure['id']}").is_success

    # then the timekeeper has it offered, and the customer is told
    def offer() -> dict[str, Any] | None:
        found = owner.get(f"/waitlist/{entry['id']}")
        return found if found["status"] == "offered" else None

    assert eventually(offer)["offer"]["start"] == a_day_ahead(12).replace("+00:00", "Z")
    assert len(eventually(lambda: messages_to(stack, email))) == 1
