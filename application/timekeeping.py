"""What the clock causes. Pure: a fact sets and clears timers, and a timer that is due is a command like any other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID, uuid5

from application.decision import UseCase
from application.journal import Recorded
from application.visits import Lapse, MarkNoShow, Release, Remind, lapse, mark_no_show, release, remind
from domain.account import Role
from domain.appointment import (
    AppointmentApproved,
    AppointmentArrived,
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentConfirmed,
    AppointmentFulfilled,
    AppointmentHeld,
    AppointmentHoldLapsed,
    AppointmentMissed,
    AppointmentReleased,
    AppointmentRequested,
    AppointmentRescheduled,
    Deadlines,
)
from domain.permissions import Actor

TIMEKEEPER_ID = UUID("6b1f3c52-0c53-5a3c-9d6e-7d8f4f3b9a10")
"""The account that the journal names where the clock was the cause; nobody can sign in to it."""


class TimerKind(StrEnum):
    HOLD = "hold"
    """The deadline of a hold, of a request, or of an offer to someone who waits."""
    NO_SHOW = "no_show"
    RELEASE = "release"
    REMINDER = "reminder"


OF_THE_VISIT = frozenset({TimerKind.NO_SHOW, TimerKind.RELEASE, TimerKind.REMINDER})
"""What the clock has in store for a visit that takes place when it is booked for."""
OF_ANY_KIND = frozenset(TimerKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """Something that the clock will cause at ``due_at`` (UTC), never earlier. ``about_id`` is the appointment."""

    id: UUID
    kind: TimerKind
    organization_id: UUID
    about_id: UUID
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Cleared:
    """The timers of these kinds that were set for ``about_id`` have nothing to cause any more."""

    about_id: UUID
    kinds: frozenset[TimerKind]


def timer_changes(recorded: Recorded) -> Iterator[Timer | Cleared]:
    """What a fact changes about timers, in order: those of a visit that moves are cleared before the new ones are set.

    Not every timer that is set will find something to do: a request of which the customer is to be reminded may not
    have been approved by then. The command that the timer is will be refused, and that is that.
    """
    match recorded.fact:
        case AppointmentHeld() | AppointmentRequested() as begun:  # what was a hold may become a request
            yield Cleared(begun.appointment_id, OF_ANY_KIND)
            yield _timer(recorded, begun.appointment_id, TimerKind.HOLD, begun.until)
            yield from _visit_timers(recorded, begun.appointment_id, begun.deadlines)
        case AppointmentBooked(appointment_id=its_id, deadlines=deadlines):
            yield from _visit_timers(recorded, its_id, deadlines)
        case AppointmentRescheduled(appointment_id=its_id, deadlines=deadlines, until=until):
            yield Cleared(its_id, OF_THE_VISIT if until is None else OF_ANY_KIND)
            if until is not None:
                yield _timer(recorded, its_id, TimerKind.HOLD, until)
            yield from _visit_timers(recorded, its_id, deadlines)
        case AppointmentConfirmed(appointment_id=its_id) | AppointmentApproved(appointment_id=its_id):
            yield Cleared(its_id, frozenset({TimerKind.HOLD}))
        case (
            AppointmentCancelled(appointment_id=its_id)
            | AppointmentHoldLapsed(appointment_id=its_id)
            | AppointmentArrived(appointment_id=its_id)
            | AppointmentFulfilled(appointment_id=its_id)
            | AppointmentReleased(appointment_id=its_id)
        ):
            yield Cleared(its_id, OF_ANY_KIND)
        case AppointmentMissed(appointment_id=its_id):  # what it claims is given back in its own time
            yield Cleared(its_id, OF_ANY_KIND - {TimerKind.RELEASE})
        case _:
            pass


def _visit_timers(recorded: Recorded, appointment_id: UUID, deadlines: Deadlines) -> Iterator[Timer]:
    if deadlines.no_show_at:
        yield _timer(recorded, appointment_id, TimerKind.NO_SHOW, deadlines.no_show_at)
    if deadlines.release_at:
        yield _timer(recorded, appointment_id, TimerKind.RELEASE, deadlines.release_at)
    for remind_at in deadlines.remind_at:
        yield _timer(recorded, appointment_id, TimerKind.REMINDER, remind_at)


def _timer(recorded: Recorded, about_id: UUID, kind: TimerKind, due_at: datetime) -> Timer:
    return Timer(
        id=timer_id(about_id, kind, due_at),
        kind=kind,
        organization_id=recorded.provenance.organization_id,
        about_id=about_id,
        due_at=due_at,
    )


def timer_id(about_id: UUID, kind: TimerKind, due_at: datetime) -> UUID:
    return uuid5(about_id, f"timer/{kind}/{due_at.isoformat()}")


@dataclass(frozen=True, slots=True)
class NetChange:
    """What many changes come to: first the timers of ``cleared`` go (by what they are about), then ``set`` are set."""

    cleared: frozenset[tuple[UUID, TimerKind]]
    set: tuple[Timer, ...]


def net_change(changes: Iterable[Timer | Cleared]) -> NetChange:
    """The order in which a timer was set and cleared decides whether it is left."""
    cleared: set[tuple[UUID, TimerKind]] = set()
    left: dict[UUID, dict[UUID, Timer]] = {}
    for change in changes:
        of_the_same = left.setdefault(change.about_id, {})
        if isinstance(change, Timer):
            of_the_same[change.id] = change
        else:
            cleared |= {(change.about_id, kind) for kind in change.kinds}
            left[change.about_id] = {t.id: t for t in of_the_same.values() if t.kind not in change.kinds}
    return NetChange(frozenset(cleared), tuple(timer for timers in left.values() for timer in timers.values()))


@dataclass(frozen=True, slots=True)
class Caused:
    """A command that the clock gives. ``command_id`` is the timer's, so it takes effect once however often it fires."""

    use_case: UseCase[Any]
    command: object
    actor: Actor
    command_id: UUID


def command_of(timer: Timer) -> Caused:
    use_case, command = _use_case_of(timer)
    return Caused(use_case, command, timekeeper(timer.organization_id), uuid5(timer.id, "fires"))


def timekeeper(organization_id: UUID) -> Actor:
    return Actor(account_id=TIMEKEEPER_ID, organization_id=organization_id, subject_id=TIMEKEEPER_ID, role=Role.SERVICE)


def _use_case_of(timer: Timer) -> tuple[UseCase[Any], object]:
    match timer.kind:
        case TimerKind.HOLD:
            return lapse, Lapse(appointment_id=timer.about_id)
        case TimerKind.NO_SHOW:
            return mark_no_show, MarkNoShow(appointment_id=timer.about_id)
        case TimerKind.RELEASE:
            return release, Release(appointment_id=timer.about_id)
        case TimerKind.REMINDER:
            return remind, Remind(appointment_id=timer.about_id, remind_at=timer.due_at)
        case _:
            assert_never(timer.kind)
