"""Where appointments that a closure hit could go: told in its answer, if it asks."""

from collections.abc import Sequence
from uuid import UUID

from api.commanding import Call
from application.proposing import propose_moves
from domain.appointment import Appointment
from domain.interval import Interval
from projections import appointments
from projections.appointments import ACTIVE, Entry
from projections.availability import Availability

VISITS_MAX = 200


async def proposals(
    call: Call, position: int, hits: Sequence[Entry], closed: tuple[UUID, Interval]
) -> list[dict[str, object]]:
    """One for each appointment; ``slot`` is null where nothing is free. ``position`` is the closure's."""
    organization_id = call.actor.organization_id
    await call.ports.fence.reached(Availability.NAME, organization_id, position)

    async def visits_of(customer_id: UUID, within: Interval) -> Sequence[Appointment]:
        known = await appointments.listed(
            call.reads,
            organization_id,
            customer_id=customer_id,
            start=within.start,
            end=within.end,
            limit=VISITS_MAX,
        )
        return [row.appointment for row in known if row.appointment.status in ACTIVE]

    visits = [row.appointment for row in hits]
    found = await propose_moves(call.ports.slots, organization_id, visits, closed=closed, visits_of=visits_of)
    return [{"appointment_id": one.appointment_id, "slot": one.slot} for one in found]
