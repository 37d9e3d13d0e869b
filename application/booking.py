"""The life of an appointment: one function per business move, each ``(view, command, actor, now) -> Decision``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from application.claiming import allocate_from, claimed_pages, releases, suitable_resources
from application.decision import Decision, View
from domain import appointment as lifecycle
from domain.account import Customer, Role
from domain.appointment import (
    HOLD_MAX_MIN,
    Appointment,
    AppointmentBooked,
    AppointmentFact,
    AppointmentHeld,
    evolve,
)
from domain.fact import Fact
from domain.permissions import Actor, ensure_may
from domain.refusals import InvalidValue, NotFound
from domain.resource_day import claim
from domain.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """``resource_ids``: of each requirement's candidates, take these. ``hold_min``: claim only until then."""

    appointment_id: UUID
    service_id: UUID
    customer_id: UUID
    start: datetime
    resource_ids: tuple[UUID, ...] = ()
    hold_min: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule:
    """Empty ``resource_ids``: the present resources if they are free then, else others that suit."""

    appointment_id: UUID
    start: datetime
    resource_ids: tuple[UUID, ...] = ()
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    appointment_id: UUID
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """What the clock causes when a hold's deadline passes."""

    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIn:
    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfil:
    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkNoShow:
    appointment_id: UUID


def appointment_answer(state: Appointment, version: int) -> dict[str, object]:
    """An appointment as the contract shows it."""
    answer: dict[str, object] = {
        "id": state.id,
        "status": state.status.value,
        "service_id": state.service_id,
        "customer_id": state.customer_id,
        "start": state.visit.start,
        "end": state.visit.end,
        "resource_ids": [allotment.resource_id for allotment in state.allotments],
        "version": version,
    }
    if state.held_until is not None:
        answer["held_until"] = state.held_until
    return answer


def book(view: View, command: Book, actor: Actor, now: datetime) -> Decision:
    ensure_may(actor, "appointment.book", subject_id=command.customer_id)
    service = view.require(Service, command.service_id, actor)
    view.require(Customer, command.customer_id, actor)
    view.ensure_new(Appointment, command.appointment_id)
    service.ensure_bookable_at(command.start, now=now)
    until = _hold_deadline(command.hold_min, now)
    candidates = suitable_resources(view, service, actor, command.resource_ids)
    found = allocate_from(
        view,
        service,
        candidates,
        appointment_id=command.appointment_id,
        start=command.start,
        until=until,
        now=now,
    )
    visit, taken = service.visit(command.start), service.claim(command.start)
    begun: AppointmentHeld | AppointmentBooked
    if until is None:
        begun = AppointmentBooked(
            appointment_id=command.appointment_id,
            organization_id=actor.organization_id,
            service_id=service.id,
            customer_id=command.customer_id,
            visit=visit,
            claim=taken,
            allotments=found.allotments,
        )
    else:
        begun = AppointmentHeld(
            appointment_id=command.appointment_id,
            organization_id=actor.organization_id,
            service_id=service.id,
            customer_id=command.customer_id,
            visit=visit,
            claim=taken,
            allotments=found.allotments,
            until=until,
        )
    return _decision(view, None, command.appointment_id, begun, found.claims)


def confirm(view: View, command: Confirm, actor: Actor, now: datetime) -> Decision:
    """The hold becomes a booking: its claims lose their deadline."""
    visit = _visit(view, command.appointment_id, actor, "appointment.confirm")
    happened = lifecycle.confirm(visit, now=now)
    # The hold has kept everyone else out by this process's clock. By another's, a second ahead, it may have lapsed
    # and the slot been given away; so it is claimed again like any other.
    lasting = [
        (stream_id, claim(page, replace(held, until=None), capacity=capacity, now=now))
        for stream_id, page, held, capacity in claimed_pages(view, visit, actor)
    ]
    return _decision(view, visit, visit.id, happened, lasting)


