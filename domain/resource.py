"""What can be claimed: a practitioner, a room, equipment. Capacity, working hours, closures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.fact import Fact, fact
from domain.interval import Interval, joined
from domain.refusals import HoursOverlap, InvalidValue, OutsideWorkingHours, Refusal, ResourceClosed
from domain.wall_clock import A_DAY, MINUTES_PER_DAY, WEEKDAYS, instant, local_day

CAPACITY_MAX = 10_000
SHIFTS_MAX = 7 * 24
OVERRIDES_MAX = 1_000
CLOSURE_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Wall-clock minutes of a day: from ``start_min`` up to ``end_min`` (0…1440)."""

    start_min: int
    end_min: int


@dataclass(frozen=True, slots=True, order=True)
class Shift:
    """Weekly working hours: ``weekday`` is an RFC 5545 name."""

    weekday: str
    span: Span


@dataclass(frozen=True, slots=True, order=True)
class Override:
    """The hours of one date, instead of the weekly ones. No spans: a day off."""

    day: date
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Closure:
    id: UUID
    interval: Interval


@fact("resource.added.v1")
class ResourceAdded(Fact):
    """``name`` is not here: a practitioner's name is personal data and lives in the vault under the resource's id."""

    resource_id: UUID
    organization_id: UUID
    kind: str
    location_id: UUID | None
    time_zone: str
    capacity: int
    shifts: tuple[Shift, ...]


@fact("resource.details_changed.v1")
class ResourceDetailsChanged(Fact):
    """Something in the vault changed; which fields, but not what they say."""

    resource_id: UUID
    fields: tuple[str, ...]


@fact("resource.working_hours_set.v1")
class WorkingHoursSet(Fact):
    resource_id: UUID
    shifts: tuple[Shift, ...]
    overrides: tuple[Override, ...]


@fact("resource.closed.v1")
class ResourceClosedFor(Fact):
    """The reason is free text about a person as often as not, so it lives in the vault."""

    resource_id: UUID
    closure_id: UUID
    closed: Interval


@fact("resource.reopened.v1")
class ResourceReopened(Fact):
    resource_id: UUID
    closure_id: UUID


ResourceFact = ResourceAdded | ResourceDetailsChanged | WorkingHoursSet | ResourceClosedFor | ResourceReopened


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    id: UUID
    organization_id: UUID
    kind: str
    location_id: UUID | None
    time_zone: str
    capacity: int
    shifts: tuple[Shift, ...]
    overrides: tuple[Override, ...] = ()
    closures: tuple[Closure, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """The wall-clock working hours of a local date."""
        for override in self.overrides:
            if override.day == day:
                return override.spans
        weekday = WEEKDAYS[day.weekday()]
        return tuple(shift.span for shift in self.shifts if shift.weekday == weekday)

    def working_hours(self, first: date, last: date) -> list[Interval]:
        """The working hours of the local dates ``first`` … ``last``, as instants, merged across midnight."""
        return joined(self._working_hours(first, last))

    def _working_hours(self, first: date, last: date) -> Iterator[Interval]:
        zone, day = self.zone, first
        while day <= last:
            for span in self.spans_on(day):
                start, end = instant(day, span.start_min, zone), instant(day, span.end_min, zone)
                if start >= end:  # from within a spring gap to soon after it: nothing is left
                    continue
                # A gap may move hours to another date; but a date that was skipped whole has none to move.
                if start.astimezone(zone).date() == day or local_day(day, zone):
                    yield Interval(start, end)
            day += A_DAY

    def ensure_open(self, wanted: Interval) -> None:
        """Raises the first of ``reasons_against``, if there is one."""
        for reason in self.reasons_against(wanted):
            raise reason

    def reasons_against(self, wanted: Interval) -> Iterator[Refusal]:
        """Why the resource is not open for all of ``wanted``: a reason for each rule and each closure in the way."""
        for closure in self.closures:
            if closure.interval.overlaps(wanted):
                yield ResourceClosed(self.id, closure.id, closure.interval)
        zone = self.zone
        first, last = wanted.start.astimezone(zone).date() - A_DAY, wanted.end.astimezone(zone).date() + A_DAY
        if not any(hours.contains(wanted) for hours in self.working_hours(first, last)):
            yield OutsideWorkingHours(self.id, wanted)


def ensure_valid_hours(shifts: Sequence[Shift], overrides: Sequence[Override] = ()) -> None:
    """Raises ``InvalidValue`` or ``HoursOverlap`` for hours that no day can have."""
    if len(shifts) > SHIFTS_MAX:
        raise InvalidValue("working_hours", f"at most {SHIFTS_MAX} spans")
    if len(overrides) > OVERRIDES_MAX:
        raise InvalidValue("overrides", f"at most {OVERRIDES_MAX} dates")
    for weekday in WEEKDAYS:
        _ensure_disjoint([shift.span for shift in shifts if shift.weekday == weekday], weekday)
    seen: set[date] = set()
    for override in overrides:
        if override.day in seen:
            raise HoursOverlap(override.day)
        seen.add(override.day)
        _ensure_disjoint(list(override.spans), override.day)


def _ensure_disjoint(spans: list[Span], day: str | date) -> None:
    end_of_previous = 0
    for span in sorted(spans):
        if not 0 <= span.start_min < span.end_min <= MINUTES_PER_DAY:
            raise InvalidValue("working_hours", "start before end, between 00:00 and 24:00")
        if span.start_min < end_of_previous:
            raise HoursOverlap(day)
        end_of_previous = span.end_min


def evolve(state: Resource | None, happened: ResourceFact) -> Resource:
    if isinstance(happened, ResourceAdded):
        return Resource(
            id=happened.resource_id,
            organization_id=happened.organization_id,
            kind=happened.kind,
            location_id=happened.location_id,
            time_zone=happened.time_zone,
            capacity=happened.capacity,
            shifts=happened.shifts,
        )
    assert state
    match happened:
        case ResourceDetailsChanged():
            return state
        case WorkingHoursSet():
            return replace(state, shifts=happened.shifts, overrides=happened.overrides)
        case ResourceClosedFor():
            return replace(state, closures=(*state.closures, Closure(happened.closure_id, happened.closed)))
        case ResourceReopened():
            return replace(state, closures=tuple(c for c in state.closures if c.id != happened.closure_id))
        case _:
            assert_never(happened)
