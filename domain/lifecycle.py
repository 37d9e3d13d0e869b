"""What may become of a visit: each move a function of its state and ``now``, which answers the fact or refuses."""

from datetime import datetime, timedelta
from uuid import UUID

from domain.appointment import (
    Appointment,
    AppointmentApproved,
    AppointmentArrived,
    AppointmentCancelled,
    AppointmentConfirmed,
    AppointmentFulfilled,
    AppointmentHoldLapsed,
    AppointmentMissed,
    AppointmentReleased,
    AppointmentRequested,
    Deadlines,
    Status,
)
from domain.refusals import CancelledTooLate, HoldLapsed, NotInThatState, TooEarly
from domain.service import Service
from domain.wall_clock import MINUTE

CHECK_IN_OPENS_BEFORE = timedelta(hours=4)
NO_SHOW_GRACE = timedelta(minutes=15)
TENTATIVE = (Status.HELD, Status.PENDING)
"""These have a deadline."""


def confirm(visit: Appointment, *, now: datetime) -> AppointmentConfirmed:
    """Raises ``NotInThatState`` or, past the deadline, ``HoldLapsed``."""
    _ensure(visit, "confirm", Status.HELD)
    _ensure_not_lapsed(visit, now)
    return AppointmentConfirmed(appointment_id=visit.id)


def request(visit: Appointment, *, now: datetime) -> AppointmentRequested:
    """What confirming a hold comes to where the house approves every booking: it is asked for.

    Raises ``NotInThatState`` or, past the deadline or the start, ``HoldLapsed``.
    """
    _ensure(visit, "confirm", Status.HELD)
    _ensure_not_lapsed(visit, now)
    if now >= visit.visit.start:
        raise HoldLapsed(visit.id, visit.visit.start)
    return AppointmentRequested(
        appointment_id=visit.id,
        organization_id=visit.organization_id,
        service_id=visit.service_id,
        customer_id=visit.customer_id,
        visit=visit.visit,
        claim=visit.claim,
        allotments=visit.allotments,
        seats=visit.seats,
        session_id=visit.session_id,
        occurrence=visit.occurrence,
        entry_id=visit.entry_id,
        overridden=visit.overridden,
        deadlines=visit.deadlines,
        until=visit.visit.start,
    )


def approve(visit: Appointment, *, now: datetime) -> AppointmentApproved:
    """Raises ``NotInThatState`` or, past the deadline, ``HoldLapsed``."""
    _ensure(visit, "approve", Status.PENDING)
    _ensure_not_lapsed(visit, now)
    return AppointmentApproved(appointment_id=visit.id)


def ensure_may_move(visit: Appointment, *, notice: timedelta | None, now: datetime) -> None:
    """Raises ``NotInThatState``, ``HoldLapsed`` or ``CancelledTooLate``.

    ``notice`` is the cancellation notice that binds the actor, None where it does not. An offer of the waitlist is of
    one slot: it is accepted or declined, not moved.
    """
    _ensure(visit, "reschedule", Status.HELD, Status.PENDING, Status.BOOKED)
    if visit.status is Status.HELD and visit.entry_id is not None:
        raise NotInThatState(visit.id, visit.status, "reschedule")
    _ensure_not_lapsed(visit, now)
    _ensure_notice(visit, notice, now)


def is_movable(visit: Appointment, *, now: datetime) -> bool:
    """Whether its status lets it be moved or called off; a hold or a request that has lapsed is as good as gone."""
    has_lapsed = visit.held_until is not None and now >= visit.held_until
    return visit.status in (*TENTATIVE, Status.BOOKED) and not has_lapsed


def cancel(
    visit: Appointment, *, notice: timedelta | None, now: datetime, series_id: UUID | None = None
) -> AppointmentCancelled:
    """Raises ``NotInThatState`` or, within the ``notice`` that binds the actor, ``CancelledTooLate``."""
    _ensure(visit, "cancel", Status.HELD, Status.PENDING, Status.BOOKED)
    _ensure_notice(visit, notice, now)
    return AppointmentCancelled(appointment_id=visit.id, series_id=series_id)