def reschedule(view: View, command: Reschedule, actor: Actor, now: datetime) -> Decision:
    visit = _visit(view, command.appointment_id, actor, "appointment.reschedule")
    view.ensure_version(visit.id, command.if_version)
    service = view.require(Service, visit.service_id, actor)
    # The state is judged before the slot: of a cancelled visit one wants to know that it is cancelled.
    lifecycle.reschedule(
        visit, to=visit.visit, claim=visit.claim, allotments=visit.allotments, notice=_notice(service, actor), now=now
    )
    service.ensure_bookable_at(command.start, now=now)
    candidates = suitable_resources(view, service, actor, command.resource_ids, visit)
    found = allocate_from(
        view,
        service,
        candidates,
        appointment_id=visit.id,
        start=command.start,
        until=visit.held_until,
        now=now,
    )
    happened = lifecycle.reschedule(
        visit,
        to=service.visit(command.start),
        claim=service.claim(command.start),
        allotments=found.allotments,
        notice=_notice(service, actor),
        now=now,
    )
    kept = {stream_id for stream_id, _ in found.claims}
    released = [(stream_id, fact) for stream_id, fact in releases(view, visit, actor) if stream_id not in kept]
    return _decision(view, visit, visit.id, happened, [*released, *found.claims])


def cancel(view: View, command: Cancel, actor: Actor, now: datetime) -> Decision:
    visit = _visit(view, command.appointment_id, actor, "appointment.cancel")
    view.ensure_version(visit.id, command.if_version)
    service = view.require(Service, visit.service_id, actor)
    happened = lifecycle.cancel(visit, notice=_notice(service, actor), now=now)
    return _decision(view, visit, visit.id, happened, releases(view, visit, actor))


def lapse(view: View, command: Lapse, actor: Actor, now: datetime) -> Decision:
    visit = _visit(view, command.appointment_id, actor, "appointment.lapse")
    happened = lifecycle.lapse(visit, now=now)
    return _decision(view, visit, visit.id, happened, releases(view, visit, actor))


def check_in(view: View, command: CheckIn, actor: Actor, now: datetime) -> Decision:
    visit = _visit(view, command.appointment_id, actor, "appointment.check_in")
    return _decision(view, visit, visit.id, lifecycle.check_in(visit, now=now))


def fulfil(view: View, command: Fulfil, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001  as every use case
    visit = _visit(view, command.appointment_id, actor, "appointment.fulfil")
    return _decision(view, visit, visit.id, lifecycle.fulfil(visit))


def mark_no_show(view: View, command: MarkNoShow, actor: Actor, now: datetime) -> Decision:
    visit = _visit(view, command.appointment_id, actor, "appointment.no_show")
    return _decision(view, visit, visit.id, lifecycle.mark_no_show(visit, now=now))


def _visit(view: View, appointment_id: UUID, actor: Actor, operation: str) -> Appointment:
    """The appointment, if the actor may see it at all (else it is not found) and may do this to it."""
    visit = view.require(Appointment, appointment_id, actor)
    if actor.role is Role.CUSTOMER and visit.customer_id != actor.subject_id:
        raise NotFound("appointment", appointment_id)
    ensure_may(actor, operation, subject_id=visit.customer_id)
    return visit


def _notice(service: Service, actor: Actor) -> timedelta | None:
    """The cancellation notice binds customers; the house may always make room."""
    return timedelta(minutes=service.terms.cancellation_notice_min) if actor.role is Role.CUSTOMER else None


def _hold_deadline(hold_min: int | None, now: datetime) -> datetime | None:
    if hold_min is None:
        return None
    if not 1 <= hold_min <= HOLD_MAX_MIN:
        raise InvalidValue("hold_min", f"between 1 and {HOLD_MAX_MIN}")
    return now + timedelta(minutes=hold_min)


def _decision(
    view: View,
    before: Appointment | None,
    appointment_id: UUID,
    happened: AppointmentFact,
    pages: Sequence[tuple[UUID, Fact]] = (),
) -> Decision:
    """The appointment's fact comes first, so that whoever follows the journal knows the visit before its claims."""
    answer = appointment_answer(evolve(before, happened), view.version(appointment_id) + 1)
    return Decision([(appointment_id, happened), *pages], answer)
