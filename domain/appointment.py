"""One visit and its life: held, booked, arrived, fulfilled, cancelled, noshow (HL7 FHIR Appointment.status)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from domain.fact import Fact, fact
from domain.interval import Interval
from domain.refusals import CancelledTooLate, HoldLapsed, NotInThatState, TooEarly

CHECK_IN_OPENS_BEFORE = timedelta(hours=4)
NO_SHOW_GRACE = timedelta(minutes=15)
HOLD_MAX_MIN = 24 * 60


class Status(StrEnum):
    HELD = "held"
    BOOKED = "booked"
    ARRIVED = "arrived"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    NOSHOW = "noshow"


@dataclass(frozen=True, slots=True)
class Allotment:
    """``quantity`` units of a resource that a visit takes."""

    resource_id: UUID
    quantity: int


@fact("appointment.held.v1")
class AppointmentHeld(Fact):
    appointment_id: UUID
    organization_id: UUID
    service_id: UUID
    customer_id: UUID
    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]
    until: datetime


@fact("appointment.booked.v1")
class AppointmentBooked(Fact):
    """``visit`` is what the customer sees; ``claim`` adds the buffers."""

    appointment_id: UUID
    organization_id: UUID
    service_id: UUID
    customer_id: UUID
    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]


@fact("appointment.confirmed.v1")
class AppointmentConfirmed(Fact):
    appointment_id: UUID


@fact("appointment.rescheduled.v1")
class AppointmentRescheduled(Fact):
    appointment_id: UUID
    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]


@fact("appointment.cancelled.v1")
class AppointmentCancelled(Fact):
    """The reason, if one was given, lives in the vault."""

    appointment_id: UUID


@fact("appointment.hold_lapsed.v1")
class AppointmentHoldLapsed(Fact):
    appointment_id: UUID


@fact("appointment.arrived.v1")
class AppointmentArrived(Fact):
    appointment_id: UUID


@fact("appointment.fulfilled.v1")
class AppointmentFulfilled(Fact):
    appointment_id: UUID


@fact("appointment.missed.v1")
class AppointmentMissed(Fact):
    """The customer did not come: a no-show."""

    appointment_id: UUID


AppointmentFact = (
    AppointmentHeld
    | AppointmentBooked
    | AppointmentConfirmed
    | AppointmentRescheduled
    | AppointmentCancelled
    | AppointmentHoldLapsed
    | AppointmentArrived
    | AppointmentFulfilled
    | AppointmentMissed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    id: UUID
    organization_id: UUID
    service_id: UUID
    customer_id: UUID
    status: Status
    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]
    held_until: datetime | None = None

    def _ensure(self, operation: str, *allowed: Status) -> None:
        if self.status not in allowed:
            raise NotInThatState(self.id, self.status, operation)

    def _ensure_not_lapsed(self, now: datetime) -> None:
        if self.held_until is not None and now >= self.held_until:
            raise HoldLapsed(self.id, self.held_until)


def confirm(visit: Appointment, *, now: datetime) -> AppointmentConfirmed:
    """Raises ``NotInThatState`` or, past the deadline, ``HoldLapsed``."""
    visit._ensure("confirm", Status.HELD)
    visit._ensure_not_lapsed(now)
    return AppointmentConfirmed(appointment_id=visit.id)


def reschedule(
    visit: Appointment,
    *,
    to: Interval,
    claim: Interval,
    allotments: tuple[Allotment, ...],
    notice: timedelta | None,
    now: datetime,
) -> AppointmentRescheduled:
    """Move a visit. ``notice`` is the cancellation notice that binds the actor, None where it does not."""
    visit._ensure("reschedule", Status.HELD, Status.BOOKED)
    visit._ensure_not_lapsed(now)
    _ensure_notice(visit, notice, now)
    return AppointmentRescheduled(appointment_id=visit.id, visit=to, claim=claim, allotments=allotments)


def cancel(visit: Appointment, *, notice: timedelta | None, now: datetime) -> AppointmentCancelled:
    """Raises ``NotInThatState`` or, within the ``notice`` that binds the actor, ``CancelledTooLate``."""
    visit._ensure("cancel", Status.HELD, Status.BOOKED)
    _ensure_notice(visit, notice, now)
    return AppointmentCancelled(appointment_id=visit.id)


def lapse(visit: Appointment, *, now: datetime) -> AppointmentHoldLapsed:
    """Raises ``TooEarly`` before the hold's deadline."""
    visit._ensure("lapse", Status.HELD)
    assert visit.held_until
    if now < visit.held_until:
        raise TooEarly(visit.held_until)
    return AppointmentHoldLapsed(appointment_id=visit.id)


def check_in(visit: Appointment, *, now: datetime) -> AppointmentArrived:
    """Raises ``TooEarly`` more than ``CHECK_IN_OPENS_BEFORE`` ahead of the visit."""
    visit._ensure("check-in", Status.BOOKED)
    opens = visit.visit.start - CHECK_IN_OPENS_BEFORE
    if now < opens:
        raise TooEarly(opens)
    return AppointmentArrived(appointment_id=visit.id)


def fulfil(visit: Appointment) -> AppointmentFulfilled:
    visit._ensure("fulfil", Status.ARRIVED)
    return AppointmentFulfilled(appointment_id=visit.id)


def mark_no_show(visit: Appointment, *, now: datetime) -> AppointmentMissed:
    """Raises ``TooEarly`` until ``NO_SHOW_GRACE`` after the start."""
    visit._ensure("no-show", Status.BOOKED)
    opens = visit.visit.start + NO_SHOW_GRACE
    if now < opens:
        raise TooEarly(opens)
    return AppointmentMissed(appointment_id=visit.id)


def _ensure_notice(visit: Appointment, notice: timedelta | None, now: datetime) -> None:
    if notice is None or visit.status is Status.HELD:
        return  # a hold may always be given back
    deadline = visit.visit.start - notice
    if now > deadline:
        raise CancelledTooLate(deadline)


def evolve(state: Appointment | None, happened: AppointmentFact) -> Appointment:
    match happened:
        case AppointmentHeld():
            return _begun(happened, Status.HELD, happened.until)
        case AppointmentBooked():
            return _begun(happened, Status.BOOKED, None)
        case _:
            assert state
            return _evolve(state, happened)


def _begun(happened: AppointmentHeld | AppointmentBooked, status: Status, until: datetime | None) -> Appointment:
    return Appointment(
        id=happened.appointment_id,
        organization_id=happened.organization_id,
        service_id=happened.service_id,
        customer_id=happened.customer_id,
        status=status,
        visit=happened.visit,
        claim=happened.claim,
        allotments=happened.allotments,
        held_until=until,
    )


AppointmentChange = (
    AppointmentConfirmed
    | AppointmentRescheduled
    | AppointmentCancelled
    | AppointmentHoldLapsed
    | AppointmentArrived
    | AppointmentFulfilled
    | AppointmentMissed
)


def _evolve(state: Appointment, happened: AppointmentChange) -> Appointment:
    match happened:
        case AppointmentConfirmed():
            return replace(state, status=Status.BOOKED, held_until=None)
        case AppointmentRescheduled():
            return replace(state, visit=happened.visit, claim=happened.claim, allotments=happened.allotments)
        case AppointmentCancelled() | AppointmentHoldLapsed():
            return replace(state, status=Status.CANCELLED, held_until=None)
        case AppointmentArrived():
            return replace(state, status=Status.ARRIVED)
        case AppointmentFulfilled():
            return replace(state, status=Status.FULFILLED)
        case AppointmentMissed():
            return replace(state, status=Status.NOSHOW)
        case _:
            assert_never(happened)
