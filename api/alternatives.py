"""A refused start is answered with the nearest free ones, as the diary that refused it shows them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from api.commanding import Call
from api.notes import folded
from api.problems import RefusedWithAlternatives
from application.booking import Book, Reschedule
from application.close_by import close_by
from application.journal import Recorded
from application.nearest import Sought, nearest
from application.slots import Slot
from application.visiting import BookAsVisitor
from domain.allocation import pages_touched
from domain.booking_page import period_of
from domain.interval import Interval
from domain.organization import Organization
from domain.refusals import (
    BookingLimitReached,
    ClosedForHoliday,
    CustomerElsewhere,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceRetired,
    SessionFull,
    SlotTaken,
)
from domain.resource import Resource
from domain.rules import OF_WHEN_AND_WHERE
from domain.service import Period
from domain.wall_clock import MINUTES_PER_DAY, instant
from projections.availability import Availability

ANOTHER_START_MAY_DO = OF_WHEN_AND_WHERE
"""The refusals to which the nearest free slots are the answer that one would want."""

MAY_DO_CLOSE_BY = (SlotTaken, CustomerElsewhere)
"""The refusals that hold for an hour or two, mostly."""

ALTERNATIVES = 3
WAIT_MAX_S = 0.5


async def with_alternatives(
    call: Call, refusal: Refusal, wish: Book | Reschedule, service_id: UUID, seats: int
) -> RefusedWithAlternatives:
    """``wish`` was refused: a visit of ``seats`` to the service."""
    if isinstance(refusal, MAY_DO_CLOSE_BY):
        memory, now = call.ports.writer.cache, call.ports.clock.now()
        found = close_by(memory, wish, service_id, call.actor, now, count=ALTERNATIVES)
        if found is not None:
            return RefusedWithAlternatives(refusal, found)
    return await with_what_is_read(call, refusal, service_id, wish, seats)


async def with_what_is_read(
    call: Call, refusal: Refusal, service_id: UUID, wish: Book | Reschedule | BookAsVisitor, seats: int
) -> RefusedWithAlternatives:
    """As the read model shows them, without deciding anything."""
    ports, organization_id, start = call.ports, call.actor.organization_id, wish.start
    found: Sequence[Slot] = ()
    try:
        # What refused may be younger than the read model: a slot that overlaps it would be refused again.
        position = await _position_of(call, refusal, service_id)
        await ports.fence.reached(Availability.NAME, organization_id, position, timeout_s=WAIT_MAX_S)
        aim, busy = await _looked_for_near(call, refusal, start)
        sought = Sought(
            service_id=service_id,
            resource_ids=() if isinstance(wish, BookAsVisitor) else wish.resource_ids,
            seats=seats,
            count=ALTERNATIVES,
            busy=busy,
        )
        by_aim = await nearest(ports.slots, organization_id, sought, [aim])
        found = by_aim.get(aim, ())
    except ports.outages:
        pass  # the refusal stands, whether or not the read model can be asked for more
    return RefusedWithAlternatives(refusal, found)


async def _looked_for_near(call: Call, refusal: Refusal, start: datetime) -> tuple[datetime, tuple[Interval, ...]]:
    """The start itself, mostly; and what is out of the question for the person, of which slots know nothing."""
    match refusal:
        case CustomerElsewhere():
            return start, (refusal.elsewhere,)
        case BookingLimitReached():
            organization_id = call.actor.organization_id
            organization = folded((await call.ports.journal.load([organization_id]))[organization_id])
            assert isinstance(organization, Organization)
            zone = ZoneInfo(organization.time_zone)
            first, last = period_of(Period(refusal.period), start, zone)
            over = instant(last, MINUTES_PER_DAY, zone)
            return over - datetime.resolution, (Interval(instant(first, 0, zone), over),)
        case _:
            return start, ()


async def _position_of(call: Call, refusal: Refusal, service_id: UUID) -> int:
    """Where in the journal the service's terms, and the reason to refuse, were recorded, if slots depend on it."""
    journal = call.ports.journal
    match refusal:
        case SessionFull():
            return _last(await journal.load([service_id, refusal.session_id]))
        case SlotTaken() | OutsideWorkingHours() | ResourceClosed() | ClosedForHoliday() | ResourceRetired():
            streams = await journal.load([service_id, refusal.resource_id])
            resource = folded(streams[refusal.resource_id])
            besides = list(_recorded_besides(resource, refusal)) if isinstance(resource, Resource) else []
            return max(_last(streams), _last(await journal.load(besides)) if besides else 0)
        case _:
            return _last(await journal.load([service_id]))


def _recorded_besides(resource: Resource, refusal: Refusal) -> Iterator[UUID]:
    match refusal:
        case SlotTaken():
            yield from (stream_id for stream_id, _, _ in pages_touched(resource, refusal.wanted))
        case ClosedForHoliday() if resource.location_id is not None:
            yield resource.location_id
        case _:
            pass


def _last(streams: Mapping[Any, Sequence[Recorded]]) -> int:
    return max((recorded[-1].position for recorded in streams.values() if recorded), default=0)
