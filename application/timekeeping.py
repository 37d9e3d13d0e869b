"""What the clock causes. Pure: a fact sets or clears a timer, and a timer that is due is a command like any other."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from application.journal import Recorded
from application.visits import Lapse
from domain.account import Role
from domain.appointment import AppointmentCancelled, AppointmentConfirmed, AppointmentHeld, AppointmentHoldLapsed
from domain.permissions import Actor

TIMEKEEPER_ID = UUID("6b1f3c52-0c53-5a3c-9d6e-7d8f4f3b9a10")
"""The account that the journal names where the clock was the cause; nobody can sign in to it."""


class TimerKind(StrEnum):
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """Something that the clock will cause at ``due_at`` (UTC), never earlier."""

    id: UUID
    kind: TimerKind
    organization_id: UUID
    appointment_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Cleared:
    """The timer has nothing to cause any more."""

    timer_id: UUID


def timer_change(recorded: Recorded) -> Timer | Cleared | None:
    """The timer that a fact sets, or clears. A hold that is moved keeps its deadline."""
    match recorded.fact:
        case AppointmentHeld(appointment_id=appointment_id, organization_id=organization_id, until=until):
            return Timer(
                id=timer_id(appointment_id, TimerKind.HOLD),
                kind=TimerKind.HOLD,
                organization_id=organization_id,
                appointment_id=appointment_id,
                due_at=until,
            )
        case (
            AppointmentConfirmed(appointment_id=appointment_id)
            | AppointmentCancelled(appointment_id=appointment_id)
            | AppointmentHoldLapsed(appointment_id=appointment_id)
        ):
            return Cleared(timer_id(appointment_id, TimerKind.HOLD))
        case _:
            return None


def timer_id(appointment_id: UUID, kind: TimerKind) -> UUID:
    return uuid5(appointment_id, f"timer/{kind}")


def command_of(timer: Timer) -> tuple[Lapse, Actor, UUID]:
    """The command, who gives it, and its id: the same however often the timer fires, so it takes effect once."""
    actor = Actor(
        account_id=TIMEKEEPER_ID,
        organization_id=timer.organization_id,
        subject_id=TIMEKEEPER_ID,
        role=Role.SERVICE,
    )
    return Lapse(appointment_id=timer.appointment_id), actor, uuid5(timer.id, "fires")
