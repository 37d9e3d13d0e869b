"""Of a series each occurrence that cannot be had is told with the nearest start that can."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import msgspec

from api.alternatives import WAIT_MAX_S
from api.commanding import Call
from api.notes import folded
from api.problem_kinds import REFUSALS
from application.nearest import Sought, nearest
from application.slots import Slot
from application.writer import Answer
from domain.allocation import pages_touched
from domain.interval import Interval
from domain.refusals import (
    BookingLimitReached,
    CancelledTooLate,
    ClosedForHoliday,
    Conflict,
    CustomerElsewhere,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceRetired,
    SessionFull,
    SlotTaken,
)
from domain.resource import Resource
from domain.service import Holder
from projections.availability import Availability

AT_RESOURCE = (SlotTaken, OutsideWorkingHours, ResourceClosed, ResourceRetired, ClosedForHoliday)


_LIMIT, _TOO_LATE = (f"/problems/{REFUSALS[kind].slug}" for kind in (BookingLimitReached, CancelledTooLate))


class _Why(msgspec.Struct):
    """A refusal as it was told."""

    type: str
    elsewhere: Interval | None = None
    per: str | None = None

    @property
    def is_hopeless(self) -> bool:
        return self.type == _TOO_LATE or (self.type == _LIMIT and self.per == Holder.CUSTOMER)


def _is_hopeless(refusal: Refusal) -> bool:
    """The visit stays where it is, or the customer has had enough: what is free near by would be refused likewise."""
    match refusal:
        case CancelledTooLate():
            return True
        case BookingLimitReached():
            return refusal.per == Holder.CUSTOMER
        case _:
            return False


class _Skipped(msgspec.Struct):
    """As much of a told conflict as matters here."""

    start: datetime
    problem: _Why


async def nearest_to_conflicts(call: Call, conflicts: Sequence[Conflict], sought: Sought) -> Mapping[datetime, Slot]:
    """By the starts that were refused. Empty while the read model cannot be asked."""
    refused = [one.start for one in conflicts if not _is_hopeless(one.refusal)]
    busy = [one.refusal.elsewhere for one in conflicts if isinstance(one.refusal, CustomerElsewhere)]
    try:
        position = await _position_of(call, conflicts)
        return await _nearest(call, refused, busy, sought, position)
    except call.ports.outages:
        return {}  # the refusal stands, whether or not the read model can be asked for more


async def skipped_with_nearest(call: Call, answer: Answer, sought: Sought) -> Sequence[Mapping[str, object]]:
    """What was left out of a series that was written otherwise, as the stored answer tells it; and the nearest."""
    skipped = msgspec.json.decode(answer.body)["skipped"]
    told = msgspec.convert(skipped, list[_Skipped])
    hopeful = [one for one in told if not one.problem.is_hopeless]
    busy = [one.problem.elsewhere for one in hopeful if one.problem.elsewhere]
    found: Mapping[datetime, Slot] = {}
    if hopeful:
        with suppress(*call.ports.outages):
            found = await _nearest(call, [one.start for one in hopeful], busy, sought, answer.position)
    return [{**document, "alternative": found.get(one.start)} for document, one in zip(skipped, told, strict=True)]


async def _nearest(
    call: Call, refused: Iterable[datetime], busy: Sequence[Interval], sought: Sought, position: int
) -> Mapping[datetime, Slot]:
    ports, organization_id = call.ports, call.actor.organization_id
    # What refused may be younger than the read model: a slot that overlaps it would be refused again.
    await ports.fence.reached(Availability.NAME, organization_id, position, timeout_s=WAIT_MAX_S)
    found = await nearest(ports.slots, organization_id, replace(sought, busy=tuple(busy)), refused)
    return {start: slots[0] for start, slots in found.items()}


async def _position_of(call: Call, conflicts: Sequence[Conflict]) -> int:
    """Where in the journal the latest of all the reasons was recorded: two round trips, however many there are."""
    journal = call.ports.journal
    refusals = [one.refusal for one in conflicts]
    resource_ids = {one.resource_id for one in refusals if isinstance(one, AT_RESOURCE)}
    sessions = {one.session_id for one in refusals if isinstance(one, SessionFull)}
    resources = await journal.load(list(resource_ids)) if resource_ids else {}
    pages: set[UUID] = set()
    known = {resource_id: folded(recorded) for resource_id, recorded in resources.items()}
    for refusal in refusals:
        resource = known.get(refusal.resource_id) if isinstance(refusal, SlotTaken) else None
        if isinstance(refusal, SlotTaken) and isinstance(resource, Resource):
            pages.update(stream_id for stream_id, _, _ in pages_touched(resource, refusal.wanted))
    streams = {**resources, **(await journal.load([*pages, *sessions]) if pages or sessions else {})}
    return max((recorded[-1].position for recorded in streams.values() if recorded), default=0)
