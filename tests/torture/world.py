"""What is fought over: few single slots and few slots for five, so that clients truly contend; and a pool of rooms."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from infra.demo_client import Client
from tests.bench.house import HOURS

PASSWORD = "a rack to be stretched upon"
SINGLE_ROOMS, POOLED_ROOMS, CUSTOMERS, WITH_EMAIL = 6, 3, 120, 12
SLOTS_PER_ROOM = 50
"""Of each single room; with six of them, the 300 single slots of the promise."""
GROUP_SLOTS, GROUP_CAPACITY = 100, 5
POOL_SLOTS = 24
NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A service and where it is given: one room, or any of a pool. ``slots`` hours from the first start on.

    ``capacity``: how many visits at once, of each room.
    """

    service_id: str
    rooms: list[str]
    capacity: int
    slots: int

    @property
    def at_once(self) -> int:
        return self.capacity * len(self.rooms)


@dataclass(frozen=True, slots=True)
class World:
    organization_id: str
    email: str
    places: list[Place]
    customers: list[str]
    reached: list[str]
    """Customers with an address."""
    first_start: str
    neighbours: list[str]
    """Who signs in at other organizations, on other partitions of the topic, of which nothing else is known."""

    def start_of(self, slot: int) -> str:
        first = datetime.fromisoformat(self.first_start)
        return (first + timedelta(hours=slot)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> "World":
        told = json.loads(path.read_text())
        return cls(**{**told, "places": [Place(**place) for place in told["places"]]})


def made(url: str) -> World:
    """Set it up through the HTTP API."""
    organization_id, email = _opened(url, "The rack")
    neighbours = [_opened(url, f"Neighbour {number}")[1] for number in range(NEIGHBOURS)]
    desk = Client(url).signed_in(email, PASSWORD)

    def new(path: str, **fields: object) -> str:
        return str(desk.post(path, fields, key=str(uuid4()))["id"])

    def room(name: str, capacity: int) -> str:
        return new("/v1/resources", name=name, kind="room", capacity=capacity, time_zone="UTC", working_hours=HOURS)

    def service(name: str, requirement: dict[str, object]) -> str:
        return new("/v1/services", name=name, duration_min=60, slot_step_min=60, requirements=[requirement])

    places = []
    for number in range(SINGLE_ROOMS):
        one = room(f"Room {number}", 1)
        places.append(Place(service(f"In room {number}", {"resource_id": one}), [one], 1, SLOTS_PER_ROOM))
    hall = room("Hall", GROUP_CAPACITY)
    places.append(Place(service("In the hall", {"resource_id": hall}), [hall], GROUP_CAPACITY, GROUP_SLOTS))
    pooled = [room(f"Cell {number}", 1) for number in range(POOLED_ROOMS)]
    pool = new("/v1/pools", name="Cells", resource_ids=pooled, strategy="least_loaded")
    places.append(Place(service("In some cell", {"pool_id": pool}), pooled, 1, POOL_SLOTS))
    reached = [
        new("/v1/customers", display_name=f"Reached {n}", email=f"c{n}@torture.example") for n in range(WITH_EMAIL)
    ]
    customers = reached + [new("/v1/customers", display_name=f"Customer {n}") for n in range(CUSTOMERS - WITH_EMAIL)]
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    return World(organization_id, email, places, customers, reached, first.isoformat(), neighbours)


def _opened(url: str, name: str) -> tuple[str, str]:
    """The id of a new organization, and who signs in there."""
    email = f"owner-{uuid4().hex[:8]}@torture.example"
    owner = {"email": email, "password": PASSWORD, "display_name": "Otto Owner"}
    body = {"name": name, "time_zone": "UTC", "owner": owner}
    return str(Client(url).post("/v1/organizations", body, key=str(uuid4()))["id"]), email
