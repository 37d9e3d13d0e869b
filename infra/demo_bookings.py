"""The first bookings of the demonstration clinic: visits, a series, a full class, and someone who waits for it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from infra.demo_client import Client

PEOPLE = ("Maria Patient", "João Silva", "Noor Haddad")
"""Those who have the seats of the class."""
WAITING = "Ivy Okafor"
SESSIONS_OF_THERAPY = 6


def first_bookings(desk: Client, services: Mapping[str, str], customers: Mapping[str, str]) -> None:
    """All of the coming weeks, unless there were ever any."""
    if desk.get("/v1/appointments", limit="1")["items"]:
        return
    today = datetime.now(UTC).date()
    slots = _slots(desk, services["Consultation"], today + timedelta(days=1), days=7)
    for customer, slot in zip(PEOPLE[:2], (slots[0], slots[8]), strict=True):
        _book(desk, services["Consultation"], customers[customer], slot["start"], customer)
    _course_of_therapy(desk, services["Course of physiotherapy"], customers["João Silva"], today)
    class_at = _full_class(desk, services["Yoga class"], customers, today)
    window = {"start": class_at["start"], "end": class_at["end"]}
    waiting = {"service_id": services["Yoga class"], "customer_id": customers[WAITING], "windows": [window]}
    desk.post("/v1/waitlist", waiting, key="demo-waiting")
    desk.get("/v1/appointments", limit="1")  # whoever is told that the clinic is ready finds it whole


def _course_of_therapy(desk: Client, service_id: str, customer_id: str, today: date) -> None:
    """Every week at the same time by the wall clock, beginning with the first that is free then."""
    first = _slots(desk, service_id, today + timedelta(days=7), days=7)[0]
    zone = ZoneInfo("Europe/London")
    start = datetime.fromisoformat(first["start"]).astimezone(zone)
    series = {
        "service_id": service_id,
        "customer_id": customer_id,
        "start_local": start.replace(tzinfo=None).isoformat(),
        "time_zone": zone.key,
        "rrule": f"FREQ=WEEKLY;COUNT={SESSIONS_OF_THERAPY}",
        "on_conflict": "skip",
    }
    desk.post("/v1/series", series, key=f"demo-series-{first['start']}")


def _full_class(desk: Client, service_id: str, customers: Mapping[str, str], today: date) -> Mapping[str, Any]:
    """Three seats, three people: one session."""
    chosen: Mapping[str, Any] = _slots(desk, service_id, today + timedelta(days=3), days=7)[-1]
    for customer in PEOPLE:
        _book(desk, service_id, customers[customer], chosen["start"], f"class-{customer}")
    return chosen


def _slots(desk: Client, service_id: str, first: date, *, days: int) -> list[dict[str, Any]]:
    window = {"start": first.isoformat(), "end": (first + timedelta(days=days)).isoformat()}
    found: list[dict[str, Any]] = desk.get(f"/v1/services/{service_id}/slots", **window)["slots"]
    return found


def _book(desk: Client, service_id: str, customer_id: str, start: str, whose: str) -> None:
    body = {"service_id": service_id, "customer_id": customer_id, "start": start}
    desk.post("/v1/appointments", body, key=f"demo-visit-{whose}-{start}")
