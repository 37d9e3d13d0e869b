"""Appointments: now, then, how they came to be, and lists of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from api.contract import query
from api.notes import Written, folded, written_with
from api.operation import Operation
from api.reading import Asked, Cursor, Limit, Listed, Reading, json_of, moment, page, place_of, shown, whole
from api.shapes import AppointmentShape, AppointmentWithNotesShape, VisitFactShape
from api.values import DayOrInstant, Instant
from application.journal import Recorded
from application.visits import appointment_answer, taken_by
from domain.account import Role
from domain.appointment import Appointment, Status
from domain.permissions import Reach, ensure_may, only_assigned, reach
from domain.refusals import InvalidValue, NotFound
from projections import appointments
from projections.appointments import Appointments, Entry

router = APIRouter(prefix="/v1/appointments", tags=["appointments"], route_class=Operation)

UTC_ZONE = ZoneInfo("UTC")


class Place(msgspec.Struct, array_like=True):
    start: datetime
    id: UUID


@router.get("", **query(Listed[AppointmentShape], "listAppointments", "appointment.read", problems=()))
async def list_appointments(  # noqa: PLR0913, PLR0917  one for each filter
    asked: Asked,
    customer_id: UUID | None = None,
    resource_id: UUID | None = None,
    series_id: UUID | None = None,
    session_id: Annotated[UUID | None, Query(description="Those that have seats of this group appointment.")] = None,
    status: Status | None = None,
    start: Annotated[DayOrInstant | None, Query(description="Visits that start then or later.")] = None,
    end: Annotated[DayOrInstant | None, Query(description="Visits that start before.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """By start. Dates are UTC; customers see their own, whoever is assigned to several resources names one."""
    if reach(asked.actor, "appointment.read") is Reach.OWN:
        customer_id = customer_id or asked.actor.subject_id
    resource_id = resource_id or only_assigned(asked.actor)
    ensure_may(
        asked.actor, "appointment.read", subject_id=customer_id, resource_ids=(resource_id,) if resource_id else ()
    )
    first = moment(start, UTC_ZONE) if start else None
    last = moment(end, UTC_ZONE) if end else None
    if first and last and not first < last:
        raise InvalidValue("end", "after the start")
    place = place_of(cursor, Place)
    await asked.caught_up(Appointments.NAME)
    rows = await appointments.listed(
        asked.reads,
        asked.actor.organization_id,
        customer_id=customer_id,
        resource_id=resource_id,
        series_id=series_id,
        session_id=session_id,
        status=status,
        start=first,
        end=last,
        after=(place.start, place.id) if place else None,
        limit=limit + 1,
    )
    return page(rows, limit, shown_entry, lambda row: (row.appointment.visit.start, row.appointment.id))


def shown_entry(row: Entry) -> dict[str, object]:
    return appointment_answer(row.appointment, row.version)


@router.get("/{appointment_id}", **query(AppointmentWithNotesShape, "getAppointment", "appointment.read", etag=True))
async def get_appointment(
    asked: Asked,
    appointment_id: UUID,
    as_of: Annotated[Instant | None, Query(description="As it was then.")] = None,
    version: Annotated[int | None, Query(ge=1, le=2**31, description="As it was in that version.")] = None,
) -> Response:
    """From the journal, so always as it is now; or as it was at an instant or in a version."""
    if as_of is not None and version is not None:
        raise InvalidValue("version", "not together with as_of")
    recorded = await _visit(asked, appointment_id, "appointment.read")
    if version is not None:
        recorded = recorded[:version] if version <= len(recorded) else []
    elif as_of is not None:
        recorded = [one for one in recorded if one.provenance.at <= as_of]
    visit = folded(recorded)
    if not isinstance(visit, Appointment):
        raise NotFound("appointment", appointment_id)
    answer = appointment_answer(visit, len(recorded))
    first = recorded[:1]
    written = await written_with(asked.ports, asked.actor, visit.customer_id, first)
    if written.notes:
        answer["notes"] = written.notes[first[0].position]
    return shown(answer, version=len(recorded))


@router.get(
    "/{appointment_id}/history", **query(Listed[VisitFactShape], "getAppointmentHistory", "appointment.history")
)
async def get_history(asked: Asked, appointment_id: UUID) -> Response:
    """Every fact of the visit, oldest first: what, when, by whom."""
    recorded = await _visit(asked, appointment_id, "appointment.history")
    visit = folded(recorded)
    assert isinstance(visit, Appointment)
    written = await written_with(asked.ports, asked.actor, visit.customer_id, recorded)
    return whole([_shown_fact(one, written) for one in recorded])


def _shown_fact(one: Recorded, written: Written) -> dict[str, object]:
    shown_fact: dict[str, object] = {
        "position": one.position,
        "stream_id": one.stream_id,
        "version": one.version,
        "topic": one.fact.TOPIC,
        "at": one.provenance.at,
        "actor_id": one.provenance.actor_id,
        "data": json_of(one.fact),
    }
    if one.position in written.notes:
        shown_fact["note"] = written.notes[one.position]
    if one.position in written.reasons:
        shown_fact["override_reason"] = written.reasons[one.position]
    return shown_fact


async def _visit(asked: Reading, appointment_id: UUID, operation: str) -> Sequence[Recorded]:
    """The facts of a visit that the actor may see. Raises ``NotFound``, ``Forbidden``."""
    actor = asked.actor
    recorded = (await asked.ports.journal.load([appointment_id]))[appointment_id]
    visit = folded(recorded)
    if not isinstance(visit, Appointment) or visit.organization_id != actor.organization_id:
        raise NotFound("appointment", appointment_id)
    if actor.role is Role.CUSTOMER and visit.customer_id != actor.subject_id:
        raise NotFound("appointment", appointment_id)
    ensure_may(actor, operation, subject_id=visit.customer_id, resource_ids=taken_by(visit))
    return recorded
