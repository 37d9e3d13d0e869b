"""Locations: places with a time zone."""

from typing import ClassVar
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict
from starlette.responses import Response

from api.catalogue_lists import catalogue_rows, place_in_catalogue
from api.commanding import Changed, Commanded, IfMatch, answered
from api.contract import command, query
from api.operation import Operation
from api.reading import Asked, Cursor, Limit, Listed, page, shown
from api.shapes import LocationShape
from api.values import Address, Body, Change, Name, ZoneName
from application.catalogue import ChangeLocation, OpenLocation, change_location, open_location
from domain.location import Location
from domain.permissions import ensure_may

router = APIRouter(prefix="/v1/locations", tags=["locations"], route_class=Operation)


class NewLocation(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Centro",
                "time_zone": "America/Sao_Paulo",
                "address": "Av. Jerônimo Monteiro 100, Vitória",
            }
        }
    )

    name: Name
    time_zone: ZoneName
    address: Address | None = None


class LocationChange(Change):
    """A null address takes it away."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "Centro", "address": None}})

    NEVER_NULL: ClassVar = frozenset({"name"})

    name: Name | None = None
    address: Address | None = None


@router.post("", **command(LocationShape, "openLocation", "location.create", creates=True))
async def open_one(body: NewLocation, call: Commanded) -> Response:
    location_id = call.new_id("location")
    wanted = OpenLocation(location_id=location_id, name=body.name, time_zone=body.time_zone, address=body.address)
    answer = await call.submit(open_location, wanted)
    return answered(answer, status=201, location=f"{call.path}/{location_id}", besides=body.model_dump())


@router.get("", **query(Listed[LocationShape], "listLocations", "location.read", problems=()))
async def list_locations(asked: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    ensure_may(asked.actor, "location.read")
    rows = await catalogue_rows(asked, Location, limit, cursor)
    return page(rows, limit, lambda row: _shown(row.state, row.version), place_in_catalogue)


@router.get("/{location_id}", **query(LocationShape, "getLocation", "location.read", etag=True))
async def get_location(asked: Asked, location_id: UUID) -> Response:
    ensure_may(asked.actor, "location.read")
    location, version = await asked.require(Location, location_id)
    return shown(_shown(location, version), version=version)


@router.patch(
    "/{location_id}", **command(LocationShape, "changeLocation", "location.change", key_required=False, if_match=True)
)
async def change(location_id: UUID, body: LocationChange, call: Changed, if_version: IfMatch, asked: Asked) -> Response:
    ensure_may(call.actor, "location.change")
    before, seen = await asked.require(Location, location_id)
    wanted = ChangeLocation(
        location_id=location_id,
        **{"name": before.name, "address": before.address, **body.changes()},
        if_version=seen if if_version is None else if_version,
    )
    answer = await call.submit(change_location, wanted)
    besides = {"name": wanted.name, "time_zone": before.time_zone, "address": wanted.address}
    return answered(answer, besides=besides)


def _shown(location: Location, version: int) -> dict[str, object]:
    return {
        "id": location.id,
        "name": location.name,
        "time_zone": location.time_zone,
        "address": location.address,
        "version": version,
    }
