"""Appointments that recur: one rule in wall-clock time (RFC 5545), each occurrence an appointment of its own."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.appointment import Appointment
from domain.fact import Fact, fact
from domain.lifecycle import is_movable
from domain.refusals import InvalidValue
from domain.wall_clock import instant

OCCURRENCES_MAX = 366


class Scope(StrEnum):
    """Which occurrences a change is meant for (RFC 5545, RANGE; the words of calendar programs)."""

    THIS = "this"
    FOLLOWING = "following"
    ALL = "all"


class OnConflict(StrEnum):
    REFUSE = "refuse"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """``recurrence_id`` is the wall-clock start that the rule gave it, for ever; ``start_local`` the one that it has as
    part of the series, after all that the series was moved. A visit that is elsewhere was moved on its own.
    """

    recurrence_id: datetime
    appointment_id: UUID
    start_local: datetime


@fact("series.begun.v1")
class SeriesBegun(Fact):
    """``skipped`` are the starts of the rule that could not be had. Local times are naive, in ``time_zone``."""

    series_id: UUID
    organization_id: UUID
    service_id: UUID
    customer_id: UUID
    start_local: datetime
    time_zone: str
    rrule: str
    exdates: tuple[datetime, ...]
    occurrences: tuple[Occurrence, ...]
    skipped: tuple[datetime, ...]


@fact("series.rescheduled.v1")
class SeriesRescheduled(Fact):
    """``moved`` are the occurrences with their new wall-clock starts; the others stay as they are.

    With the scope ``this`` the occurrence leaves the series' times: an exception from then on.
    """

    series_id: UUID
    scope: Scope
    moved: tuple[Occurrence, ...]


@fact("series.cancelled.v1")
class SeriesCancelled(Fact):
    """``cancelled`` are the recurrence ids of the occurrences that were called off."""

    series_id: UUID
    scope: Scope
    cancelled: tuple[datetime, ...]


SeriesFact = SeriesBegun | SeriesRescheduled | SeriesCancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """``occurrences`` that were called off are gone from it; their appointments tell of themselves."""

    id: UUID
    organization_id: UUID
    service_id: UUID
    customer_id: UUID
    start_local: datetime
    time_zone: str
    rrule: str
    exdates: tuple[datetime, ...]
    occurrences: tuple[Occurrence, ...]
    skipped: tuple[datetime, ...]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def start_of(start_local: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of a wall-clock start: nine o'clock stays nine o'clock.

    One that falls into a spring gap is moved forward by the gap; of a repeated hour it is the first (RFC 5545, 3.3.5).
    """
    return instant(start_local.date(), start_local.hour * 60 + start_local.minute, zone)


def meant_by(series: Series, scope: Scope, recurrence_id: datetime | None) -> tuple[Occurrence, ...]:
    """The occurrences that a change is meant for. Raises ``InvalidValue`` where ``recurrence_id`` names none of them.

    ``this`` and ``following`` (which includes the one that it names) need it.
    """
    if recurrence_id is None:
        if scope is not Scope.ALL:
            raise InvalidValue("recurrence_id", f"the occurrence that {scope} means")
        return series.occurrences
    if recurrence_id not in {one.recurrence_id for one in series.occurrences}:
        raise InvalidValue("recurrence_id", "one of the series' occurrences")
    match scope:
        case Scope.THIS:
            return tuple(one for one in series.occurrences if one.recurrence_id == recurrence_id)
        case Scope.FOLLOWING:
            return tuple(one for one in series.occurrences if one.recurrence_id >= recurrence_id)
        case Scope.ALL:
            return series.occurrences
        case _:
            assert_never(scope)


def is_exception(series: Series, occurrence: Occurrence, visit: Appointment, *, now: datetime) -> bool:
    """Whether the visit was moved or called off on its own, or has taken its course: the series leaves it alone."""
    return not is_movable(visit, now=now) or visit.visit.start != start_of(occurrence.start_local, series.zone)


def evolve(state: Series | None, happened: SeriesFact) -> Series:
    if isinstance(happened, SeriesBegun):
        return Series(
            id=happened.series_id,
            organization_id=happened.organization_id,
            service_id=happened.service_id,
            customer_id=happened.customer_id,
            start_local=happened.start_local,
            time_zone=happened.time_zone,
            rrule=happened.rrule,
            exdates=happened.exdates,
            occurrences=happened.occurrences,
            skipped=happened.skipped,
        )
    assert state
    match happened:
        case SeriesRescheduled(scope=Scope.THIS):
            return state
        case SeriesRescheduled():
            moved = {one.recurrence_id: one for one in happened.moved}
            return replace(state, occurrences=tuple(moved.get(one.recurrence_id, one) for one in state.occurrences))
        case SeriesCancelled():
            left = tuple(one for one in state.occurrences if one.recurrence_id not in happened.cancelled)
            return replace(state, occurrences=left)
        case _:
            assert_never(happened)
