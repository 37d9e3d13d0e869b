"""Booking a visit and moving it. What else may become of it is in ``application.visits``."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from application.decision import Decision, NotLoaded, View
from application.offering import offer_released
from application.placing import Place, Wish, begin, find_place, leave, leave_claims, take
from application.visits import ensure_may_override, notice_for, visit_decision, visit_for
from domain import lifecycle
from domain.account import Customer
from domain.appointment import HOLD_MAX_MIN, Appointment, AppointmentRescheduled, Status
from domain.permissions import Actor, ensure_may
from domain.refusals import InvalidValue
from domain.rules import Rule
from domain.service import Service
from domain.session import session_id
from domain.value import value


@value(frozen=True, slots=True, kw_only=True)
class Book:
    """``resource_ids``: of each requirement's candidates, take these. ``hold_min``: claim only until then.

    ``override``: rules that the house breaks if it has to.
    """

    appointment_id: UUID
    service_id: UUID
    customer_id: UUID
    start: datetime
    resource_ids: tuple[UUID, ...] = ()
    seats: int = 1
    hold_min: int | None = None
    override: frozenset[Rule] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reschedule:
    """Empty ``resource_ids``: the present resources if they are free then, else others that suit."""

    appointment_id: UUID
    start: datetime
    resource_ids: tuple[UUID, ...] = ()
    override: frozenset[Rule] = frozenset()
    if_version: int | None = None


def book(view: View, command: Book, actor: Actor, now: datetime) -> Decision:
    wish = _to_book(view, command, actor, now)
    begin(view, wish, find_place(view, wish, actor, now), actor, now)
    offer_released(view, actor, now)
    return visit_decision(view, command.appointment_id)


def _to_book(view: View, command: Book, actor: Actor, now: datetime) -> Wish:
    ensure_may(actor, "appointment.book", subject_id=command.customer_id, resource_ids=command.resource_ids)
    ensure_may_override(actor, command.override)
    try:
        service = view.require(Service, command.service_id, actor)
        view.require(Customer, command.customer_id, actor)
    except NotLoaded:
        view.prepare([command.service_id, command.customer_id, actor.organization_id])
        raise
    view.ensure_new(Appointment, command.appointment_id)
    until = _hold_deadline(command, now)
    is_hold = until is not None
    if service.terms.approval_required and not is_hold:
        until = command.start
    return Wish(
        appointment_id=command.appointment_id,
        service=service,
        customer_id=command.customer_id,
        start=command.start,
        resource_ids=command.resource_ids,
        seats=command.seats,
        until=until,
        is_hold=is_hold,
        waived=command.override,
    )


def reschedule(view: View, command: Reschedule, actor: Actor, now: datetime) -> Decision:
    visit, service = _movable(view, command, actor, now)
    move(view, visit, service, command, actor, now)
    offer_released(view, actor, now)
    return visit_decision(view, visit.id)


def _movable(view: View, command: Reschedule, actor: Actor, now: datetime) -> tuple[Appointment, Service]:
    visit = visit_for(view, command.appointment_id, actor, "appointment.reschedule")
    ensure_may_override(actor, command.override)
    view.ensure_version(visit.id, command.if_version)
    service = view.require(Service, visit.service_id, actor)
    # The state is judged before the slot: of a cancelled visit one wants to know that it is cancelled.
    lifecycle.ensure_may_move(visit, notice=notice_for(service, actor), now=now)
    return visit, service


def place_for(view: View, command: Book | Reschedule, actor: Actor, now: datetime) -> Place:
    """Where a visit would be put. Raises what booking or moving it raises; the view is not to be decided on then."""
    match command:
        case Book():
            wish = _to_book(view, command, actor, now)
        case Reschedule():
            wish = _to_move(view, *_movable(view, command, actor, now), command, actor, now)
    return find_place(view, wish, actor, now)


def move(
    view: View,
    visit: Appointment,
    service: Service,
    to: Reschedule,
    actor: Actor,
    now: datetime,
    *,
    series_id: UUID | None = None,
) -> None:
    """Record a visit in another place, with what it has: its seats, its deadline if it is a hold."""
    wish = _to_move(view, visit, service, to, actor, now)
    place = find_place(view, wish, actor, now)
    moved = AppointmentRescheduled(
        appointment_id=visit.id,
        visit=place.visit,
        claim=place.claim,
        allotments=place.allotments,
        session_id=place.session_id,
        until=wish.until,
        series_id=series_id,
        overridden=place.overridden,
        deadlines=lifecycle.deadlines(service, place.visit.start, now=now),
    )
    view.record(visit.id, moved)
    leave(view, visit, actor, now, keeping={stream_id for stream_id, _ in place.facts})
    take(view, place)


def _to_move(view: View, visit: Appointment, service: Service, to: Reschedule, actor: Actor, now: datetime) -> Wish:
    if visit.session_id != (session_id(service.id, to.start) if service.terms.seats > 1 else None):
        # What was claimed under another name, be it a session's or its own, would stand in the way, and stay there.
        leave_claims(view, visit, actor, now)
    return Wish(
        appointment_id=visit.id,
        service=service,
        customer_id=visit.customer_id,
        start=to.start,
        resource_ids=to.resource_ids,
        preferred=tuple(allotment.resource_id for allotment in visit.allotments),
        seats=visit.seats,
        until=_deadline_after_move(visit, to.start),
        is_hold=visit.status is Status.HELD,
        waived=to.override,
    )


def _deadline_after_move(visit: Appointment, start: datetime) -> datetime | None:
    """A hold keeps its deadline if the visit begins no earlier; a request waits for approval until it begins."""
    if visit.status is Status.PENDING:
        return start
    return visit.held_until and min(visit.held_until, start)


def _hold_deadline(command: Book, now: datetime) -> datetime | None:
    """A hold ends when its visit would begin, if not before."""
    if command.hold_min is None:
        return None
    if not 1 <= command.hold_min <= HOLD_MAX_MIN:
        raise InvalidValue("hold_min", f"between 1 and {HOLD_MAX_MIN}")
    return min(now + timedelta(minutes=command.hold_min), max(command.start, now))
