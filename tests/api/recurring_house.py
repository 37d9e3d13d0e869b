"""What tests of series send: a rule each Monday at nine in New York, and what is in its way."""

from typing import Any
from uuid import uuid4

import httpx

from tests.api.house import House, made


def room_and_service(house: House) -> tuple[str, str]:
    """A room of its own, open all day in New York, and a service of half an hour there."""
    hours = [{"weekday": day, "start": "00:00", "end": "24:00"} for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")]
    zone = "America/New_York"
    room = {"name": "Room", "kind": uuid4().hex, "time_zone": zone, "working_hours": hours}
    made_room = made(house.post("/resources", room))
    service = {"name": "Visit", "duration_min": 30, "requirements": [{"resource_id": made_room["id"]}]}
    return made_room["id"], made(house.post("/services", service))["id"]


def new_customer(house: House) -> str:
    return str(made(house.post("/customers", {"display_name": "Rui Prado"}))["id"])


def weekly(house: House, service_id: str, **changes: object) -> dict[str, Any]:
    return {
        "service_id": service_id,
        "customer_id": new_customer(house),
        "start_local": "2027-04-05T09:00",
        "time_zone": "America/New_York",
        "rrule": "FREQ=WEEKLY;COUNT=4",
        **changes,
    }


def taken(house: House, service_id: str, start: str) -> dict[str, Any]:
    return made(house.book(start, service_id=service_id, customer_id=new_customer(house)))


def changed(house: House, series: dict[str, Any], what: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    if_match = {"If-Match": f'"v{series["version"]}"'}
    return house.post(f"/series/{series['id']}/{what}", body, **{**if_match, **headers})
