"""When a resource can be had: its working hours, its closures, and its calendar."""

from dataclasses import replace
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Strict
from starlette.responses import Response

from api.affected import affected
from api.calendar_shapes import CalendarEntryShape
from api.commanding import Changed, Commanded, IfMatchIfGiven, answered
from api.contract import command, query
from api.notes import folded, keep_resource_note, notes_of
from api.operation import Operation
from api.proposals import proposals
from api.reading import Asked, Listed, Reading, shown, whole, window
from api.resource_shapes import ClosedShape
from api.shapes import ClosureShape, HoursSetShape, HoursShape, VersionedShape
from api.values import INSTANT_MAX, Body, DayOrInstant, FreeText, Instant
from api.weekly_hours import WorkingHours, overrides_of, shifts_of, shown_overrides, shown_shifts
from application.resource_times import (
    CloseResource,
    ReopenResource,
    SetWorkingHours,
    close_resource,
    reopen_resource,
    set_working_hours,
)
from domain.interval import Interval
from domain.permissions import ensure_may
from domain.refusals import NotFound, OutsideWorkingHours
from domain.resource import Resource, ResourceClosedFor
from projections import resource_calendars
from projections.appointments import Entry
from projections.resource_calendars import ResourceCalendars

router = APIRouter(prefix="/v1/resources/{resource_id}", tags=["resources"], route_class=Operation)


class NewClosure(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {"start": "2027-02-15T00:00:00-03:00", "end": "2027-02-18T00:00:00-03:00", "reason": "Carnaval"}
        }
    )

    start: Instant
    end: Instant
    reason: FreeText | None = None
    propose: Annotated[bool, Strict()] = False


@router.put(
    "/working-hours",
    **command(HoursSetShape, "setWorkingHours", "resource.change", key_required=False, if_match="optional"),
)
async def set_hours(
    resource_id: UUID, body: WorkingHours, call: Changed, if_version: IfMatchIfGiven, asked: Asked
) -> Response:
    """All hours anew. Appointments that now lie outside stay booked, and are listed for whoever must call them."""
    wanted = SetWorkingHours(
        resource_id=resource_id,
        shifts=shifts_of(body.working_hours),
        overrides=overrides_of(body.overrides),
        if_version=if_version,
    )
    answer = await call.submit(set_working_hours, wanted)
    resource, _ = await asked.require(Resource, resource_id)
    hours = replace(resource, shifts=wanted.shifts, overrides=wanted.overrides)
    ever_after = Interval(call.ports.clock.now(), INSTANT_MAX)
    hits = await affected(call, answer.position, [resource_id], [ever_after], partial(_lies_outside, hours))
    return answered(answer, besides={**_shown_hours(hours), **hits.shown()})


@router.get("/working-hours", **query(HoursShape, "getWorkingHours", "resource.read", etag=True))
async def get_hours(asked: Asked, resource_id: UUID) -> Response:
    ensure_may(asked.actor, "resource.read")
    resource, version = await asked.require(Resource, resource_id)
    return shown({"id": resource_id, **_shown_hours(resource), "version": version}, version=version)


@router.post("/closures", **command(ClosedShape, "closeResource", "closure.create", creates=True))
async def close(resource_id: UUID, body: NewClosure, call: Commanded) -> Response:
    """No new bookings in that time. Appointments that it hits stay booked, and are listed.

    With ``propose``, the answer says where they could go, all of them together: make each move with `reschedule`.
    """
    ensure_may(call.actor, "closure.create")
    closure_id = call.new_id("closure")
    if body.reason is not None:
        await keep_resource_note(call, body.reason, resource_id=resource_id)
    wanted = CloseResource(resource_id=resource_id, closure_id=closure_id, start=body.start, end=body.end)
    answer = await call.submit(close_resource, wanted)
    closed = Interval(body.start, body.end)
    hits = await affected(call, answer.position, [resource_id], [closed])
    besides: dict[str, object] = {"reason": body.reason, **hits.shown()}
    if body.propose:
        besides["proposals"] = await proposals(call, answer.position, hits.rows, (resource_id, closed))
    return answered(answer, status=201, location=f"{call.path}/{closure_id}", besides=besides)


