"""Appointments: every move of a visit's life."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.alternatives import ANOTHER_START_MAY_DO, with_alternatives
from api.commanding import Commanded, IfMatch, answered
from api.contract import command
from api.notes import folded, keep_override_reason, keep_visit_note
from api.operation import Operation
from api.shapes import AppointmentShape
from api.values import Body, Count, FreeText, Instant, Nothing, OverridableRule
from application import booking, visits
from domain.appointment import HOLD_MAX_MIN, Appointment
from domain.rules import OVERRIDABLE, Rule
from domain.service import REQUIREMENTS_MAX

router = APIRouter(prefix="/v1/appointments", tags=["appointments"], route_class=Operation)

ResourceIds = Annotated[list[UUID] | None, Field(max_length=REQUIREMENTS_MAX)]


class Overriding(Body):
    """Staff may break ``rules`` knowingly. The appointment records which of them were in the way; its history why."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"rules": ["working_hours", "min_notice"], "reason": "Dr Reis stays longer for this patient"}
        }
    )

    rules: Annotated[list[OverridableRule], Field(min_length=1, max_length=len(OVERRIDABLE))]
    reason: FreeText


class Booking(Body):
    """``seats``: so many of a group appointment. ``hold_min``: claim the slot for so many minutes and confirm within
    them. Where the service asks for approval, the booking is a request first, which claims its slot likewise.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "service_id": "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11",
                "start": "2027-03-01T09:00:00+01:00",
                "customer_id": "a6f5c2de-0d5d-4a5c-9c0e-9b8c7b8a1d22",
                "seats": 1,
                "hold_min": 10,
                "notes": "Comes with a wheelchair",
            }
        }
    )

    service_id: UUID
    start: Instant
    customer_id: UUID
    resource_ids: ResourceIds = None
    seats: Count = 1
    hold_min: Annotated[Count | None, Field(le=HOLD_MAX_MIN)] = None
    override: Overriding | None = None
    notes: FreeText | None = None


class Rescheduling(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "start": "2027-03-01T18:00:00+01:00",
                "override": {"rules": ["working_hours"], "reason": "Dr Reis stays longer for this patient"},
            }
        }
    )

    start: Instant
    resource_ids: ResourceIds = None
    override: Overriding | None = None


class Cancellation(Body):
    model_config = ConfigDict(json_schema_extra={"example": {"reason": "The patient travels that week"}})

    reason: FreeText | None = None


def rules_of(override: Overriding | None) -> frozenset[Rule]:
    return frozenset(override.rules) if override else frozenset()


@router.post("", **command(AppointmentShape, "bookAppointment", "appointment.book", creates=True))
async def book(body: Booking, call: Commanded) -> Response:
    """Book a visit, or hold its slot. A refused start is answered with the nearest free ones."""
    appointment_id = call.new_id("appointment")
    if body.notes is not None:
        await keep_visit_note(
            call, body.notes, "appointment.book", appointment_id=appointment_id, customer_id=body.customer_id
        )
    if body.override is not None:
        await keep_override_reason(
            call, body.override.reason, appointment_id=appointment_id, customer_id=body.customer_id
        )
    wanted = booking.Book(
        appointment_id=appointment_id,
        service_id=body.service_id,
        customer_id=body.customer_id,
        start=body.start,
        resource_ids=tuple(body.resource_ids or ()),
        seats=body.seats,
        hold_min=body.hold_min,
        override=rules_of(body.override),
    )
    try:
        answer = await call.submit(booking.book, wanted)
    except ANOTHER_START_MAY_DO as refusal:
        raise await with_alternatives(call, refusal, wanted, body.service_id, body.seats) from None
    return answered(answer, status=201, location=f"{call.path}/{appointment_id}")


@router.post("/{appointment_id}/confirm", **command(AppointmentShape, "confirmAppointment", "appointment.confirm"))
async def confirm(appointment_id: UUID, call: Commanded, _: Nothing | None = None) -> Response:
    """Turn a hold into a booking, or a request where the service asks for approval, before it lapses."""
    return answered(await call.submit(visits.confirm, visits.Confirm(appointment_id=appointment_id)))


@router.post("/{appointment_id}/approve", **command(AppointmentShape, "approveAppointment", "appointment.approve"))
async def approve(appointment_id: UUID, call: Commanded, _: Nothing | None = None) -> Response:
    """Turn a request into a booking before it lapses, at its start. It is turned down by cancelling it."""
    return answered(await call.submit(visits.approve, visits.Approve(appointment_id=appointment_id)))


@router.post(
    "/{appointment_id}/reschedule",
    **command(AppointmentShape, "rescheduleAppointment", "appointment.reschedule", if_match=True),
)
async def reschedule(appointment_id: UUID, body: Rescheduling, call: Commanded, if_version: IfMatch) -> Response:
    """Move a visit to another start: its present slot is given up only if the new one is had."""
    if body.override is not None:
        await keep_override_reason(call, body.override.reason, appointment_id=appointment_id)
    wanted = booking.Reschedule(
        appointment_id=appointment_id,
        start=body.start,
        resource_ids=tuple(body.resource_ids or ()),
        override=rules_of(body.override),
        if_version=if_version,
    )
    try:
        return answered(await call.submit(booking.reschedule, wanted))
    except ANOTHER_START_MAY_DO as refusal:
        visit = folded((await call.ports.journal.load([appointment_id]))[appointment_id])
        if not isinstance(visit, Appointment):
            raise
        raise await with_alternatives(call, refusal, wanted, visit.service_id, visit.seats) from None


@router.post(
    "/{appointment_id}/cancel", **command(AppointmentShape, "cancelAppointment", "appointment.cancel", if_match=True)
)
async def cancel(
    appointment_id: UUID, call: Commanded, if_version: IfMatch, body: Cancellation | None = None
) -> Response:
    """Cancel a visit, or give a hold back. Customers are bound by the service's cancellation notice."""
    if body and body.reason is not None:
        await keep_visit_note(call, body.reason, "appointment.cancel", appointment_id=appointment_id)
    return answered(
        await call.submit(visits.cancel, visits.Cancel(appointment_id=appointment_id, if_version=if_version))
    )


@router.post("/{appointment_id}/check-in", **command(AppointmentShape, "checkInAppointment", "appointment.check_in"))
async def check_in(appointment_id: UUID, call: Commanded, _: Nothing | None = None) -> Response:
    """The customer has arrived."""
    return answered(await call.submit(visits.check_in, visits.CheckIn(appointment_id=appointment_id)))


@router.post("/{appointment_id}/fulfil", **command(AppointmentShape, "fulfilAppointment", "appointment.fulfil"))
async def fulfil(appointment_id: UUID, call: Commanded, _: Nothing | None = None) -> Response:
    """The visit has taken place."""
    return answered(await call.submit(visits.fulfil, visits.Fulfil(appointment_id=appointment_id)))


@router.post("/{appointment_id}/no-show", **command(AppointmentShape, "markAppointmentNoShow", "appointment.no_show"))
async def mark_no_show(appointment_id: UUID, call: Commanded, _: Nothing | None = None) -> Response:
    """The customer did not come."""
    return answered(await call.submit(visits.mark_no_show, visits.MarkNoShow(appointment_id=appointment_id)))
