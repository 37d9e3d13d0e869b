"""A refused start is answered with the next free ones, as the diary that refused it shows them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from api.commanding import Call
from api.notes import folded
from api.problems import RefusedWithAlternatives
from application.journal import Recorded
from application.slots import alternatives
from domain.allocation import pages_touched
from domain.booking_page import period_of
from domain.organization import Organization
from domain.refusals import (
    BookingLimitReached,
    ClosedForHoliday,
    CustomerElsewhere,
    NothingOffersThis,
    OffGrid,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceRetired,
    SessionFull,
    SlotTaken,
    TooFarAhead,
    TooSoon,
)
from domain.resource import Resource
from domain.service import Period
from domain.wall_clock import MINUTES_PER_DAY, instant
from projections.availability import Availability

ANOTHER_START_MAY_DO = (
    SlotTaken,
    OutsideWorkingHours,
    ResourceClosed,
    ClosedForHoliday,
    ResourceRetired,
    SessionFull,
    CustomerElsewhere,
    BookingLimitReached,
    NothingOffersThis,
    TooSoon,
    TooFarAhead,
    OffGrid,
)
"""The refusals to which the next free slots are the answer that one would want."""

WAIT_MAX_S = 0.5


async def with_alternatives(
    call: Call, refusal: Refusal, service_id: UUID, start: datetime, resource_ids: Sequence[UUID], seats: int
) -> RefusedWithAlternatives:
    ports, organization_id = call.ports, call.actor.organization_id
    try:
        # What refused may be younger than the read model: a slot that overlaps it would be refused again.
        position = await _position_of(call, refusal, service_id)
        await ports.fence.reached(Availability.NAME, organization_id, position, timeout_s=WAIT_MAX_S)
        after = await _looked_for_after(call, refusal, start)
        found = await alternatives(
            ports.slots, organization_id, service_id, after, resource_ids=resource_ids, seats=seats
        )
    except ports.outages:
        found = ()  # the refusal stands, whether or not the read model can be asked for more
    return RefusedWithAlternatives(refusal, found)


async def _looked_for_after(call: Call, refusal: Refusal, start: datetime) -> datetime:
    """Slots know of resources: what is against the person, or the calendar, is passed over first."""
    match refusal:
        case CustomerElsewhere():
            return refusal.elsewhere.end - datetime.resolution
        case BookingLimitReached():
            organization_id = call.actor.organization_id
            organization = folded((await call.ports.journal.load([organization_id]))[organization_id])
            assert isinstance(organization, Organization)
            zone = ZoneInfo(organization.time_zone)
            _, last = period_of(Period(refusal.period), start, zone)
            return instant(last, MINUTES_PER_DAY, zone) - datetime.resolution
        case _:
            return start


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
