"""The life of an appointment: one function per business move, each ``(view, command, actor, now) -> Decision``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from application.decision import Decision, View
from domain import appointment as lifecycle
from domain.account import Customer, Role
from domain.allocation import Allocation, Pages, allocate, pages_touched
from domain.appointment import (
    HOLD_MAX_MIN,
    Appointment,
    AppointmentBooked,
    AppointmentFact,
    AppointmentHeld,
    evolve,
)
from domain.fact import Fact
from domain.interval import Interval
from domain.organization import Directory, directory_id
from domain.permissions import Actor, ensure_may
from domain.refusals import InvalidValue, NotFound, ResourceNotSuitable
from domain.resource import Resource
from domain.resource_day import ResourceDay, make_lasting, release
from domain.service import Requirement, Service


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
    candidates = _suitable(view, service, actor, command.resource_ids)
    found = _allocate(
        view,
        service,
        candidates,
        appointment_id=command.appointment_id,
        start=command.start,
        until=until,
        now=now,
    )
    visit, claim = service.visit(command.start), service.claim(command.start)
    begun: AppointmentHeld | AppointmentBooked
    if until is None:
        begun = AppointmentBooked(
            appointment_id=command.appointment_id,
            organization_id=actor.organization_id,
            service_id=service.id,
            customer_id=command.customer_id,
            visit=visit,
            claim=claim,
            allotments=found.allotments,
        )
    else:
        begun = AppointmentHeld(
            appointment_id=command.appointment_id,
            organization_id=actor.organization_id,
            service_id=service.id,
            customer_id=command.customer_id,
            visit=visit,
            claim=claim,
            allotments=found.allotments,
            until=until,
        )
    return _decision(view, None, command.appointment_id, begun, found.claims)


def confirm(view: View, command: Confirm, actor: Actor, now: datetime) -> Decision:
    """The hold becomes a booking: its claims lose their deadline."""
    visit = _visit(view, command.appointment_id, actor, "appointment.confirm")
    happened = lifecycle.confirm(visit, now=now)
    # The hold has kept everyone else out, so nothing needs to be asked again.
    lasting = [(stream_id, make_lasting(page, visit.id)) for stream_id, page in _claimed_pages(view, visit, actor)]
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
    candidates = _suitable(view, service, actor, command.resource_ids, visit)
    found = _allocate(
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
    released = [(stream_id, fact) for stream_id, fact in _releases(view, visit, actor) if stream_id not in kept]
    return _decision(view, visit, visit.id, happened, [*released, *found.claims])


def cancel(view: View, command: Cancel, actor: Actor, now: datetime) -> Decision:
    visit = _visit(view, command.appointment_id, actor, "appointment.cancel")
    view.ensure_version(visit.id, command.if_version)
    service = view.require(Service, visit.service_id, actor)
    happened = lifecycle.cancel(visit, notice=_notice(service, actor), now=now)
    return _decision(view, visit, visit.id, happened, _releases(view, visit, actor))


def lapse(view: View, command: Lapse, actor: Actor, now: datetime) -> Decision:
    visit = _visit(view, command.appointment_id, actor, "appointment.lapse")
    happened = lifecycle.lapse(visit, now=now)
    return _decision(view, visit, visit.id, happened, _releases(view, visit, actor))


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


def _suitable(
    view: View, service: Service, actor: Actor, wanted_ids: Sequence[UUID], moved: Appointment | None = None
) -> list[list[Resource]]:
    """For each requirement the resources that could meet it, those asked for (or had before) first or alone."""
    candidates = [_candidates(view, requirement, actor) for requirement in service.terms.requirements]
    _ensure_suitable(service, candidates, wanted_ids)
    if wanted_ids:
        wanted = set(wanted_ids)
        # A requirement that none of the wished-for resources suits stays open to all that do.
        return [[r for r in ones if r.id in wanted] or ones for ones in candidates]
    if moved is not None:
        present = {allotment.resource_id for allotment in moved.allotments}
        return [sorted(ones, key=lambda r: r.id not in present) for ones in candidates]
    return candidates


def _allocate(
    view: View,
    service: Service,
    candidates: list[list[Resource]],
    *,
    appointment_id: UUID,
    start: datetime,
    until: datetime | None,
    now: datetime,
) -> Allocation:
    """Load the candidates' diary pages, then let the domain choose."""
    pages = _pages(view, candidates, service.claim(start))
    return allocate(service, candidates, pages, appointment_id=appointment_id, start=start, until=until, now=now)


def _candidates(view: View, requirement: Requirement, actor: Actor) -> list[Resource]:
    if requirement.resource_id is not None:
        return [view.require(Resource, requirement.resource_id, actor)]
    assert requirement.kind is not None
    directory = view.get(Directory, directory_id(actor.organization_id))
    resource_ids = directory.of_kind(requirement.kind) if directory else ()
    return [resource for resource in view.get_all(Resource, resource_ids) if resource is not None]


def _ensure_suitable(service: Service, candidates: Sequence[Sequence[Resource]], wanted_ids: Sequence[UUID]) -> None:
    suitable = {resource.id for ones in candidates for resource in ones}
    for resource_id in wanted_ids:
        if resource_id not in suitable:
            raise ResourceNotSuitable(resource_id, service.id)
    if len(set(wanted_ids)) > len(candidates):
        raise InvalidValue("resource_ids", f"at most {len(candidates)}, one for each requirement")


def _pages(view: View, candidates: Sequence[Sequence[Resource]], wanted: Interval) -> Pages:
    ids = {stream_id for ones in candidates for r in ones for stream_id, _, _ in pages_touched(r, wanted)}
    ordered = tuple(ids)
    return dict(zip(ordered, view.get_all(ResourceDay, ordered), strict=True))


def _releases(view: View, visit: Appointment, actor: Actor) -> list[tuple[UUID, Fact]]:
    return [(stream_id, release(page, visit.id)) for stream_id, page in _claimed_pages(view, visit, actor)]


def _claimed_pages(view: View, visit: Appointment, actor: Actor) -> list[tuple[UUID, ResourceDay]]:
    """The diary pages that hold a claim of the visit, by stream id."""
    resources = [view.require(Resource, allotment.resource_id, actor) for allotment in visit.allotments]
    ids = [stream_id for resource in resources for stream_id, _, _ in pages_touched(resource, visit.claim)]
    pages = zip(ids, view.get_all(ResourceDay, ids), strict=True)
    return [(stream_id, page) for stream_id, page in pages if page and page.claim_of(visit.id)]


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
