"""What customers were told about their appointments, and whether it reached them."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from api.contract import query
from api.reading import Asked, Listed, whole
from api.shapes import NotificationShape
from domain.appointment import Appointment
from domain.permissions import ensure_may
from projections.deliveries import Deliveries, notifications_of

router = APIRouter(prefix="/v1/notifications", tags=["notifications"])


@router.get("", **query(Listed[NotificationShape], "listNotifications"))
async def list_notifications(asked: Asked, appointment_id: UUID) -> Response:
    """The messages about one appointment, oldest first. To whom, but not what they say."""
    ensure_may(asked.actor, "notification.read")
    await asked.require(Appointment, appointment_id)
    await asked.caught_up(Deliveries.NAME)
    async with asked.ports.reads.connection() as connection:
        rows = await notifications_of(connection, asked.actor.organization_id, appointment_id)
    return whole(rows)
