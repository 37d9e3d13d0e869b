"""Free slots of a service."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.contract import query
from api.reading import Asked, shown, window, zone_named
from api.shapes import SlotsShape
from api.values import DayOrInstant, ZoneName
from application.slots import find_slots, time_zone_of
from domain.permissions import ensure_may
from domain.service import SEATS_MAX
from projections.availability import Availability

router = APIRouter(prefix="/v1/services", tags=["services"])


@router.get("/{service_id}/slots", **query(SlotsShape, "findSlots"))
async def get_slots(
    asked: Asked,
    service_id: UUID,
    start: Annotated[DayOrInstant, Query(description="A date in time_zone, or an instant.")],
    end: Annotated[DayOrInstant, Query(description="Exclusive; at most 62 days after the start.")],
    time_zone: Annotated[
        ZoneName | None, Query(description="Where dates are meant; the location's if left out.")
    ] = None,
    resource_id: Annotated[UUID | None, Query(description="Only slots that would take this resource.")] = None,
    seats: Annotated[int, Query(ge=1, le=SEATS_MAX, description="Only slots with so many seats left.")] = 1,
) -> Response:
    """The starts that a booking would be given now, earliest first, each with the resources that it would take.

    For anyone who is not elsewhere then and has not reached a limit for each customer. Of a group appointment, starts
    at which a session can be opened, and those of sessions with enough seats left.
    """
    ensure_may(asked.actor, "slots.read")
    await asked.caught_up(Availability.NAME)
    organization_id = asked.actor.organization_id
    zone = zone_named(time_zone or await time_zone_of(asked.ports.slots, organization_id, service_id))
    first, last = window(start, end, zone)
    found = await find_slots(
        asked.ports.slots, organization_id, service_id, first, last, resource_id=resource_id, seats=seats
    )
    return shown({"slots": found.slots, "position": found.position})
