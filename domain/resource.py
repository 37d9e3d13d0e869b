"""What can be claimed: a practitioner, a room, equipment. Capacity, working hours, closures, holidays, retirement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.fact import Fact, fact
from domain.interval import Interval, joined
from domain.location import Location
from domain.refusals import (
    ClosedForHoliday,
    HoursOverlap,
    InvalidValue,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceRetired,
)
from domain.wall_clock import A_DAY, MINUTES_PER_DAY, WEEKDAYS, reached

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


@fact("resource.retired.v1")
class ResourceRetiredFrom(Fact):
    """No longer to be had from that instant on. What was written on its diary pages stays."""

    resource_id: UUID
    retired_at: datetime


@fact("resource.reinstated.v1")
class ResourceReinstated(Fact):
    resource_id: UUID


ResourceChange = (
    ResourceDetailsChanged
    | WorkingHoursSet
    | ResourceClosedFor
    | ResourceReopened
    | ResourceRetiredFrom
    | ResourceReinstated
)
ResourceFact = ResourceAdded | ResourceChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """``holidays`` are no facts of its own: ``observing`` gives it those of its location."""

    id: UUID
    organization_id: UUID
    kind: str
    location_id: UUID | None
    time_zone: str
    capacity: int
    shifts: tuple[Shift, ...]
    overrides: tuple[Override, ...] = ()
    closures: tuple[Closure, ...] = ()
    retired_at: datetime | None = None
    holidays: frozenset[date] = frozenset()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def observing(self, location: Location | None) -> "Resource":
        """The resource with the holidays that its location keeps; without a location it keeps none."""
        days: frozenset[date] = location.days if location else frozenset()
        return self if days == self.holidays else replace(self, holidays=days)

    def spans_on(self, day: date) -> tuple[Span, ...]:
        """The wall-clock working hours of a local date: an override wins over a holiday, a holiday over the week."""
        return () if self._keeps_holiday_on(day) else self._usual_spans_on(day)

    def _usual_spans_on(self, day: date) -> tuple[Span, ...]:
        """The working hours of a local date were it no holiday."""
        override = self._override_of(day)
        if override:
            return override.spans
        weekday = WEEKDAYS[day.weekday()]
        return tuple([shift.span for shift in self.shifts if shift.weekday == weekday])

    def _override_of(self, day: date) -> Override | None:
        for override in self.overrides:
            if override.day == day:
                return override
        return None

    def _keeps_holiday_on(self, day: date) -> bool:
        return day in self.holidays and self._override_of(day) is None

    def working_hours(self, first: date, last: date) -> list[Interval]:
        """The working hours of the local dates ``first`` … ``last``, as instants, merged across midnight.

        It is open when the wall clock shows so: hours within a spring gap are none, and hours that begin in it begin
        when it is over. Of a time that is repeated in autumn, the first begins and ends them.
        """
        return joined(hours for day in _days(first, last) for hours in self._instants(day, self.spans_on(day)))

    def _instants(self, day: date, spans: Sequence[Span]) -> Iterator[Interval]:
        zone = self.zone
        for span in spans:
            start, end = reached(day, span.start_min, zone), reached(day, span.end_min, zone)
            if start < end:
                yield Interval(start, end)

    def ensure_open(self, wanted: Interval) -> None:
        """Raises the first of ``reasons_against``, if there is one."""
        for reason in self.reasons_against(wanted):
            raise reason

    def reasons_against(self, wanted: Interval) -> Iterator[Refusal]:
        """Why the resource is not open for all of ``wanted``: a reason for each rule and each closure in the way.

        Each rule is judged as if the others allowed it, so that one may be waived and the others still hold; the most
        final comes first. A holiday is in the way where it takes hours away that the resource would have on that date.
        """
        if self.retired_at is not None and wanted.end > self.retired_at:
            yield ResourceRetired(self.id, self.retired_at)
        for closure in self.closures:
            if closure.interval.overlaps(wanted):
                yield ResourceClosed(self.id, closure.id, closure.interval)
        zone = self.zone
        first, last = wanted.start.astimezone(zone).date(), wanted.end.astimezone(zone).date()
        # A day more on either side: hours that begin the evening before, or that a jump put on another date.
        for day in _days(first - A_DAY, last + A_DAY) if self.holidays else ():
            if self._keeps_holiday_on(day) and any(hours.overlaps(wanted) for hours in self._usual_hours(day, day)):
                yield ClosedForHoliday(self.id, day)
        # Mostly the hours of one date have room for all of it.
        if not any(hours.contains(wanted) for hours in self._instants(first, self._usual_spans_on(first))) and not any(
            hours.contains(wanted) for hours in joined(self._usual_hours(first - A_DAY, last + A_DAY))
        ):
            yield OutsideWorkingHours(self.id, wanted)

    def _usual_hours(self, first: date, last: date) -> Iterator[Interval]:
        """The working hours of these local dates were none of them a holiday."""
        for day in _days(first, last):
            yield from self._instants(day, self._usual_spans_on(day))


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + number * A_DAY


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
    return _evolve(state, happened)


def _evolve(state: Resource, happened: ResourceChange) -> Resource:
    match happened:
        case ResourceDetailsChanged():
            return state
        case WorkingHoursSet():
            return replace(state, shifts=happened.shifts, overrides=happened.overrides)
        case ResourceClosedFor():
            return replace(state, closures=(*state.closures, Closure(happened.closure_id, happened.closed)))
        case ResourceReopened():
            return replace(state, closures=tuple(c for c in state.closures if c.id != happened.closure_id))
        case ResourceRetiredFrom():
            return replace(state, retired_at=happened.retired_at)
        case ResourceReinstated():
            return replace(state, retired_at=None)
        case _:
            assert_never(happened)
