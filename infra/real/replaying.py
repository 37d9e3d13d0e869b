"""Time and rows in order: each booking when it was made, each visit when it took place."""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from itertools import count

from adapters.clock import ReplayClock
from domain.lifecycle import NO_SHOW_GRACE
from infra.real.client import Reply
from infra.real.clinics import OPENS, Clinic
from infra.real.rows import ZONE, Row

TOGETHER = timedelta(minutes=15)
"""What happens within a quarter of an hour is sent together, when the clock shows the last of it: a city has many
desks."""
ARRIVES_BEFORE = timedelta(minutes=5)
STEPS_A_ROW = 2
"""Its booking, and months later its visit or no-show."""
LOOKS_MAX = 5
"""How often a booking looks for a free slot: two at one desk may see the same one."""


class Step(Enum):
    BOOK = "book"
    ARRIVE = "check-in"
    FULFIL = "fulfil"
    MISS = "no-show"


@dataclass(slots=True)
class Tally:
    booked: int = 0
    fulfilled: int = 0
    missed: int = 0
    refused: list[str] = field(default_factory=list)
    """One line for each row that was refused: its line in the file and why."""


@dataclass(frozen=True, slots=True)
class Event:
    step: Step
    row: Row
    appointment_id: str | None = None


class Replay:
    """Runs the rows through the API. ``on_progress`` is told how many of a row's ``STEPS_A_ROW`` are done, over all."""

    def __init__(self, clinics: Mapping[str, Clinic], clock: ReplayClock, on_progress: Callable[[int], None]) -> None:
        self._clinics = clinics
        self._clock = clock
        self._on_progress = on_progress
        self._timeline: list[tuple[datetime, int, Event]] = []
        self._order = count()
        self._done = 0
        self.tally = Tally()

    async def run(self, rows: Sequence[Row]) -> Tally:
        for row in rows:
            self._at(row.booked_at, Event(Step.BOOK, row))
        while self._timeline:
            await self._happen(self._next_minutes())
        return self.tally

    def _at(self, moment: datetime, event: Event) -> None:
        heapq.heappush(self._timeline, (moment, next(self._order), event))

    def _next_minutes(self) -> list[Event]:
        first = moment = self._timeline[0][0]
        together: list[Event] = []
        while self._timeline and self._timeline[0][0] < first + TOGETHER:
            moment, _, event = heapq.heappop(self._timeline)
            together.append(event)
        self._clock.set(max(moment, self._clock.now()))
        return together

    async def _happen(self, together: Sequence[Event]) -> None:
        """Visits all at once; the bookings of a clinic one after another, since each takes the first free slot."""
        desks: dict[str, list[Row]] = defaultdict(list)
        visits = []
        for event in together:
            if event.step is Step.BOOK:
                desks[event.row.clinic].append(event.row)
            else:
                visits.append(self._visit(event))
        await asyncio.gather(*visits, *(self._serve(rows) for rows in desks.values()))

    async def _serve(self, rows: Sequence[Row]) -> None:
        for row in rows:
            await self._book(row)

    async def _book(self, row: Row) -> None:
        clinic = self._clinics[row.clinic]
        reply = await self._book_first_free(clinic, row)
        if not reply.ok:
            self.tally.refused.append(f"line {row.line}: refused, {reply.problem}: {reply.body.get('detail')}")
            self._advance(STEPS_A_ROW)
            return
        self.tally.booked += 1
        self._advance()
        clinic.position = reply.position
        start, end = (datetime.fromisoformat(reply.body[edge]) for edge in ("start", "end"))
        appointment_id = str(reply.body["id"])
        if row.missed:
            self._at(start + NO_SHOW_GRACE, Event(Step.MISS, row, appointment_id))
        else:
            arrives = max(self._clock.now(), start - ARRIVES_BEFORE)
            self._at(arrives, Event(Step.ARRIVE, row, appointment_id))
            self._at(end, Event(Step.FULFIL, row, appointment_id))

    async def _book_first_free(self, clinic: Clinic, row: Row) -> Reply:
        """Where the day has no free slot its opening is asked for, so that the API itself says why not."""
        query = {
            "start": row.day.isoformat(),
            "end": (row.day + timedelta(days=1)).isoformat(),
            "time_zone": ZONE.key,
        }
        path = f"/v1/services/{clinic.service_id}/slots"
        for look in range(LOOKS_MAX):
            customer_id, seen = await asyncio.gather(
                clinic.customer(row.patient_id),
                clinic.member.must("GET", path, query=query, position=clinic.position),
            )
            free = seen.body["slots"]
            start = free[0]["start"] if free else _opening(row)
            wish = {"service_id": clinic.service_id, "start": start, "customer_id": customer_id}
            key = f"book {row.line} {look}"
            reply = await clinic.member.call("POST", "/v1/appointments", json=wish, key=key)
            if reply.ok or not free or reply.problem != "slot-taken":
                return reply
        return reply

    async def _visit(self, event: Event) -> None:
        clinic = self._clinics[event.row.clinic]
        path = f"/v1/appointments/{event.appointment_id}/{event.step.value}"
        await clinic.member.must("POST", path, json={}, key=f"{event.step.value} {event.row.line}")
        match event.step:
            case Step.FULFIL:
                self.tally.fulfilled += 1
                self._advance()
            case Step.MISS:
                self.tally.missed += 1
                self._advance()
            case _:
                pass

    def _advance(self, steps: int = 1) -> None:
        self._done += steps
        self._on_progress(self._done)


def _opening(row: Row) -> str:
    hour, minute = map(int, OPENS.split(":"))
    return datetime(row.day.year, row.day.month, row.day.day, hour, minute, tzinfo=ZONE).isoformat()
