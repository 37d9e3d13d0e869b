"""Resources: what can be claimed. Their names are in the vault: a practitioner's is personal data."""

from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.catalogue_lists import catalogue_rows, place_in_catalogue
from api.commanding import Changed, Commanded, IfMatch, answered
from api.contract import command, query
from api.operation import Operation
from api.people import newcomer, store_change
from api.reading import Asked, Cursor, Limit, Listed, page, shown
from api.shapes import ResourceShape
from api.values import Body, Change, Count, KindName, Name, ZoneName
from api.weekly_hours import WeeklySpan, shifts_of, shown_overrides, shown_shifts
from application.catalogue import AddResource, ChangeResource, add_resource, change_resource
from application.vault import Person
from domain.permissions import ensure_may
from domain.resource import CAPACITY_MAX, SHIFTS_MAX, Resource

router = APIRouter(prefix="/v1/resources", tags=["resources"], route_class=Operation)


class NewResource(Body):
    """``kind`` is the organization's own word: practitioner, room, ultrasound."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Dra. Helena Luz",
                "kind": "practitioner",
                "time_zone": "America/Sao_Paulo",
                "working_hours": [{"weekday": "MO", "start": "09:00", "end": "17:00"}],
            }
        }
    )

    name: Name
    kind: KindName
    location_id: UUID | None = None
    time_zone: ZoneName
    capacity: Annotated[Count, Field(le=CAPACITY_MAX)] = 1
    working_hours: Annotated[tuple[WeeklySpan, ...], Field(max_length=SHIFTS_MAX)] = ()


class ResourceChange(Change):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "Dra. Helena Luz"}})

    NEVER_NULL: ClassVar = frozenset({"name"})

    name: Name | None = None


@router.post("", **command(ResourceShape, "addResource", "resource.create", creates=True))
async def add(body: NewResource, call: Commanded) -> Response:
    ensure_may(call.actor, "resource.create")
    resource_id = call.new_subject_id("resource")
    shifts = shifts_of(body.working_hours)
    wanted = AddResource(
        resource_id=resource_id,
        kind=body.kind,
        time_zone=body.time_zone,
        location_id=body.location_id,
        capacity=body.capacity,
        shifts=shifts,
    )
    name = Person(display_name=body.name)
    async with newcomer(call, call.actor.organization_id, resource_id, name, stream_id=resource_id):
        answer = await call.submit(add_resource, wanted)
    besides = {
        "name": body.name,
        "kind": body.kind,
        "location_id": body.location_id,
        "time_zone": body.time_zone,
        "capacity": body.capacity,
        "working_hours": shown_shifts(shifts),
        "overrides": [],
        "retired_at": None,
    }
    return answered(answer, status=201, location=f"{call.path}/{resource_id}", besides=besides)


@router.get("", **query(Listed[ResourceShape], "listResources", "resource.read", problems=()))
async def list_resources(asked: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    ensure_may(asked.actor, "resource.read")
    rows = await catalogue_rows(asked, Resource, limit, cursor)
    names = await asked.ports.vault.people(asked.actor.organization_id, [row.state.id for row in rows])
    return page(rows, limit, lambda row: _shown(row.state, row.version, names.get(row.state.id)), place_in_catalogue)


@router.get("/{resource_id}", **query(ResourceShape, "getResource", "resource.read", etag=True))
async def get_resource(asked: Asked, resource_id: UUID) -> Response:
    ensure_may(asked.actor, "resource.read")
    resource, version = await asked.require(Resource, resource_id)
    name = await asked.ports.vault.person(asked.actor.organization_id, resource_id)
    return shown(_shown(resource, version, name), version=version)


@router.patch(
    "/{resource_id}", **command(ResourceShape, "changeResource", "resource.change", key_required=False, if_match=True)
)
async def change(resource_id: UUID, body: ResourceChange, call: Changed, if_version: IfMatch, asked: Asked) -> Response:
    """Another name. Kind, capacity and time zone are what bookings were decided on: add another resource instead."""
    wanted = ChangeResource(resource_id=resource_id, fields=tuple(body.changes()), if_version=if_version)
    answer = await call.submit(change_resource, wanted)
    name = await store_change(call, answer, resource_id, {"display_name": body.name})
    resource, version = await asked.require(Resource, resource_id)
    besides = _shown(resource, version, name)
    del besides["version"]
    return answered(answer, besides=besides)


def _shown(resource: Resource, version: int, name: Person | None) -> dict[str, object]:
    return {
        "id": resource.id,
        "name": name.display_name if name else None,
        "kind": resource.kind,
        "location_id": resource.location_id,
        "time_zone": resource.time_zone,
        "capacity": resource.capacity,
        "working_hours": shown_shifts(resource.shifts),
        "overrides": shown_overrides(resource.overrides),
        "retired_at": resource.retired_at,
        "version": version,
    }
