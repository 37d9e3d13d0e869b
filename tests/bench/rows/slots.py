"""Free slots of a month: of one resource beside a request that does nothing, of large pools, and of fuller diaries.

Every answer is checked once before it is measured: the slots that must be there are.
"""

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import msgspec

from domain.interval import Interval
from domain.pool import Strategy
from infra.demo_client import Client, Unanswered
from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.bench.house import OWNER, PASSWORD, slots_request
from tests.bench.load import Outcome, put_load
from tests.bench.seeding import Booking, seed
from tests.running import RunningStack

KEYS = ("slots_vs_noop", "slots_pool", "slots_flat")
DAYS = 31
WEEKDAYS, EVERY_DAY = ("MO", "TU", "WE", "TH", "FR"), ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
OPENS, OPEN_MIN = timedelta(hours=9), 8 * 60
POOL, BOOKED_A_DAY = 200, 4
SMALL_POOL, SHORT_MIN = 20, 5
HALF_HOUR, STEP_MIN = 30, 15
CUSTOMERS = 50
PATIENCE = 8
ASKED_AFTER = 15
"""So often in a round somebody books, and slots are asked for at once. By a client in Python, which takes its time."""


def measure(bench: Bench) -> Iterator[Figure]:
    with bench.database() as database, bench.daybook(database) as daybook:
        url = daybook.urls[0]
        clinic = _open_clinic(url)
        booked = seed(database, clinic.booked, say=bench.say) // 3
        bench.say(f"{booked:,} bookings of {len(clinic.services)} services, {_rebuilt(daybook):.0f} s to read them")
        daybook.start("relay")
        daybook.start("project", "availability")
        clinic.await_projector()
        clinic.check()
        noop = bench.baseline("noop", daybook)
        yield _beside_nothing(bench, clinic, noop)
        yield _pools(bench, clinic)
        yield _fuller(bench, clinic)


def _beside_nothing(bench: Bench, clinic: "_Clinic", noop: str) -> Figure:
    rates: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(bench.rounds + 1):
        for name, url in (("slots", clinic.url), ("noop", noop)):
            outcome = put_load(url, clinic.request("one"), seconds=bench.seconds if number else 1, repeat=True)
            if number:  # the first is to get warm
                rates[name].append(outcome.per_second)
        if number:
            bench.say(f"round {number}: " + ", ".join(f"{name} {rates[name][-1]:,.0f}/s" for name in rates))
    details = {f"{name}/s": median(its) for name, its in rates.items()} | {"slots in an answer": clinic.slots["one"]}
    return Figure(
        "slots_vs_noop", [one / other for one, other in zip(rates["slots"], rates["noop"], strict=True)], details
    )


def _pools(bench: Bench, clinic: "_Clinic") -> Figure:
    """The p50 of the slowest strategy, whichever that is in a round; and where one diary has just changed."""
    p50: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(bench.rounds):
        for strategy in Strategy:
            p50[strategy].append(_alone(bench, clinic, strategy).p50_ms)
        after = [clinic.ask_after_booking(Strategy.BEST_FIT, number * ASKED_AFTER + n) for n in range(ASKED_AFTER)]
        p50["best_fit after a booking"].append(median(after))
        bench.say(f"round {number + 1}: " + ", ".join(f"{name} {its[-1]:.1f} ms" for name, its in p50.items()))
    slowest = [max(its) for its in zip(*(p50[strategy] for strategy in Strategy), strict=True)]
    return Figure("slots_pool", slowest, {f"{name} ms": median(its) for name, its in p50.items()})


def _fuller(bench: Bench, clinic: "_Clinic") -> Figure:
    p50: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(bench.rounds):
        for name in ("1×", "10×"):
            p50[name].append(_alone(bench, clinic, name).p50_ms)
        bench.say(f"round {number + 1}: " + ", ".join(f"{name} {its[-1]:.2f} ms" for name, its in p50.items()))
    ratios = [many / few for many, few in zip(p50["10×"], p50["1×"], strict=True)]
    return Figure("slots_flat", ratios, {f"{name} bookings, ms": median(its) for name, its in p50.items()})


