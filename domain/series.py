"""Appointments that recur: one rule in wall-clock time (RFC 5545), each occurrence an appointment of its own."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.fact import Fact, fact
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
    """``recurrence_id`` is the wall-clock start that the rule gives it, for ever; ``start_local`` the present one."""

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
    """``moved`` are the occurrences with their new wall-clock starts; the others stay as they are."""

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
        case SeriesRescheduled():
            moved = {one.recurrence_id: one for one in happened.moved}
            return replace(state, occurrences=tuple(moved.get(one.recurrence_id, one) for one in state.occurrences))
        case SeriesCancelled():
            left = tuple(one for one in state.occurrences if one.recurrence_id not in happened.cancelled)
            return replace(state, occurrences=left)
        case _:
            assert_never(happened)
