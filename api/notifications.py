"""What customers were told about their appointments and series, and whether it reached them."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api.contract import query
from api.operation import Operation
from api.reading import Asked, Listed, whole
from api.shapes import NotificationShape
from application.visits import taken_by
from domain.appointment import Appointment
from domain.permissions import ensure_may
from domain.refusals import InvalidValue
from domain.series import Series
from projections.deliveries import Deliveries, notifications_of

router = APIRouter(prefix="/v1/notifications", tags=["notifications"], route_class=Operation)


@router.get("", **query(Listed[NotificationShape], "listNotifications", "notification.read"))
async def list_notifications(
    asked: Asked, appointment_id: UUID | None = None, series_id: UUID | None = None
) -> Response:
    """The messages about one appointment, or about one series, oldest first. To whom, but not what they say.

    Of a series as a whole a customer is told once; what concerns one visit of it is found under that.
    """
    match appointment_id, series_id:
        case UUID() as about_id, None:
            visit, _ = await asked.require(Appointment, about_id)
            ensure_may(asked.actor, "notification.read", resource_ids=taken_by(visit))
        case None, UUID() as about_id:
            ensure_may(asked.actor, "notification.read")
            await asked.require(Series, about_id)
        case _:
            raise InvalidValue("appointment_id", "either this or series_id")
    await asked.caught_up(Deliveries.NAME)
    rows = await notifications_of(asked.reads, asked.actor.organization_id, about_id)
    return whole(rows)
