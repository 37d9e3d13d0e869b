"""Working hours as the contract writes them: RFC 5545 weekdays and HH:MM on the resource's wall clock."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import ConfigDict, Field

from api.values import Body, Day, WallClock, Weekday, clock_text
from domain.resource import OVERRIDES_MAX, SHIFTS_MAX, Override, Shift, Span

SPANS_PER_DAY_MAX = 24


class DaySpan(Body):
    """From ``start`` up to ``end``; 24:00 is the midnight that ends the day."""

    model_config = ConfigDict(json_schema_extra={"example": {"start": "09:00", "end": "17:00"}})

    start: WallClock
    end: WallClock


class WeeklySpan(DaySpan):
    model_config = ConfigDict(json_schema_extra={"example": {"weekday": "MO", "start": "09:00", "end": "17:00"}})

    weekday: Weekday


class DayOverride(Body):
    """The hours of one date instead of the weekly ones; none: a day off."""

    date: Day
    hours: Annotated[list[DaySpan], Field(max_length=SPANS_PER_DAY_MAX)]


class WorkingHours(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "working_hours": [{"weekday": "MO", "start": "09:00", "end": "17:00"}],
                "overrides": [{"date": "2027-12-24", "hours": []}],
            }
        }
    )

    working_hours: Annotated[tuple[WeeklySpan, ...], Field(max_length=SHIFTS_MAX)]
    overrides: Annotated[tuple[DayOverride, ...], Field(max_length=OVERRIDES_MAX)] = ()


def shifts_of(given: Iterable[WeeklySpan]) -> tuple[Shift, ...]:
    return tuple(Shift(one.weekday, Span(one.start, one.end)) for one in given)


def overrides_of(given: Iterable[DayOverride]) -> tuple[Override, ...]:
    return tuple(Override(one.date, tuple(Span(span.start, span.end) for span in one.hours)) for one in given)


def shown_shifts(shifts: Sequence[Shift]) -> list[dict[str, str]]:
    return [{"weekday": shift.weekday, **_shown_span(shift.span)} for shift in shifts]


def shown_overrides(overrides: Sequence[Override]) -> list[dict[str, object]]:
    return [{"date": one.day, "hours": [_shown_span(span) for span in one.spans]} for one in overrides]


def _shown_span(span: Span) -> dict[str, str]:
    return {"start": clock_text(span.start_min), "end": clock_text(span.end_min)}
