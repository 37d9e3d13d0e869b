"""The organization whose bookings are measured: rooms that are always open, a service in each, many customers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from infra.demo_client import Client
from tests.bench.load import http_request

OWNER, PASSWORD = "owner@bench.example", "a bench to sit upon at dusk"
HOURS = [{"weekday": day, "start": "00:00", "end": "24:00"} for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")]
VISIT_MIN = 15
BEGINS_IN = timedelta(days=1)
PER_DAY = 24 * 60 // VISIT_MIN
DAYS_MAX = 360
"""Slots of a room that can be booked: within the horizon of a year, from tomorrow."""


@dataclass(frozen=True, slots=True)
class House:
    """``rooms`` and ``services`` run parallel: each service is given in one room. Times are UTC."""

    url: str
    organization_id: str
    rooms: Sequence[str]
    services: Sequence[str]
    customers: Sequence[str]
    first_start: datetime

    def token(self) -> str:
        """A fresh access token of the owner; it lasts ten minutes."""
        return str(self.owner().token)

    def owner(self) -> Client:
        return Client(self.url).signed_in(OWNER, PASSWORD)

    def start_of(self, slot: int) -> str:
        """The start of a room's n-th slot."""
        return (self.first_start + timedelta(minutes=VISIT_MIN * slot)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def booking(self, number: int) -> dict[str, Any]:
        """The body of the n-th booking: the rooms take turns, and no customer is in two places.

        Raises ``ValueError`` where there are no more.
        """
        slot, room = divmod(number, len(self.services))
        if slot >= DAYS_MAX * PER_DAY:
            raise ValueError("every slot of the year is taken")
        return {
            "service_id": self.services[room],
            "start": self.start_of(slot),
            "customer_id": self.customers[number % len(self.customers)],
        }


def open_house(url: str, *, rooms: int = 20, customers: int = 1_000) -> House:
    """Set it up through the HTTP API. More customers than rooms, so that nobody has to be in two rooms at once."""
    assert customers > rooms
    front_door = Client(url)
    owner = {"email": OWNER, "password": PASSWORD, "display_name": "Olive Owner"}
    house = {"name": "The bench", "time_zone": "UTC", "owner": owner}
    organization = front_door.post("/v1/organizations", house, key=str(uuid4()))["id"]
    desk = front_door.signed_in(OWNER, PASSWORD)

    def made(path: str, bodies: Iterator[Mapping[str, Any]]) -> list[str]:
        return [str(desk.post(path, body, key=str(uuid4()))["id"]) for body in bodies]

    room_ids = made("/v1/resources", (_room(number) for number in range(rooms)))
    return House(
        url,
        organization,
        room_ids,
        made("/v1/services", (_service(room_id) for room_id in room_ids)),
        made("/v1/customers", ({"display_name": f"Customer {number}"} for number in range(customers))),
        datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + BEGINS_IN,
    )


def _room(number: int) -> dict[str, Any]:
    return {"name": f"Room {number}", "kind": "room", "capacity": 1, "time_zone": "UTC", "working_hours": HOURS}


def _service(room_id: str) -> dict[str, Any]:
    return {
        "name": f"A quarter of an hour in {room_id}",
        "duration_min": VISIT_MIN,
        "slot_step_min": VISIT_MIN,
        "max_advance_days": DAYS_MAX + 5,
        "requirements": [{"resource_id": room_id}],
    }


class Bookings:
    """Requests that book, each once: a later call goes on where an earlier one has ended."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._numbers = count()

    def take(self, how_many: int) -> list[bytes]:
        """As many POSTs, in the bytes of HTTP, each with a key of its own."""
        token = self._house.token()
        return [booking_request(self._house.booking(next(self._numbers)), token) for _ in range(how_many)]


def booking_request(body: Mapping[str, Any], token: str) -> bytes:
    """A POST with a new Idempotency-Key."""
    headers = {"Idempotency-Key": str(uuid4())}
    return http_request("POST", "/v1/appointments", token=token, body=json.dumps(body).encode(), headers=headers)


def slots_request(service_id: str, start: str, end: str, token: str) -> bytes:
    """A GET of free slots between two instants or dates."""
    path = f"/v1/services/{service_id}/slots?start={quote(start)}&end={quote(end)}"
    return http_request("GET", path, token=token)