def _alone(bench: Bench, clinic: "_Clinic", name: str) -> Outcome:
    """One request at a time: what one person waits for who asks what nobody has asked before."""
    return put_load(clinic.url, clinic.requests(name), seconds=bench.seconds / 2, connections=1, repeat=True)


def _rebuilt(daybook: RunningStack) -> float:
    """Seconds."""
    argv = (sys.executable, "-m", "infra.cli", "rebuild", "availability", "--json")
    environment = {**os.environ, **daybook.environment}
    said = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout
    return float(msgspec.json.decode(said)["seconds"])


@dataclass
class _Clinic:
    """Its zone is UTC. ``services`` by what they are measured for; ``slots``: so many each must have."""

    url: str
    desk: Client
    organization_id: str
    customers: Sequence[str]
    first_day: datetime
    services: dict[str, str] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)
    booked: list[Booking] = field(default_factory=list)

    def post(self, path: str, body: Mapping[str, Any]) -> str:
        return str(self.desk.post(path, body, key=str(uuid4()))["id"])

    def rooms(self, count: int, days: Sequence[str]) -> list[str]:
        hours = [{"weekday": day, "start": "09:00", "end": "17:00"} for day in days]
        room = {"name": "Room", "kind": "room", "time_zone": "UTC", "working_hours": hours}
        return [self.post("/v1/resources", room) for _ in range(count)]

    def offer(self, name: str, requirement: Mapping[str, str], *, minutes: int, step: int) -> None:
        terms = {"name": name, "duration_min": minutes, "slot_step_min": step, "requirements": [requirement]}
        self.services[name] = self.post("/v1/services", terms)

    def pool(self, rooms: Sequence[str], strategy: str) -> dict[str, str]:
        return {"pool_id": self.post("/v1/pools", {"name": strategy, "resource_ids": rooms, "strategy": strategy})}

    def book(self, service: str, rooms: Sequence[str], *, minutes: int, a_day: int, weekend: bool = True) -> None:
        """Plan so many visits a day in each room, anywhere between opening and closing."""
        random = Random(service)
        for number in range(DAYS):
            day = self.first_day + timedelta(days=number)
            for room in rooms if weekend or day.weekday() < len(WEEKDAYS) else ():
                for place in random.sample(range(OPEN_MIN // minutes), a_day):
                    start = day + OPENS + place * timedelta(minutes=minutes)
                    self.booked.append(
                        Booking(
                            appointment_id=UUID(int=random.getrandbits(128)),
                            organization_id=UUID(self.organization_id),
                            service_id=UUID(self.services[service]),
                            room_id=UUID(room),
                            customer_id=UUID(self.customers[len(self.booked) % len(self.customers)]),
                            visit=Interval(start, start + timedelta(minutes=minutes)),
                        )
                    )

    @property
    def window(self) -> tuple[str, str]:
        return f"{self.first_day:%Y-%m-%d}", f"{self.first_day + timedelta(days=DAYS):%Y-%m-%d}"

    def request(self, name: str) -> list[bytes]:
        """The question that everyone asks who looks at the month."""
        return self._requests(name, [self.window])

    def requests(self, name: str) -> list[bytes]:
        """Many that differ by a minute each, and still have the same slots: no answer is told again."""
        begins = [self.first_day + timedelta(minutes=number) for number in range(OPENS // timedelta(minutes=1))]
        ends = [begin + timedelta(days=DAYS) for begin in begins]
        return self._requests(name, [(_utc(begin), _utc(end)) for begin, end in zip(begins, ends, strict=True)])

    def _requests(self, name: str, windows: Sequence[tuple[str, str]]) -> list[bytes]:
        token = str(self.desk.signed_in(OWNER, PASSWORD).token)
        return [slots_request(self.services[name], start, end, token) for start, end in windows]

    def await_projector(self) -> None:
        """Until it has what is written now: the relay publishes all that was seeded first."""
        self.post("/v1/customers", {"display_name": "The last one"})
        for _ in range(PATIENCE):
            with suppress(Unanswered):
                self.desk.get(f"/v1/services/{self.services['one']}/slots", start=self.window[0], end=self.window[1])
                return
        raise AssertionError("the projector does not catch up")

    def check(self) -> None:
        """Raises ``AssertionError`` where there are other slots than there must be."""
        start, end = self.window
        for name, service_id in self.services.items():
            found = self.desk.get(f"/v1/services/{service_id}/slots", start=start, end=end)["slots"]
            assert len(found) == self.slots.setdefault(name, len(found)), f"{name}: {len(found)} slots"
            assert found, f"{name}: no slots"

    def ask_after_booking(self, name: str, number: int) -> float:
        """Book the n-th visit and, as soon as the read model knows, ask for slots: how many ms that took."""
        start = self.first_day + OPENS + timedelta(days=number % DAYS, minutes=HALF_HOUR * (number // DAYS))
        customer = self.post("/v1/customers", {"display_name": "Someone new"})
        visit = {"service_id": self.services[name], "customer_id": customer, "start": _utc(start)}
        self.post("/v1/appointments", visit)
        first, last = self.window
        self.desk.get(f"/v1/services/{self.services['one']}/slots", start=first, end=last)  # waits for the position
        began = time.perf_counter()
        found = self.desk.get(f"/v1/services/{self.services[name]}/slots", start=first, end=last)["slots"]
        took_ms = (time.perf_counter() - began) * 1000
        assert len(found) == self.slots[name], f"{name}: {len(found)} slots"
        return took_ms


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _open_clinic(url: str) -> _Clinic:
    front_door = Client(url)
    owner = {"email": OWNER, "password": PASSWORD, "display_name": "Olive Owner"}
    organization = front_door.post(
        "/v1/organizations", {"name": "Slots", "time_zone": "UTC", "owner": owner}, key=str(uuid4())
    )["id"]
    desk = front_door.signed_in(OWNER, PASSWORD)
    people = [
        desk.post("/v1/customers", {"display_name": "Customer"}, key=str(uuid4()))["id"] for _ in range(CUSTOMERS)
    ]
    tomorrow = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    clinic = _Clinic(url, desk, organization, people, tomorrow)
    one = clinic.rooms(1, WEEKDAYS)
    clinic.offer("one", {"resource_id": one[0]}, minutes=HALF_HOUR, step=STEP_MIN)
    clinic.book("one", one, minutes=HALF_HOUR, a_day=BOOKED_A_DAY, weekend=False)
    # The pools have the same rooms; whoever books there, nothing is left unoffered in so many.
    many = clinic.rooms(POOL, EVERY_DAY)
    for strategy in Strategy:
        clinic.offer(strategy, clinic.pool(many, strategy), minutes=HALF_HOUR, step=STEP_MIN)
        clinic.slots[strategy] = DAYS * ((OPEN_MIN - HALF_HOUR) // STEP_MIN + 1)
    clinic.book(Strategy.PRIORITY, many, minutes=HALF_HOUR, a_day=BOOKED_A_DAY)
    for name, a_day in (("1×", BOOKED_A_DAY), ("10×", 10 * BOOKED_A_DAY)):
        some = clinic.rooms(SMALL_POOL, EVERY_DAY)
        clinic.offer(name, clinic.pool(some, Strategy.LEAST_LOADED), minutes=SHORT_MIN, step=SHORT_MIN)
        clinic.slots[name] = DAYS * (OPEN_MIN // SHORT_MIN)
        clinic.book(name, some, minutes=SHORT_MIN, a_day=a_day)
    return clinic