@router.get("/closures", **query(Listed[ClosureShape], "listClosures", "closure.read"))
async def list_closures(asked: Asked, resource_id: UUID) -> Response:
    """By start; those that were reopened are gone."""
    return whole(await _closures(asked, resource_id))


@router.get("/closures/{closure_id}", **query(ClosureShape, "getClosure", "closure.read"))
async def get_closure(asked: Asked, resource_id: UUID, closure_id: UUID) -> Response:
    for closure in await _closures(asked, resource_id):
        if closure["id"] == closure_id:
            return shown(closure)
    raise NotFound("closure", closure_id)


@router.delete(
    "/closures/{closure_id}", **command(VersionedShape, "reopenResource", "closure.create", key_required=False)
)
async def reopen(resource_id: UUID, closure_id: UUID, call: Changed) -> Response:
    """Open again, as if it had not been closed."""
    return answered(await call.submit(reopen_resource, ReopenResource(resource_id=resource_id, closure_id=closure_id)))


@router.get("/calendar", **query(Listed[CalendarEntryShape], "getCalendar", "calendar.read"))
async def get_calendar(
    asked: Asked,
    resource_id: UUID,
    start: Annotated[DayOrInstant, Query(description="A date in the resource's time zone, or an instant.")],
    end: Annotated[DayOrInstant, Query(description="Exclusive; at most 62 days after the start.")],
) -> Response:
    """What the resource is taken for, and when it is closed, by start."""
    ensure_may(asked.actor, "calendar.read", resource_ids=(resource_id,))
    resource, _ = await asked.require(Resource, resource_id)
    first, last = window(start, end, resource.zone)
    await asked.caught_up(ResourceCalendars.NAME)
    entries = await resource_calendars.entries(asked.reads, asked.actor.organization_id, resource_id, first, last)
    return whole([_shown_entry(entry) for entry in entries])


def _lies_outside(hours: Resource, row: Entry) -> bool:
    """Whatever else is against it: closures, say, were told when they were made."""
    return any(isinstance(reason, OutsideWorkingHours) for reason in hours.reasons_against(row.appointment.claim))


async def _closures(asked: Reading, resource_id: UUID) -> list[dict[str, object]]:
    ensure_may(asked.actor, "closure.read", resource_ids=(resource_id,))
    recorded = (await asked.ports.journal.load([resource_id]))[resource_id]
    resource = folded(recorded)
    if not isinstance(resource, Resource) or resource.organization_id != asked.actor.organization_id:
        raise NotFound("resource", resource_id)
    notes = await notes_of(asked.ports, asked.actor, resource_id, recorded)
    reasons = {
        one.fact.closure_id: notes.get(one.position) for one in recorded if isinstance(one.fact, ResourceClosedFor)
    }
    return [
        {
            "id": closure.id,
            "resource_id": resource_id,
            "start": closure.interval.start,
            "end": closure.interval.end,
            "reason": reasons[closure.id],
        }
        for closure in sorted(resource.closures, key=lambda closure: closure.interval)
    ]


def _shown_hours(resource: Resource) -> dict[str, object]:
    return {"working_hours": shown_shifts(resource.shifts), "overrides": shown_overrides(resource.overrides)}


def _shown_entry(one: resource_calendars.Shown) -> dict[str, object]:
    entry = one.entry
    visit = {
        "id": entry.id,
        "status": entry.status,
        "service_id": entry.service_id,
        "customer_id": entry.customer_id,
        "start": entry.start,
        "end": entry.end,
        "version": entry.version,
    }
    return {
        "kind": entry.kind,
        "start": entry.start,
        "end": entry.end,
        "claim_start": entry.claim_start,
        "claim_end": entry.claim_end,
        "quantity": entry.quantity,
        "appointment": visit if entry.kind == "appointment" else None,
        "session": _shown_session(one) if entry.kind == "session" else None,
        "closure_id": entry.id if entry.kind == "closure" else None,
    }


def _shown_session(one: resource_calendars.Shown) -> dict[str, object]:
    return {
        "id": one.entry.id,
        "service_id": one.entry.service_id,
        "seats": one.entry.seats,
        "seats_taken": one.entry.seats_taken,
        "appointments": [
            {
                "id": guest.appointment_id,
                "status": guest.status,
                "customer_id": guest.customer_id,
                "seats": guest.seats,
                "version": guest.version,
            }
            for guest in one.guests
        ],
    }
