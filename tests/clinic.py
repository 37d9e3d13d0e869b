"""A service, its resources and what is claimed of them: asked for free starts, and the slow way for bookable ones."""

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from domain.allocation import Choice, allocate, pages_touched
from domain.availability import blocks_of, looks_at_whole_dates, minutes_in_block, offered, window_of
from domain.bit_planes import Planes, add, joined_up, packed
from domain.interval import Interval
from domain.open_hours import OpenDays
from domain.possible_starts import BLOCK_MIN, Candidate
from domain.refusals import Refusal
from domain.resource import Resource, Shift, Span
from domain.resource_day import ResourceDay, SlotClaimed, evolve
from domain.service import Requirement, Service, Terms
from domain.wall_clock import MINUTE, WEEKDAYS

ORGANIZATION = UUID(int=1)
ALL_DAY = tuple(Shift(weekday, Span(0, 1440)) for weekday in WEEKDAYS)

Visits = list[tuple[datetime, tuple[UUID, ...]]]


@dataclass
class Clinic:
    """A service, its resources, and what is claimed of them, as diary pages and as planes."""

    service: Service
    resources: list[Resource]
    pools: dict[UUID | None, Choice[Resource]] = field(default_factory=dict)
    pages: defaultdict[UUID, ResourceDay | None] = field(default_factory=lambda: defaultdict(lambda: None))
    visits: int = 0
    used: defaultdict[tuple[UUID, int], Planes] = field(default_factory=lambda: defaultdict(tuple))

    def claim(self, resource: Resource, interval: Interval, quantity: int = 1) -> None:
        self.visits += 1
        appointment_id = uuid5(resource.id, str(self.visits))
        for stream_id, day, part in pages_touched(resource, interval):
            fact = SlotClaimed(
                resource_id=resource.id, day=day, appointment_id=appointment_id, claim=part, quantity=quantity
            )
            self.pages[stream_id] = evolve(self.pages[stream_id], fact)
            for block in blocks_of(part):
                key = resource.id, block
                self.used[key] = add(self.used[key], minutes_in_block(block, part), quantity)

    def choices(self) -> list[Choice[Resource]]:
        return [self.pools.get(requirement.pool_id) or self._listed(requirement) for requirement in self.needs]

    def _listed(self, requirement: Requirement) -> Choice[Resource]:
        return Choice(tuple(r for r in self.resources if r.id == requirement.resource_id or r.kind == requirement.kind))

    @property
    def needs(self) -> tuple[Requirement, ...]:
        return self.service.terms.requirements

    def offered(self, starts: Interval, now: datetime) -> Visits:
        window = window_of(self.service, starts, whole_dates=looks_at_whole_dates(self.choices()))
        blocks = range(window.first_block, window.last_block + 1)
        used = {
            r.id: joined_up([packed(self.used[r.id, b], BLOCK_MIN) for b in blocks], BLOCK_MIN) for r in self.resources
        }
        known = {r.id: Candidate(OpenDays(r), used[r.id], window) for r in self.resources}
        choices = [
            Choice(tuple(known[one.id] for one in choice.candidates), choice.strategy, choice.pool_id)
            for choice in self.choices()
        ]
        return list(offered(self.service, choices, window, starts, now=now).visits(100_000))

    def bookable(self, starts: Interval, now: datetime) -> Visits:
        """The naive answer: every minute put to the booking decision."""
        visits = []
        start = starts.start
        while start < starts.end:
            with suppress(Refusal):
                self.service.ensure_bookable_at(start, now=now)
                found = allocate(
                    self.service,
                    self.choices(),
                    self.pages,
                    appointment_id=UUID(int=7),
                    start=start,
                    until=None,
                    now=now,
                )
                visits.append((start, tuple(allotment.resource_id for allotment in found.allotments)))
            start += MINUTE
        return visits


def a_service(*requirements: Requirement, **terms: int) -> Service:
    requirements = requirements or (Requirement(kind="room"),)
    whole = Terms(name="A visit", requirements=requirements, **({"duration_min": 30} | terms))  # type: ignore[arg-type]
    return Service(id=UUID(int=2), organization_id=ORGANIZATION, terms=whole)


def a_resource(number: int = 1, **differently: object) -> Resource:
    plain: dict[str, object] = {
        "id": UUID(int=1000 + number),
        "organization_id": ORGANIZATION,
        "kind": "room",
        "location_id": None,
        "time_zone": "UTC",
        "capacity": 1,
        "shifts": ALL_DAY,
    }
    return Resource(**(plain | differently))  # type: ignore[arg-type]
