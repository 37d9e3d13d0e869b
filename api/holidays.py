"""The holidays that a location keeps: from the calendar of its country, with exceptions and days of its own."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import ConfigDict, Field, Strict, StringConstraints
from starlette.responses import Response

from api.affected import affected
from api.commanding import Call, Changed, IfMatchIfGiven, answered
from api.contract import command, query
from api.operation import Operation
from api.reading import Asked, shown
from api.resource_shapes import HolidaysSetShape, HolidaysShape
from api.values import INSTANT_MAX, INSTANT_MIN, Body, Day, Name
from application.resource_times import SetHolidays, set_holidays
from domain.interval import Interval
from domain.location import HOLIDAYS_MAX, Holiday, Location
from domain.permissions import ensure_may
from domain.refusals import ClosedForHoliday, InvalidValue
from domain.resource import Resource
from domain.wall_clock import local_day
from projections import catalogue
from projections.appointments import Entry
from projections.catalogue import Catalogue

router = APIRouter(prefix="/v1/locations/{location_id}/holidays", tags=["locations"], route_class=Operation)

YEARS_AHEAD = 3
YEARS_MAX = 10

Year = Annotated[int, Strict(), Field(gt=INSTANT_MIN.year, lt=INSTANT_MAX.year)]


class OwnHoliday(Body):
    date: Day
    name: Name


class Holidays(Body):
    """The public holidays of ``country`` (ISO 3166-1) and its ``subdivision`` (ISO 3166-2, after the hyphen).

    ``years``: this one and the next three, unless given. ``except`` leaves dates out; ``extra`` are the house's own,
    with or without a country.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "country": "BR",
                "subdivision": "ES",
                "years": [2027, 2028],
                "except": ["2027-11-20"],
                "extra": [{"date": "2027-09-08", "name": "Nossa Senhora da Vitória"}],
            }
        }
    )

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    subdivision: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")] | None = None
    years: Annotated[tuple[Year, ...], Field(min_length=1, max_length=YEARS_MAX)] | None = None
    left_out: Annotated[tuple[Day, ...], Field(alias="except", max_length=HOLIDAYS_MAX)] = ()
    extra: Annotated[tuple[OwnHoliday, ...], Field(max_length=HOLIDAYS_MAX)] = ()


@router.put("", **command(HolidaysSetShape, "setHolidays", "location.change", key_required=False, if_match="optional"))
async def set_all(
    location_id: UUID, body: Holidays, call: Changed, if_version: IfMatchIfGiven, asked: Asked
) -> Response:
    """All holidays anew. Its resources have no hours on them, unless hours were set for the date.

    Appointments on a holiday stay booked, and are listed for whoever must call them.
    """
    ensure_may(call.actor, "location.change")
    location, _ = await asked.require(Location, location_id)
    wanted = SetHolidays(
        location_id=location_id,
        country=body.country,
        subdivision=body.subdivision,
        holidays=await _resolved(call, body, ZoneInfo(location.time_zone)),
        if_version=if_version,
    )
    answer = await call.submit(set_holidays, wanted)
    days = frozenset(holiday.day for holiday in wanted.holidays)
    observed = replace(
        location, country=wanted.country, subdivision=wanted.subdivision, holidays=wanted.holidays, days=days
    )
    return answered(answer, besides={**_shown(observed), **await _hit(call, answer.position, observed)})


@router.get("", **query(HolidaysShape, "getHolidays", "location.read", etag=True))
async def get_all(asked: Asked, location_id: UUID) -> Response:
    ensure_may(asked.actor, "location.read")
    location, version = await asked.require(Location, location_id)
    return shown({"id": location_id, **_shown(location), "version": version}, version=version)


async def _resolved(call: Call, body: Holidays, zone: ZoneInfo) -> tuple[Holiday, ...]:
    """Raises ``InvalidValue``."""
    if body.country is None and body.subdivision is not None:
        raise InvalidValue("subdivision", "only with its country")
    this_year = call.ports.clock.now().astimezone(zone).year
    years = body.years or range(this_year, this_year + YEARS_AHEAD + 1)
    public: Sequence[Holiday] = ()
    if body.country is not None:
        public = await asyncio.to_thread(call.ports.holidays.holidays, body.country, body.subdivision, years)
    kept = {holiday.day: holiday for holiday in public if holiday.day not in body.left_out}
    own = {one.date: Holiday(one.date, one.name) for one in body.extra}
    if len(own) < len(body.extra):
        raise InvalidValue("extra", "each date once")
    return tuple(sorted({**kept, **own}.values()))


async def _hit(call: Call, position: int, location: Location) -> dict[str, object]:
    """The appointments to come on the location's resources that lie on a holiday."""
    organization_id = call.actor.organization_id
    knows_all = await call.ports.fence.reached(Catalogue.NAME, organization_id, position)
    found = await catalogue.resources_at(call.reads, organization_id, location.id)
    resources = {resource.id: resource.observing(location) for resource in found}

    def lies_on_a_holiday(row: Entry) -> bool:
        taken = [resources[a.resource_id] for a in row.appointment.allotments if a.resource_id in resources]
        reasons = [reason for resource in taken for reason in resource.reasons_against(row.appointment.claim)]
        return any(isinstance(reason, ClosedForHoliday) for reason in reasons)

    windows = _windows(location.holidays, resources.values())
    hits = await affected(call, position, resources, windows, lies_on_a_holiday)
    return replace(hits, is_complete=hits.is_complete and knows_all).shown()


def _windows(holidays: Sequence[Holiday], resources: Collection[Resource]) -> list[Interval]:
    zones = {resource.zone for resource in resources}
    days = [local_day(holiday.day, zone) for holiday in holidays for zone in zones]
    return [day for day in days if day]


def _shown(location: Location) -> dict[str, object]:
    return {
        "country": location.country,
        "subdivision": location.subdivision,
        "holidays": [{"date": holiday.day, "name": holiday.name} for holiday in location.holidays],
    }
