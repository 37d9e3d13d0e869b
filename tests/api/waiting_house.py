"""A room for one in a house, in which everything is booked; and those who wait for it."""

from typing import Any
from uuid import uuid4

from tests.api.house import House, made

NINE, TEN = "2026-12-07T09:00:00Z", "2026-12-07T10:00:00Z"
HALF_PAST_NINE = "2026-12-07T09:30:00Z"


class Waiting:
    """A room for one, in which everything is booked; and customers who wait."""

    def __init__(self, house: House) -> None:
        self.house = house
        room = {"name": "R", "kind": uuid4().hex[:8], "time_zone": "UTC"}
        hours = [{"weekday": day, "start": "09:00", "end": "10:00"} for day in ("MO", "TU", "WE")]
        self.room = made(house.post("/resources", {**room, "working_hours": hours}))["id"]
        terms = {"name": "V", "duration_min": 30, "slot_step_min": 30, "requirements": [{"resource_id": self.room}]}
        self.service = made(house.post("/services", terms))["id"]

    def books(self, start: str = NINE) -> dict[str, Any]:
        customer_id = made(self.house.post("/customers", {"display_name": "X"}))["id"]
        body = {"service_id": self.service, "start": start, "customer_id": customer_id}
        return made(self.house.post("/appointments", body))

    def cancels(self, visit: dict[str, Any]) -> dict[str, Any]:
        return made(self.house.post(f"/appointments/{visit['id']}/cancel", **{"If-Match": "*"}), 200)

    def joins(self, customer_id: str | None = None, *, role: str = "staff", **changes: Any) -> dict[str, Any]:
        customer_id = customer_id or made(self.house.post("/customers", {"display_name": "X"}))["id"]
        wanted = {"service_id": self.service, "customer_id": customer_id, "windows": [{"start": NINE, "end": TEN}]}
        return made(self.house.post("/waitlist", {**wanted, **changes}, role=role))

    def entry(self, entry_id: str, *, role: str = "owner") -> dict[str, Any]:
        return made(self.house.get(f"/waitlist/{entry_id}", role=role), 200)

    def listed(self, **query: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = made(self.house.get("/waitlist", service_id=self.service, **query), 200)["items"]
        return items
