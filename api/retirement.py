"""Resources that retire from an instant on, and come back."""

from datetime import datetime
from uuid import UUID

import msgspec
from fastapi import APIRouter
from pydantic import ConfigDict
from starlette.responses import Response

from api.affected import affected
from api.commanding import Commanded, answered
from api.contract import command
from api.operation import Operation
from api.resource_shapes import RetiredShape
from api.shapes import VersionedShape
from api.values import INSTANT_MAX, Body, Instant, Nothing
from application.resource_times import ReinstateResource, RetireResource, reinstate_resource, retire_resource
from domain.interval import Interval

router = APIRouter(prefix="/v1/resources/{resource_id}", tags=["resources"], route_class=Operation)


class Retirement(Body):
    """Without an instant: now."""

    model_config = ConfigDict(json_schema_extra={"example": {"retired_at": "2027-12-31T18:00:00-03:00"}})

    retired_at: Instant | None = None


class _Retired(msgspec.Struct):
    retired_at: datetime


@router.post("/retire", **command(RetiredShape, "retireResource", "resource.change"))
async def retire(resource_id: UUID, call: Commanded, body: Retirement | None = None) -> Response:
    """Not to be had from then on. Appointments that end later stay booked, and are listed. Again: another instant."""
    wanted = RetireResource(resource_id=resource_id, retired_at=body.retired_at if body else None)
    answer = await call.submit(retire_resource, wanted)
    since = msgspec.json.decode(answer.body, type=_Retired).retired_at
    hits = await affected(call, answer.position, [resource_id], [Interval(since, INSTANT_MAX)])
    return answered(answer, besides=hits.shown())


@router.post("/reinstate", **command(VersionedShape, "reinstateResource", "resource.change"))
async def reinstate(resource_id: UUID, call: Commanded, _: Nothing | None = None) -> Response:
    """To be had again, as if it had not been retired."""
    return answered(await call.submit(reinstate_resource, ReinstateResource(resource_id=resource_id)))
