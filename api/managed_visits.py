"""A visit in the hands of whoever has its link: to see it, to move it, to cancel it. ``Authorization: Manage TOKEN``.

In the link the token stands behind ``#``, which no browser sends and no server logs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from api.alternatives import ANOTHER_START_MAY_DO, with_alternatives
from api.commanding import Call, IfMatch, call_of, idempotency_key
from api.contract import command, query
from api.notes import folded, keep_visit_note
from api.operation import Operation
from api.ports import Ports, ports_of
from api.reading import shown
from api.values import Body, FreeText, Instant
from api.visitor_shapes import FIELDS, HeldVisitShape, ManagedVisitShape, told
from application.booking import Reschedule, reschedule
from application.journal import Recorded
from application.manage_links import ManageLink
from application.visiting import visitor_of
from application.visits import Cancel, appointment_answer, cancel
from domain.appointment import Appointment
from domain.lifecycle import is_movable
from domain.location import Location
from domain.organization import Organization
from domain.permissions import ensure_may
from domain.refusals import LinkOver
from domain.resource import Resource
from domain.service import Service
from domain.visitor import Visitor, ensure_link_is_good, visitor_id
from domain.wall_clock import MINUTE

router = APIRouter(prefix="/v1/public/visit", tags=["public"], route_class=Operation)

SCHEME = "manage"


class Moving(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"start": "2027-03-01T18:00:00+01:00"}})

    start: Instant


class CallingOff(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"reason": "I travel that week"}})

    reason: FreeText | None = None


@dataclass(frozen=True, slots=True)
class Managed:
    """The visit that the link is for, as it is now."""

    ports: Ports
    link: ManageLink
    visit: Appointment
    recorded: list[Recorded]


async def managed_by(request: Request) -> Managed:
    """Raises ``LinkOver``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    ports = ports_of(request)
    link = await ports.manage_links.find(token.strip()) if scheme.lower() == SCHEME else None
    if link is None:
        raise LinkOver
    beside = visitor_id(link.appointment_id)
    streams = await ports.journal.load([link.appointment_id, beside])
    visit, visitor = folded(streams[link.appointment_id]), folded(streams[beside])
    if not isinstance(visit, Appointment):
        raise LinkOver
    ensure_link_is_good(visit, visitor if isinstance(visitor, Visitor) else None, link.id, now=ports.clock.now())
    return Managed(ports, link, visit, list(streams[link.appointment_id]))


@dataclass(frozen=True, slots=True)
class InHand:
    """A command on the visit, by whoever has its link."""

    managed: Managed
    call: Call


async def _in_hand(request: Request) -> InHand:
    managed = await managed_by(request)
    actor = visitor_of(managed.link.organization_id, managed.link.customer_id)
    return InHand(managed, await call_of(request, actor, idempotency_key(request)))


Seen = Annotated[Managed, Depends(managed_by)]
Handled = Annotated[InHand, Depends(_in_hand)]


@router.get(
    "", **query(ManagedVisitShape, "getManagedVisit", "appointment.read", by="link", etag=True, problems=(401,))
)
async def get_visit(managed: Seen) -> Response:
    """The visit as it is now. Of one that is over or cancelled there is nothing else to be had."""
    ports, visit = managed.ports, managed.visit
    ensure_may(visitor_of(visit.organization_id, visit.customer_id), "appointment.read", subject_id=visit.customer_id)
    told_of = [visit.organization_id, visit.service_id, *(one.resource_id for one in visit.allotments)]
    states = {stream_id: folded(recorded) for stream_id, recorded in (await ports.journal.load(told_of)).items()}
    house, service = states[visit.organization_id], states[visit.service_id]
    assert isinstance(house, Organization)
    assert isinstance(service, Service)
    version, now = len(managed.recorded), ports.clock.now()
    document = {name: value for name, value in appointment_answer(visit, version).items() if name in FIELDS}
    place = await _place(ports, [one for one in states.values() if isinstance(one, Resource)])
    document |= {
        "organization_id": house.id,
        "organization_name": house.name,
        "time_zone": place.time_zone if place else house.time_zone,
        "service_name": service.terms.name,
        "duration_min": service.terms.duration_min,
        "price": service.terms.price,
        "place": {"name": place.name, "address": place.address} if place else None,
        "change_until": _change_until(visit, service, now),
    }
    return shown(document, version=version)


@router.post(
    "/reschedule",
    **command(
        HeldVisitShape, "rescheduleManagedVisit", "appointment.reschedule", by="link", if_match=True, problems=(401,)
    ),
)
async def move(body: Moving, handled: Handled, if_version: IfMatch) -> Response:
    """Move the visit to another start: its present one is given up only if the new one is had."""
    visit, call = handled.managed.visit, handled.call
    wanted = Reschedule(appointment_id=visit.id, start=body.start, if_version=if_version)
    try:
        return told(await call.submit(reschedule, wanted))
    except ANOTHER_START_MAY_DO as refusal:
        raise await with_alternatives(call, refusal, wanted, visit.service_id, visit.seats) from None


@router.post(
    "/cancel",
    **command(HeldVisitShape, "cancelManagedVisit", "appointment.cancel", by="link", if_match=True, problems=(401,)),
)
async def call_off(handled: Handled, if_version: IfMatch, body: CallingOff | None = None) -> Response:
    """Cancel the visit, as long as the service's cancellation notice lets one."""
    visit, call = handled.managed.visit, handled.call
    if body and body.reason is not None:
        await keep_visit_note(call, body.reason, "appointment.cancel", appointment_id=visit.id)
    return told(await call.submit(cancel, Cancel(appointment_id=visit.id, if_version=if_version)))


async def _place(ports: Ports, resources: Sequence[Resource]) -> Location | None:
    location_id = next((one.location_id for one in resources if one.location_id), None)
    if location_id is None:
        return None
    location = folded((await ports.journal.load([location_id]))[location_id])
    return location if isinstance(location, Location) else None


def _change_until(visit: Appointment, service: Service, now: datetime) -> datetime | None:
    """None for a visit that is over or was called off, and once the notice has begun."""
    until = visit.visit.start - service.terms.cancellation_notice_min * MINUTE
    return until if is_movable(visit, now=now) and now <= until else None
