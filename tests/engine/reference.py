"""A second engine, written for the tests alone: plain lists, and every question answered minute by minute.

It knows nothing of masks, diary pages or sessions as streams. Minutes are counted from 1970 UTC; whatever lies on the
wall is read off the wall. What is fast, short or clever belongs elsewhere.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.pool import Strategy
from domain.refusals import ClosedForHoliday, OutsideWorkingHours, Refusal, ResourceClosed, ResourceRetired
from domain.service import Terms

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
A_DAY_MIN = 24 * 60
LOOKS_BACK_MIN = 6 * 60
"""No clock goes back further."""

Reasons = frozenset[type[Refusal]]
NONE: Reasons = frozenset()


def minute_of(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(minutes=1)


def moment_of(minute: int) -> datetime:
    return EPOCH + timedelta(minutes=minute)


class Shown(NamedTuple):
    """What the wall shows during one minute; ``furthest`` is the latest that it has ever shown until then."""

    now: datetime
    furthest: datetime


@lru_cache(maxsize=1_000)
def _walls(time_zone: str, day: int) -> tuple[Shown, ...]:
    zone, furthest, shown = ZoneInfo(time_zone), datetime.min, []  # noqa: DTZ901  wall-clock time is naive
    for minute in range(day * A_DAY_MIN - LOOKS_BACK_MIN, (day + 1) * A_DAY_MIN):
        wall = moment_of(minute).astimezone(zone).replace(tzinfo=None)
        furthest = max(furthest, wall)
        shown.append(Shown(wall, furthest))
    return tuple(shown[LOOKS_BACK_MIN:])


def wall(time_zone: str, minute: int) -> Shown:
    return _walls(time_zone, minute // A_DAY_MIN)[minute % A_DAY_MIN]


def day_of(time_zone: str, minute: int) -> date:
    return wall(time_zone, minute).now.date()


@dataclass
class Resource:
    """``week``: for each weekday (Monday is 0) its hours, from minute to minute. ``dates``: those of single dates."""

    id: UUID
    kind: str
    time_zone: str
    capacity: int
    location_id: UUID | None
    week: dict[int, list[tuple[int, int]]]
    dates: dict[date, list[tuple[int, int]]] = field(default_factory=dict)
    closures: dict[UUID, tuple[datetime, datetime]] = field(default_factory=dict)
    retired_at: datetime | None = None
    holidays: Collection[date] = ()
    _known: dict[int, Reasons] = field(default_factory=dict)

    def changed(self) -> None:
        self._known.clear()

    def closed_at(self, minute: int) -> Reasons:
        """Why it is not to be had during that minute, whatever is taken."""
        if minute not in self._known:
            self._known[minute] = frozenset(self._reasons(minute))
        return self._known[minute]

    def _reasons(self, minute: int) -> Iterator[type[Refusal]]:
        begins, ends = moment_of(minute), moment_of(minute + 1)
        if self.retired_at is not None and ends > self.retired_at:
            yield ResourceRetired
        if any(start < ends and begins < end for start, end in self.closures.values()):
            yield ResourceClosed
        # Hours are over once the wall has shown their end, though it may show an earlier time again.
        furthest = wall(self.time_zone, minute).furthest
        day, at = furthest.date(), furthest.hour * 60 + furthest.minute
        hours = self.dates.get(day, self.week.get(day.weekday(), []))
        if not any(start <= at < end for start, end in hours):
            yield OutsideWorkingHours
        elif day in self.holidays and day not in self.dates:
            yield ClosedForHoliday


@dataclass
class Pool:
    resource_ids: list[UUID]
    strategy: Strategy
    last: UUID | None = None


@dataclass
class Visit:
    """One appointment. ``takes``: resource and quantity for each requirement. ``begins``/``ends``: with the buffers.

    ``session``: its service and start, if it has seats of a group; ``session_seats`` is how many there are.
    ``unseated``: its hold lapsed and the group went on, or began anew, without it.
    """

    id: UUID
    service_id: UUID
    customer_id: UUID
    start: int
    end: int
    begins: int
    ends: int
    takes: list[tuple[UUID, int]]
    status: str
    until: datetime | None
    seats: int = 1
    session: tuple[UUID, int] | None = None
    session_id: UUID | None = None
    session_seats: int = 0
    unseated: bool = False
    may_overlap: bool = False
    counts_for_service: bool = False
    entry_id: UUID | None = None
    series_id: UUID | None = None
    released: bool = False
    overridden: frozenset[str] = frozenset()
    no_show_at: datetime | None = None
    release_at: datetime | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether it stands somewhere, be it past its deadline."""
        return self.status != "cancelled" and not self.released

    def is_live(self, now: datetime) -> bool:
        return self.is_recorded and (self.until is None or now < self.until)

    @property
    def is_tentative(self) -> bool:
        return self.status in {"held", "pending"}

    @property
    def claimant(self) -> UUID:
        return self.session_id or self.id


