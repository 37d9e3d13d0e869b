"""Which starts there may be for those who wait, once something has become free; each is looked at once for all of them.

What nobody could have at this moment is remembered: offers only take more, so it stays so until the decision ends.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar
from uuid import UUID

from application.claiming import allocate_from, suitable_resources
from application.decision import NotLoaded, View
from application.placing import Wish
from application.seating import find_seats
from domain.allocation import Choice
from domain.interval import Interval, joined
from domain.permissions import Actor
from domain.refusals import Refusal
from domain.resource import Resource
from domain.service import BUFFER_MAX_MIN, DURATION_MAX_MIN, Service
from domain.waitlist import WaitlistEntry
from domain.wall_clock import MINUTE

NEAR = timedelta(minutes=DURATION_MAX_MIN + BUFFER_MAX_MIN)
"""A visit whose claim takes any of an interval begins at most so long before it, and ends at most so long after it."""

T = TypeVar("T")


class FreeTime(NamedTuple):
    """Time of a resource that somebody may now have."""

    resource_id: UUID
    interval: Interval


class FreeVisit(NamedTuple):
    """A visit of a service that somebody may now have."""

    service_id: UUID
    interval: Interval


Free = FreeTime | FreeVisit


class Wanted(NamedTuple):
    """What entries have in common for which the same starts are free."""

    service_id: UUID
    resource_id: UUID | None
    seats: int


def wanted_by(entry: WaitlistEntry) -> Wanted:
    return Wanted(entry.service_id, entry.resource_id, entry.seats)


def near(entries: Iterable[WaitlistEntry], free: Sequence[Free]) -> list[WaitlistEntry]:
    """Those for whom something of it might be: a look that costs no reading."""
    around = joined(one.interval.widened(before=NEAR, after=NEAR) for one in free if isinstance(one, FreeTime))
    visits: dict[UUID, list[Interval]] = {}
    for one in free:
        if isinstance(one, FreeVisit):
            visits.setdefault(one.service_id, []).append(one.interval)
    around_visits = {service_id: joined(intervals) for service_id, intervals in visits.items()}
    return [
        entry
        for entry in entries
        if _meets(entry.windows, around) or _meets(entry.windows, around_visits.get(entry.service_id, ()))
    ]


def _meets(windows: Sequence[Interval], others: Sequence[Interval]) -> bool:
    """Both are sorted, and none touches another of its own."""
    if not others or windows[-1].end <= others[0].start or others[-1].end <= windows[0].start:
        return False
    return any(window.overlaps(other) for window in windows for other in others)


def each(asked: Iterable[Callable[[], T]]) -> list[T]:
    """All answers; what any of them lacks is loaded for all in one round trip. Raises ``NotLoaded``."""
    answers: list[T] = []
    missing: dict[UUID, None] = {}
    for ask in asked:
        try:
            answers.append(ask())
        except NotLoaded as wanted:
            missing.update(dict.fromkeys(wanted.stream_ids))
    if missing:
        raise NotLoaded(list(missing))
    return answers


@dataclass(slots=True)
class Prospects:
    """Of one decision. ``starts`` and ``is_to_be_had`` say nothing of who it is for: that is asked last."""

    view: View
    free: list[Free]
    actor: Actor
    now: datetime
    _choices: dict[tuple[UUID, UUID | None], list[Choice[Resource]]] = field(default_factory=dict)
    _starts: dict[Wanted, list[datetime]] = field(default_factory=dict)
    _gone: set[tuple[Wanted, datetime]] = field(default_factory=set)

    def load(self, entries: Iterable[WaitlistEntry], services: Mapping[UUID, Service]) -> None:
        """Find out which starts there are for each wish of the entries; again once more is ``free``.

        Raises ``NotLoaded``.
        """
        wishes = dict.fromkeys(wanted_by(entry) for entry in entries)
        each([partial(self._choices_of, services[wanted.service_id], wanted.resource_id) for wanted in wishes])
        for wanted in wishes:
            self._starts[wanted] = self._starts_of(services[wanted.service_id], wanted)

    def beyond(self, claims: Iterable[FreeTime]) -> list[FreeTime]:
        """Those of the claims that are not wholly of what is known to be free."""
        known: dict[UUID, list[Interval]] = {}
        for one in self.free:
            if isinstance(one, FreeTime):
                known.setdefault(one.resource_id, []).append(one.interval)
        free = {resource_id: joined(intervals) for resource_id, intervals in known.items()}
        return [
            claim
            for claim in claims
            if not any(interval.contains(claim.interval) for interval in free.get(claim.resource_id, ()))
        ]

    def has_any_for(self, entry: WaitlistEntry) -> bool:
        """Whether there may be anything for it: a look that costs little."""
        starts = self._starts[wanted_by(entry)]
        return bool(starts) and any(
            bisect_left(starts, window.start) < bisect_left(starts, window.end) for window in entry.windows
        )

    def starts_for(self, entry: WaitlistEntry, service: Service) -> Iterator[datetime]:
        """The starts of visits that would take some of what is free, within the entry's windows, earliest first."""
        starts = self._starts[wanted_by(entry)]
        for window in entry.windows:
            first = bisect_left(starts, window.start)
            last = bisect_right(starts, window.end - timedelta(minutes=service.terms.duration_min))
            for start in starts[first:last]:  # a copy: starts may be given up on the way
                if not entry.has_let_go(service.visit(start)):
                    yield start

    def is_to_be_had(self, wish: Wish) -> bool:
        """Whether the visit could take place, whoever comes."""
        service = wish.service
        try:
            service.ensure_bookable_at(wish.start, now=self.now)
            if service.terms.seats > 1:
                find_seats(self.view, wish, self.actor, self.now)
            else:
                allocate_from(
                    self.view,
                    service,
                    self._choices_of(service, next(iter(wish.resource_ids), None)),
                    appointment_id=wish.appointment_id,
                    start=wish.start,
                    until=wish.until,
                    now=self.now,
                )
        except Refusal:
            return False
        return True

    def give_up(self, entry: WaitlistEntry, start: datetime) -> None:
        """Nobody who waits for the same can have this start."""
        wanted = wanted_by(entry)
        del self._starts[wanted][bisect_left(self._starts[wanted], start)]
        self._gone.add((wanted, start))

    def _choices_of(self, service: Service, resource_id: UUID | None) -> list[Choice[Resource]]:
        key = (service.id, resource_id)
        if key not in self._choices:
            wanted = (resource_id,) if resource_id else ()
            try:
                self._choices[key] = suitable_resources(self.view, service, self.actor, wanted)
            except Refusal:
                self._choices[key] = []  # nobody could give it any more
        return self._choices[key]

    def _starts_of(self, service: Service, wanted: Wanted) -> list[datetime]:
        choices = self._choices_of(service, wanted.resource_id)
        suitable = {one.id: one for choice in choices for one in choice.candidates}
        found: set[datetime] = set()
        for one in self.free if choices else ():
            if isinstance(one, FreeVisit) and one.service_id == service.id:
                found.add(one.interval.start)
            elif isinstance(one, FreeTime) and one.resource_id in suitable:
                found.update(_on_grid(service, suitable[one.resource_id], one.interval))
        return sorted(start for start in found if start > self.now and (wanted, start) not in self._gone)


def _on_grid(service: Service, resource: Resource, free: Interval) -> Iterator[datetime]:
    """The starts of all visits whose claim takes some of the time."""
    terms = service.terms
    start = free.start - timedelta(minutes=terms.duration_min + terms.buffer_after_min)
    start = start.replace(second=0, microsecond=0) + MINUTE
    last = free.end + timedelta(minutes=terms.buffer_before_min)
    while start < last:
        if service.is_on_grid(start, resource.zone):
            yield start
        start += MINUTE
