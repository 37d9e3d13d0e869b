"""One visit: held, pending, booked, arrived, fulfilled, cancelled, noshow (HL7 FHIR Appointment.status).

``domain.lifecycle`` says which of these follows which.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from domain.fact import Fact, fact
from domain.interval import Interval
from domain.value import value

HOLD_MAX_MIN = 24 * 60


class Status(StrEnum):
    HELD = "held"
    PENDING = "pending"
    """Asked for, and waiting for the house's approval; it claims its slot like a hold."""
    BOOKED = "booked"
    ARRIVED = "arrived"
    FULFILLED = "fulfilled"
    CANCELLED = "cancelled"
    NOSHOW = "noshow"


@value(frozen=True, slots=True)
class Allotment:
    """``quantity`` units of a resource that a visit takes."""

    resource_id: UUID
    quantity: int


@dataclass(frozen=True, slots=True)
class InSeries:
    """Which occurrence of a series a visit is: the wall-clock start that the rule gave it, naive."""

    series_id: UUID
    recurrence_id: datetime


@value(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """What the clock will cause if nobody does first, by the service's terms when the visit was booked or moved."""

    no_show_at: datetime | None = None
    release_at: datetime | None = None
    remind_at: tuple[datetime, ...] = ()


@value(frozen=True, slots=True, kw_only=True)
class Begun(Fact):
    """What every fact tells that begins a visit. ``visit`` is what the customer sees; ``claim`` adds the buffers.

    ``session_id``: the visit has ``seats`` of a group appointment, whose ``allotments`` these are. ``entry_id``: it is
    an offer to that entry of the waitlist. ``overridden``: the rules that the house broke knowingly.
    """

    appointment_id: UUID
    organization_id: UUID
    service_id: UUID
    customer_id: UUID
    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]
    seats: int = 1
    session_id: UUID | None = None
    occurrence: InSeries | None = None
    entry_id: UUID | None = None
    overridden: tuple[str, ...] = ()
    deadlines: Deadlines = Deadlines()


@fact("appointment.held.v1")
class AppointmentHeld(Begun):
    until: datetime


@fact("appointment.requested.v1")
class AppointmentRequested(Begun):
    """The house has to approve it; unless it does until then, the request lapses. A hold may become a request."""

    until: datetime


@fact("appointment.booked.v1")
class AppointmentBooked(Begun):
    pass


@fact("appointment.confirmed.v1")
class AppointmentConfirmed(Fact):
    appointment_id: UUID


@fact("appointment.approved.v1")
class AppointmentApproved(Fact):
    appointment_id: UUID


@fact("appointment.rescheduled.v1")
class AppointmentRescheduled(Fact):
    """``until``: the deadline of a hold or a request from now on. ``series_id``: as part of a change of its series."""

    appointment_id: UUID
    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]
    session_id: UUID | None = None
    until: datetime | None = None
    series_id: UUID | None = None
    overridden: tuple[str, ...] = ()
    deadlines: Deadlines = Deadlines()


@fact("appointment.cancelled.v1")
class AppointmentCancelled(Fact):
    """The reason, if one was given, lives in the vault. ``series_id``: as part of a change of its series."""

    appointment_id: UUID
    series_id: UUID | None = None


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


@fact("appointment.released.v1")
class AppointmentReleased(Fact):
    """Nobody checked in in time: a no-show, and what the visit claimed is given back."""

    appointment_id: UUID


AppointmentFact = (
    AppointmentHeld
    | AppointmentRequested
    | AppointmentBooked
    | AppointmentConfirmed
    | AppointmentApproved
    | AppointmentRescheduled
    | AppointmentCancelled
    | AppointmentHoldLapsed
    | AppointmentArrived
    | AppointmentFulfilled
    | AppointmentMissed
    | AppointmentReleased
)


@value(frozen=True, slots=True, kw_only=True)
class Appointment:
    """``held_until``: the deadline of a hold or of a request. ``released``: what it claimed was given back."""

    id: UUID
    organization_id: UUID
    service_id: UUID
    customer_id: UUID
    status: Status
    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]
    held_until: datetime | None = None
    seats: int = 1
    session_id: UUID | None = None
    occurrence: InSeries | None = None
    entry_id: UUID | None = None
    overridden: tuple[str, ...] = ()
    deadlines: Deadlines = Deadlines()
    released: bool = False

    @property
    def has_claims(self) -> bool:
        """Whether it still takes its resources, or its seats, once it is over too: a visit that was stays written."""
        return self.status is not Status.CANCELLED and not self.released


def evolve(state: Appointment | None, happened: AppointmentFact) -> Appointment:
    match happened:
        case AppointmentHeld():
            return _begun(happened, Status.HELD, happened.until)
        case AppointmentRequested():
            return _begun(happened, Status.PENDING, happened.until)
        case AppointmentBooked():
            return _begun(happened, Status.BOOKED, None)
        case _:
            assert state
            return _evolve(state, happened)


def _begun(happened: Begun, status: Status, until: datetime | None) -> Appointment:
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
        seats=happened.seats,
        session_id=happened.session_id,
        occurrence=happened.occurrence,
        entry_id=happened.entry_id,
        overridden=happened.overridden,
        deadlines=happened.deadlines,
    )


AppointmentChange = (
    AppointmentConfirmed
    | AppointmentApproved
    | AppointmentRescheduled
    | AppointmentCancelled
    | AppointmentHoldLapsed
    | AppointmentArrived
    | AppointmentFulfilled
    | AppointmentMissed
    | AppointmentReleased
)


def _evolve(state: Appointment, happened: AppointmentChange) -> Appointment:  # noqa: PLR0911  one for each fact
    match happened:
        case AppointmentConfirmed() | AppointmentApproved():
            return replace(state, status=Status.BOOKED, held_until=None)
        case AppointmentRescheduled():
            return replace(
                state,
                visit=happened.visit,
                claim=happened.claim,
                allotments=happened.allotments,
                session_id=happened.session_id,
                held_until=happened.until or state.held_until,
                overridden=happened.overridden,
                deadlines=happened.deadlines,
            )
        case AppointmentCancelled() | AppointmentHoldLapsed():
            return replace(state, status=Status.CANCELLED, held_until=None)
        case AppointmentArrived():
            return replace(state, status=Status.ARRIVED)
        case AppointmentFulfilled():
            return replace(state, status=Status.FULFILLED)
        case AppointmentMissed():
            return replace(state, status=Status.NOSHOW)
        case AppointmentReleased():
            return replace(state, status=Status.NOSHOW, released=True)
        case _:
            assert_never(happened)