def lapse(visit: Appointment, *, now: datetime) -> AppointmentHoldLapsed:
    """Raises ``TooEarly`` before the deadline of the hold or the request."""
    _ensure(visit, "lapse", *TENTATIVE)
    assert visit.held_until
    if now < visit.held_until:
        raise TooEarly(visit.held_until)
    return AppointmentHoldLapsed(appointment_id=visit.id)


def check_in(visit: Appointment, *, now: datetime) -> AppointmentArrived:
    """Raises ``TooEarly`` more than ``CHECK_IN_OPENS_BEFORE`` ahead of the visit."""
    _ensure(visit, "check-in", Status.BOOKED)
    _ensure_open(visit.visit.start - CHECK_IN_OPENS_BEFORE, now)
    return AppointmentArrived(appointment_id=visit.id)


def fulfil(visit: Appointment) -> AppointmentFulfilled:
    _ensure(visit, "fulfil", Status.ARRIVED)
    return AppointmentFulfilled(appointment_id=visit.id)


def mark_no_show(visit: Appointment, *, now: datetime) -> AppointmentMissed:
    """Raises ``TooEarly`` until the service's grace is over; without one, ``NO_SHOW_GRACE`` after the start."""
    _ensure(visit, "no-show", Status.BOOKED)
    _ensure_open(visit.deadlines.no_show_at or visit.visit.start + NO_SHOW_GRACE, now)
    return AppointmentMissed(appointment_id=visit.id)


def release(visit: Appointment, *, now: datetime) -> AppointmentReleased:
    """Nobody checked in, whether or not that was noted. Raises ``TooEarly`` before the service gives them up."""
    _ensure(visit, "release", Status.BOOKED, Status.NOSHOW)
    if visit.deadlines.release_at is None or visit.released:
        raise NotInThatState(visit.id, visit.status, "release")
    _ensure_open(visit.deadlines.release_at, now)
    return AppointmentReleased(appointment_id=visit.id)


def ensure_may_remind(visit: Appointment, remind_at: datetime, *, now: datetime) -> None:
    """Raises ``NotInThatState`` where there is nothing to remind of (any more), ``TooEarly`` before ``remind_at``."""
    _ensure(visit, "remind", Status.BOOKED)
    if remind_at not in visit.deadlines.remind_at or now >= visit.visit.start:
        raise NotInThatState(visit.id, visit.status, "remind")
    _ensure_open(remind_at, now)


def deadlines(service: Service, start: datetime, *, now: datetime) -> Deadlines:
    """What the service's terms have the clock do about a visit that starts then. What is past already is left out."""
    terms = service.terms
    reminders = {start - minutes * MINUTE for minutes in terms.remind_before_min}
    return Deadlines(
        no_show_at=_after(start, terms.no_show_after_min),
        release_at=_after(start, terms.release_after_min),
        remind_at=tuple(sorted([moment for moment in reminders if moment > now])),
    )


def _after(start: datetime, minutes: int | None) -> datetime | None:
    return None if minutes is None else start + minutes * MINUTE


def _ensure(visit: Appointment, operation: str, *allowed: Status) -> None:
    if visit.status not in allowed:
        raise NotInThatState(visit.id, visit.status, operation)


def _ensure_not_lapsed(visit: Appointment, now: datetime) -> None:
    if visit.held_until is not None and now >= visit.held_until:
        raise HoldLapsed(visit.id, visit.held_until)


def _ensure_open(opens_at: datetime, now: datetime) -> None:
    if now < opens_at:
        raise TooEarly(opens_at)


def _ensure_notice(visit: Appointment, notice: timedelta | None, now: datetime) -> None:
    if notice is None or visit.status in TENTATIVE:
        return  # what is not agreed yet may always be given back
    deadline = visit.visit.start - notice
    if now > deadline:
        raise CancelledTooLate(deadline)