@dataclass
class Entry:
    """Somebody who waits. ``passed``: the times that were offered and let go. ``offer``: the visit that is offered."""

    id: UUID
    service_id: UUID
    customer_id: UUID
    windows: list[tuple[datetime, datetime]]
    resource_id: UUID | None
    seats: int
    offer: UUID | None = None
    passed: list[tuple[int, int]] = field(default_factory=list)


class Taking(NamedTuple):
    claimant: UUID
    resource_id: UUID
    begins: int
    ends: int
    quantity: int


Taken = Counter[tuple[UUID, int]]
"""How much of a resource is taken during a minute."""


@dataclass
class House:
    """All there is. ``visits`` and ``waiting`` in the order in which they came."""

    time_zone: str
    now: datetime
    resources: dict[UUID, Resource] = field(default_factory=dict)
    pools: dict[UUID, Pool] = field(default_factory=dict)
    services: dict[UUID, Terms] = field(default_factory=dict)
    visits: dict[UUID, Visit] = field(default_factory=dict)
    waiting: list[Entry] = field(default_factory=list)

    def standing(self, *, besides: Collection[UUID] = (), recorded: bool = False) -> list[Visit]:
        """The visits that count now; ``recorded``: with those whose deadline passed and of which nobody said so yet."""
        return [
            visit
            for visit in self.visits.values()
            if visit.id not in besides and (visit.is_recorded if recorded else visit.is_live(self.now))
        ]

    def next_deadline(self) -> datetime | None:
        return min((visit.until for visit in self.standing() if visit.until is not None), default=None)

    def is_overdue(self) -> bool:
        """Whether something is past its deadline and nobody said so yet."""
        return len(self.standing(recorded=True)) > len(self.standing())

    def takings(self, *, besides: Collection[UUID] = (), recorded: bool = False) -> list[Taking]:
        """What is taken. A session takes its resources once, however many come to it."""
        found: dict[tuple[UUID, int], Taking] = {}
        for visit in self.standing(besides=besides, recorded=recorded):
            if not visit.unseated:
                for place, (resource_id, quantity) in enumerate(visit.takes):
                    taking = Taking(visit.claimant, resource_id, visit.begins, visit.ends, quantity)
                    found[visit.claimant, place] = taking
        return list(found.values())

    def taken(self, *, besides: Collection[UUID] = ()) -> Taken:
        taken: Taken = Counter()
        for taking in self.takings(besides=besides):
            for minute in range(taking.begins, taking.ends):
                taken[taking.resource_id, minute] += taking.quantity
        return taken

    def seated(
        self, session: tuple[UUID, int], *, besides: Collection[UUID] = (), recorded: bool = False
    ) -> list[Visit]:
        """Who has seats of a session."""
        return [
            visit
            for visit in self.standing(besides=besides, recorded=recorded)
            if visit.session == session and not visit.unseated
        ]

    def entry(self, entry_id: UUID) -> Entry | None:
        return next((entry for entry in self.waiting if entry.id == entry_id), None)
