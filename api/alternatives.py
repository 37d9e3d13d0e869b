"""A refused start is answered with the next free ones, as the diary that refused it shows them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from api.commanding import Call
from api.notes import folded
from api.problems import RefusedWithAlternatives
from application.journal import Recorded
from application.slots import alternatives
from domain.allocation import pages_touched
from domain.refusals import (
    NothingOffersThis,
    OffGrid,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    SlotTaken,
    TooFarAhead,
    TooSoon,
)
from domain.resource import Resource
from projections.availability import Availability

ANOTHER_START_MAY_DO = (
    SlotTaken,
    OutsideWorkingHours,
    ResourceClosed,
    NothingOffersThis,
    TooSoon,
    TooFarAhead,
    OffGrid,
)
"""The refusals to which the next free slots are the answer that one would want."""

WAIT_MAX_S = 0.5


async def with_alternatives(
    call: Call, refusal: Refusal, service_id: UUID, start: datetime, resource_ids: Sequence[UUID]
) -> RefusedWithAlternatives:
    ports, organization_id = call.ports, call.actor.organization_id
    try:
        # What refused may be younger than the read model: a slot that overlaps it would be refused again.
        position = await _position_of(call, refusal)
        await ports.fence.reached(Availability.NAME, organization_id, position, timeout_s=WAIT_MAX_S)
        found = await alternatives(ports.slots, organization_id, service_id, start, resource_ids=resource_ids)
    except ports.outages:
        found = ()  # the refusal stands, whether or not the read model can be asked for more
    return RefusedWithAlternatives(refusal, found)


async def _position_of(call: Call, refusal: Refusal) -> int:
    """Where in the journal the reason to refuse was recorded; 0 if the reason is in no resource's diary."""
    if not isinstance(refusal, SlotTaken | OutsideWorkingHours | ResourceClosed):
        return 0
    journal = call.ports.journal
    recorded = (await journal.load([refusal.resource_id]))[refusal.resource_id]
    position = _last(recorded)
    resource = folded(recorded)
    if isinstance(refusal, SlotTaken) and isinstance(resource, Resource):
        pages = await journal.load([stream_id for stream_id, _, _ in pages_touched(resource, refusal.wanted)])
        position = max(position, *map(_last, pages.values()))
    return position


def _last(recorded: Sequence[Recorded]) -> int:
    return recorded[-1].position if recorded else 0
