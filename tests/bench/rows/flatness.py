"""What a booking costs in a room with a history of years, beside one in a room without: over HTTP, in turns."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import Any

import psutil

from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.bench.house import DAYS_MAX, House, booking_request, open_house
from tests.bench.load import CONNECTIONS, Outcome, put_load
from tests.bench.seeding import past_bookings, seed

KEYS = ("book_flat",)
EARLIER = 200_000
"""Every quarter of an hour of more than five years."""
OLD, NEW = 0, 1
"""The room with a history, and the one without."""
SHORT_MIN = 5
"""So that a room has enough slots for all rounds."""
PER_SECOND_MAX = 6_000
TURN_S = 1.0


def measure(bench: Bench) -> Iterator[Figure]:
    with bench.database() as database, bench.daybook(database) as daybook:
        house = open_house(daybook.urls[0], rooms=2)
        seed(database, past_bookings(house, EARLIER, rooms=[OLD]), say=bench.say)
        process = psutil.Process(daybook.process_id("serve:0"))
        rooms = [_Room(house, which) for which in (OLD, NEW)]
        both = [_round(rooms, process, bench.seconds, bench.say) for _ in range(bench.rounds + 1)]
        del both[0]  # it warms
    details = {
        "bookings/s with a history": median(1 / old.wall_s for old, _ in both),
        "without": median(1 / new.wall_s for _, new in both),
        "CPU of the API": median(old.cpu_s / new.cpu_s for old, new in both),
    }
    yield Figure("book_flat", [old.wall_s / new.wall_s for old, new in both], details)


@dataclass(slots=True)
class _Cost:
    """Of one booking; the CPU is the API's."""

    wall_s: float
    cpu_s: float


def _round(
    rooms: Sequence["_Room"], process: psutil.Process, seconds: float, say: Callable[[str], None]
) -> tuple[_Cost, _Cost]:
    """With a history, without. In turns of a second, so that whatever else the machine does is done to both."""
    spent = [[0.0, 0.0, 0.0] for _ in rooms]
    for turn in range(round(seconds)):
        # Each is first as often as second: what a booking costs depends a little on what was done just before.
        for which in (OLD, NEW) if turn % 2 else (NEW, OLD):
            before = sum(process.cpu_times()[:2])
            outcome = rooms[which].book(TURN_S)
            used = (outcome.answers, outcome.seconds, sum(process.cpu_times()[:2]) - before)
            spent[which] = [total + one for total, one in zip(spent[which], used, strict=True)]
    old, new = (_Cost(wall_s / booked, cpu_s / booked) for booked, wall_s, cpu_s in spent)
    say(f"{1 / old.wall_s:,.0f}/s with a history, {1 / new.wall_s:,.0f}/s without; API {old.cpu_s / new.cpu_s:.2f}")
    return old, new


class _Room:
    """Bookings of five minutes in one room, of one day after another, so that its pages fill evenly."""

    def __init__(self, house: House, which: int) -> None:
        self._house = house
        self._which = which
        offered = {
            "name": "Five minutes",
            "duration_min": SHORT_MIN,
            "slot_step_min": SHORT_MIN,
            "max_advance_days": DAYS_MAX + 5,
            "requirements": [{"resource_id": house.rooms[which]}],
        }
        self._service = house.owner().post("/v1/services", offered, key=f"five minutes in {house.rooms[which]}")["id"]
        self._made = 0
        self._ready: list[bytes] = []

    def book(self, seconds: float) -> Outcome:
        token = self._house.token()
        wanted = round(seconds * PER_SECOND_MAX) - len(self._ready)
        self._ready += [booking_request(self._next(), token) for _ in range(wanted)]
        outcome = put_load(self._house.url, self._ready, seconds=seconds)
        # What may have been sent besides what was answered is not sent again.
        self._ready = self._ready[outcome.answers + CONNECTIONS + 1 :]
        return outcome

    def _next(self) -> dict[str, Any]:
        """Every other customer comes to this room, so that nobody is to be in both at once."""
        slot, day = divmod(self._made, DAYS_MAX)
        start = self._house.first_start + timedelta(days=day, minutes=SHORT_MIN * slot)
        customer = (2 * self._made + self._which) % len(self._house.customers)
        self._made += 1
        return {
            "service_id": self._service,
            "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "customer_id": self._house.customers[customer],
        }
