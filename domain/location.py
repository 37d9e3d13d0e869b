"""A place with an IANA time zone and the holidays that it keeps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import assert_never
from uuid import UUID

from domain.fact import Fact, fact
from domain.refusals import InvalidValue

HOLIDAYS_MAX = 1_000
HOLIDAY_NAME_MAX = 200


@dataclass(frozen=True, slots=True, order=True)
class Holiday:
    """A local date on which the place is closed, whatever its time zone's clock does on it."""

    day: date
    name: str


@fact("location.opened.v1")
class LocationOpened(Fact):
    location_id: UUID
    organization_id: UUID
    name: str
    time_zone: str
    address: str | None


@fact("location.changed.v1")
class LocationChanged(Fact):
    location_id: UUID
    name: str
    address: str | None


@fact("location.holidays_set.v1")
class HolidaysSet(Fact):
    """All holidays anew, by date, each date once: what the calendar of ``country`` said on the day of the decision.

    ``country`` and ``subdivision`` are ISO 3166 codes and say where the dates came from; the dates are what counts.
    """

    location_id: UUID
    country: str | None
    subdivision: str | None
    holidays: tuple[Holiday, ...]


LocationFact = LocationOpened | LocationChanged | HolidaysSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """``days`` are the dates of ``holidays``, kept ready because each booking of each resource asks for them."""

    id: UUID
    organization_id: UUID
    name: str
    time_zone: str
    address: str | None
    country: str | None = None
    subdivision: str | None = None
    holidays: tuple[Holiday, ...] = ()
    days: frozenset[date] = frozenset()


def ensure_valid_holidays(holidays: Sequence[Holiday]) -> None:
    """Raises ``InvalidValue`` unless there are at most ``HOLIDAYS_MAX``, named, by date, each date once."""
    if len(holidays) > HOLIDAYS_MAX:
        raise InvalidValue("holidays", f"at most {HOLIDAYS_MAX} dates")
    if any(not 1 <= len(holiday.name) <= HOLIDAY_NAME_MAX for holiday in holidays):
        raise InvalidValue("holidays", f"each with a name of at most {HOLIDAY_NAME_MAX} characters")
    days = [holiday.day for holiday in holidays]
    if days != sorted(set(days)):
        raise InvalidValue("holidays", "by date, each date once")


def evolve(state: Location | None, happened: LocationFact) -> Location:
    match happened:
        case LocationOpened():
            return Location(
                id=happened.location_id,
                organization_id=happened.organization_id,
                name=happened.name,
                time_zone=happened.time_zone,
                address=happened.address,
            )
        case LocationChanged():
            assert state
            return replace(state, name=happened.name, address=happened.address)
        case HolidaysSet():
            assert state
            return replace(
                state,
                country=happened.country,
                subdivision=happened.subdivision,
                holidays=happened.holidays,
                days=frozenset(holiday.day for holiday in happened.holidays),
            )
        case _:
            assert_never(happened)
