"""What becomes of a visit that was booked: confirmed, approved, cancelled, attended or not. One function per move."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from application.decision import Decision, View
from application.offering import accept_offer, offer_released, pass_offer
from application.placing import leave, settle
from domain import lifecycle
from domain.appointment import Appointment, AppointmentFact
from domain.permissions import Actor, ensure_may
from domain.refusals import InvalidValue, NotFound
from domain.reminder import ReminderDue, Reminders, reminders_id
from domain.rules import OVERRIDABLE, Rule
from domain.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    appointment_id: UUID
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """What the clock causes when the deadline of a hold, a request or an offer passes."""

    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIn:
    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfil:
    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkNoShow:
    """By the front desk, or by the clock where the service's terms say so."""

    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What the clock causes when nobody has checked in in time."""

    appointment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """What the clock causes when the time for a reminder has come."""

    appointment_id: UUID
    remind_at: datetime


def appointment_answer(state: Appointment, version: int) -> dict[str, object]:
    """An appointment as the contract shows it; members without a value are left out."""
    answer: dict[str, object] = {
        "id": state.id,
        "status": state.status.value,
        "service_id": state.service_id,
        "customer_id": state.customer_id,
        "start": state.visit.start,
        "end": state.visit.end,
        "resource_ids": [allotment.resource_id for allotment in state.allotments],
        "seats": state.seats,
        "version": version,
    }
    if state.held_until is not None:
        answer["held_until"] = state.held_until
    if state.session_id is not None:
        answer["session_id"] = state.session_id
    if state.occurrence is not None:
        answer["series_id"] = state.occurrence.series_id
        answer["recurrence_id"] = state.occurrence.recurrence_id
    if state.entry_id is not None:
        answer["waitlist_entry_id"] = state.entry_id
    if state.overridden:
        answer["overridden"] = state.overridden
    return answer


def confirm(view: View, command: Confirm, actor: Actor, now: datetime) -> Decision:
    """The hold becomes a booking, or a request where the house approves each; so do its claims."""
    visit = visit_for(view, command.appointment_id, actor, "appointment.confirm")
    service = view.require(Service, visit.service_id, actor)
    if service.terms.approval_required:
        requested = lifecycle.request(visit, now=now)
        view.record(visit.id, requested)
        settle(view, visit, actor, now, until=requested.until)
    else:
        view.record(visit.id, lifecycle.confirm(visit, now=now))
        settle(view, visit, actor, now)
    accept_offer(view, visit, actor)
    return visit_decision(view, visit.id)


def approve(view: View, command: Approve, actor: Actor, now: datetime) -> Decision:
    visit = visit_for(view, command.appointment_id, actor, "appointment.approve")
    view.record(visit.id, lifecycle.approve(visit, now=now))
    settle(view, visit, actor, now)
    return visit_decision(view, visit.id)


def cancel(view: View, command: Cancel, actor: Actor, now: datetime) -> Decision:
    visit = visit_for(view, command.appointment_id, actor, "appointment.cancel")
    view.ensure_version(visit.id, command.if_version)
    service = view.require(Service, visit.service_id, actor)
    view.record(visit.id, lifecycle.cancel(visit, notice=notice_for(service, actor), now=now))
    give_back(view, visit, actor, now)
    return visit_decision(view, visit.id)


def lapse(view: View, command: Lapse, actor: Actor, now: datetime) -> Decision:
    visit = visit_for(view, command.appointment_id, actor, "appointment.lapse")
    view.record(visit.id, lifecycle.lapse(visit, now=now))
    give_back(view, visit, actor, now, lapsed=True)
    return visit_decision(view, visit.id)


def release(view: View, command: Release, actor: Actor, now: datetime) -> Decision:
    visit = visit_for(view, command.appointment_id, actor, "appointment.release")
    view.record(visit.id, lifecycle.release(visit, now=now))
    give_back(view, visit, actor, now)
    return visit_decision(view, visit.id)


def check_in(view: View, command: CheckIn, actor: Actor, now: datetime) -> Decision:
    return _moved_on(view, command.appointment_id, actor, "check_in", lambda visit: lifecycle.check_in(visit, now=now))


def fulfil(view: View, command: Fulfil, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001  as every use case
    return _moved_on(view, command.appointment_id, actor, "fulfil", lifecycle.fulfil)


def mark_no_show(view: View, command: MarkNoShow, actor: Actor, now: datetime) -> Decision:
    """The claim stays: the resource was kept free for someone who did not come."""
    return _moved_on(
        view, command.appointment_id, actor, "no_show", lambda visit: lifecycle.mark_no_show(visit, now=now)
    )


def remind(view: View, command: Remind, actor: Actor, now: datetime) -> Decision:
    """The reminder stands beside the visit: it leaves its version alone, so it makes nobody's ETag stale."""
    visit = visit_for(view, command.appointment_id, actor, "appointment.remind")
    lifecycle.ensure_may_remind(visit, command.remind_at, now=now)
    its_id = reminders_id(visit.id)
    reminders = view.get(Reminders, its_id)
    if reminders is None or command.remind_at not in reminders.due:
        view.record(its_id, ReminderDue(appointment_id=visit.id, remind_at=command.remind_at))
    return visit_decision(view, visit.id)


def give_back(view: View, visit: Appointment, actor: Actor, now: datetime, *, lapsed: bool = False) -> None:
    """What the visit claimed goes to whoever has waited longest for it."""
    leave(view, visit, actor, now)
    pass_offer(view, visit, actor, lapsed=lapsed)
    offer_released(view, actor, now)


def visit_for(view: View, appointment_id: UUID, actor: Actor, operation: str) -> Appointment:
    """The appointment, if the actor may see it at all (else it is not found) and may do this to it."""
    visit = view.require(Appointment, appointment_id, actor)
    if actor.role.is_guest and visit.customer_id != actor.subject_id:
        raise NotFound("appointment", appointment_id)
    ensure_may(actor, operation, subject_id=visit.customer_id, resource_ids=taken_by(visit))
    return visit


def taken_by(visit: Appointment) -> tuple[UUID, ...]:
    """The resources that it takes place on."""
    return tuple(allotment.resource_id for allotment in visit.allotments)


def visit_decision(view: View, appointment_id: UUID) -> Decision:
    """What was recorded, answered with the appointment as it then is."""
    state = view.get(Appointment, appointment_id)
    assert state
    return view.decision(appointment_answer(state, view.version(appointment_id)))


def notice_for(service: Service, actor: Actor) -> timedelta | None:
    """The cancellation notice binds customers; the house may always make room."""
    return timedelta(minutes=service.terms.cancellation_notice_min) if actor.role.is_guest else None


def ensure_may_override(actor: Actor, rules: frozenset[Rule]) -> None:
    """Raises ``Forbidden``, or ``InvalidValue`` for rules that nobody may break."""
    if not rules:
        return
    ensure_may(actor, "appointment.override")
    if not rules <= OVERRIDABLE:
        raise InvalidValue("override", f"of these rules: {', '.join(sorted(OVERRIDABLE))}")


def _moved_on(
    view: View, appointment_id: UUID, actor: Actor, move: str, judge: Callable[[Appointment], AppointmentFact]
) -> Decision:
    visit = visit_for(view, appointment_id, actor, f"appointment.{move}")
    view.record(visit.id, judge(visit))
    return visit_decision(view, visit.id)
