"""What is sent about series, and what is answered. Times of a series are those that the clock on the wall shows."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from api.shapes import AppointmentShape, SlotShape, VersionedShape
from api.values import INSTANT_MAX, INSTANT_MIN, Body, Count, FreeText, ZoneName
from application.recurrences import EXDATES_MAX, RRULE_CHARS_MAX
from domain.series import OnConflict, Scope
from domain.service import REQUIREMENTS_MAX

_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:00)?", re.ASCII)
_ID = "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11"
_ANOTHER_ID = "a6f5c2de-0d5d-4a5c-9c0e-9b8c7b8a1d22"
_VISIT: dict[str, Any] = {
    "id": "5a0c4a39-9f55-4b8a-8d0f-8a112f0e3a52",
    "status": "booked",
    "service_id": _ID,
    "customer_id": _ANOTHER_ID,
    "start": "2027-03-01T14:00:00Z",
    "end": "2027-03-01T14:30:00Z",
    "resource_ids": ["2f0e3a52-5a0c-4a39-9f55-4b8a6d0f8a11"],
    "seats": 1,
    "series_id": "9c0e9b8c-7b8a-4d22-a6f5-c2de0d5d4a5c",
    "recurrence_id": "2027-03-01T09:00:00",
    "version": 1,
}
_CONFLICT: dict[str, Any] = {
    "recurrence_id": "2027-03-08T09:00:00",
    "start": "2027-03-08T14:00:00Z",
    "problem": {"type": "/problems/slot-taken", "title": "The slot is taken."},
    "alternative": {
        "start": "2027-03-08T14:30:00Z",
        "end": "2027-03-08T15:00:00Z",
        "resource_ids": ["2f0e3a52-5a0c-4a39-9f55-4b8a6d0f8a11"],
    },
}
_SERIES: dict[str, Any] = {
    "id": "9c0e9b8c-7b8a-4d22-a6f5-c2de0d5d4a5c",
    "service_id": _ID,
    "customer_id": _ANOTHER_ID,
    "start_local": "2027-03-01T09:00:00",
    "time_zone": "America/New_York",
    "rrule": "FREQ=WEEKLY;COUNT=10",
    "exdates": ["2027-03-15T09:00:00"],
    "version": 1,
}


def _local(given: Any) -> datetime:
    if isinstance(given, datetime):
        return given
    if not isinstance(given, str) or not _LOCAL.fullmatch(given):
        raise ValueError("a wall-clock time of whole minutes without an offset, such as 2027-03-01T09:00")
    try:
        local = datetime.fromisoformat(given)
    except ValueError:
        raise ValueError("a time that exists") from None
    if not INSTANT_MIN.year < local.year < INSTANT_MAX.year:
        raise ValueError("a time between 1971 and 2199")
    return local


WallClockStart = Annotated[
    datetime,
    BeforeValidator(_local),
    WithJsonSchema({"type": "string", "pattern": f"^{_LOCAL.pattern}$", "examples": ["2027-03-01T09:00"]}),
]
WallClockShown = Annotated[str, Field(examples=["2027-03-01T09:00:00"])]
RuleText = Annotated[str, StringConstraints(min_length=1, max_length=RRULE_CHARS_MAX)]
ResourceIds = Annotated[list[UUID] | None, Field(max_length=REQUIREMENTS_MAX)]


class NewSeries(Body):
    """Every occurrence that ``rrule`` (RFC 5545) gives from ``start_local`` on, in wall-clock time of ``time_zone``.

    The rule is bounded, by COUNT or UNTIL, to at most 366 occurrences. ``start_local`` is one only if it fits the rule.
    Occurrences that cannot be had ``refuse`` the whole series, or are left out (``skip``).
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "service_id": _ID,
                "customer_id": _ANOTHER_ID,
                "start_local": "2027-03-01T09:00",
                "time_zone": "America/New_York",
                "rrule": "FREQ=WEEKLY;COUNT=10",
                "exdates": ["2027-03-15T09:00"],
                "on_conflict": "refuse",
            }
        }
    )

    service_id: UUID
    customer_id: UUID
    start_local: WallClockStart
    time_zone: ZoneName
    rrule: RuleText
    exdates: Annotated[tuple[WallClockStart, ...], Field(max_length=EXDATES_MAX)] = ()
    on_conflict: OnConflict = OnConflict.REFUSE
    resource_ids: ResourceIds = None
    seats: Count = 1
    notes: FreeText | None = None


class SeriesMove(Body):
    """``start_local``: the new start of the occurrence ``recurrence_id``; the others of the scope move by as much.

    With the scope ``all`` the occurrence may be left out: then the first that is still to come is meant.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "scope": "following",
                "recurrence_id": "2027-03-22T09:00:00",
                "start_local": "2027-03-23T10:30",
                "on_conflict": "refuse",
            }
        }
    )

    scope: Scope
    start_local: WallClockStart
    recurrence_id: WallClockStart | None = None
    on_conflict: OnConflict = OnConflict.REFUSE
    resource_ids: ResourceIds = None


class SeriesCancellation(Body):
    """``recurrence_id``: the occurrence that is meant, or from which on; not needed for ``all``."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"scope": "following", "recurrence_id": "2027-03-22T09:00:00"}}
    )

    scope: Scope
    recurrence_id: WallClockStart | None = None
    reason: FreeText | None = None


class ToldProblem(BaseModel):
    """Why: with the facts that it knows, as a refusal of one booking would have."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str


class ConflictShape(BaseModel):
    """An occurrence that cannot be had, and the nearest free start, as of this answer."""

    model_config = ConfigDict(json_schema_extra={"example": _CONFLICT})

    recurrence_id: WallClockShown
    start: datetime
    problem: ToldProblem
    alternative: SlotShape | None


class _SeriesRule(VersionedShape):
    """``start_local``, ``rrule`` and ``exdates``: what the series began with."""

    service_id: UUID
    customer_id: UUID
    start_local: WallClockShown
    time_zone: str
    rrule: str
    exdates: list[WallClockShown]


class SeriesSummaryShape(_SeriesRule):
    """``occurrence_count``: those that the series has not called off."""

    model_config = ConfigDict(json_schema_extra={"example": {**_SERIES, "occurrence_count": 9}})

    occurrence_count: int


class SeriesShape(_SeriesRule):
    """``occurrences`` are appointments, as they are now; those that the series has called off are left out."""

    model_config = ConfigDict(json_schema_extra={"example": {**_SERIES, "occurrences": [_VISIT]}})

    occurrences: list[AppointmentShape]


class BegunSeriesShape(SeriesShape):
    model_config = ConfigDict(
        json_schema_extra={"example": {**_SERIES, "occurrences": [_VISIT], "skipped": [_CONFLICT]}}
    )

    skipped: list[ConflictShape]


class MovedSeriesShape(BegunSeriesShape):
    """``kept``: exceptions, which were moved or called off on their own before."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_SERIES,
                "occurrences": [_VISIT],
                "moved": ["2027-03-01T09:00:00"],
                "kept": [],
                "skipped": [_CONFLICT],
            }
        }
    )

    moved: list[WallClockShown]
    kept: list[WallClockShown]


class CancelledSeriesShape(SeriesShape):
    """``kept``: those to come that could not be called off any more."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                **_SERIES,
                "occurrences": [_VISIT],
                "cancelled": ["2027-03-08T09:00:00"],
                "kept": ["2027-03-01T09:00:00"],
            }
        }
    )

    cancelled: list[WallClockShown]
    kept: list[WallClockShown]
