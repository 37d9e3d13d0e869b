"""Reminders of a visit that were due: beside the visit, whose version they leave alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID, uuid5

from domain.fact import Fact, fact


@fact("reminder.due.v1")
class ReminderDue(Fact):
    """The time has come to remind the customer. ``remind_at`` is the deadline that it was."""

    appointment_id: UUID
    remind_at: datetime


ReminderFact = ReminderDue


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminders:
    """Those of one visit that were due."""

    due: frozenset[datetime]


def reminders_id(appointment_id: UUID) -> UUID:
    """The stream id."""
    return uuid5(appointment_id, "reminders")


def evolve(state: Reminders | None, happened: ReminderFact) -> Reminders:
    match happened:
        case ReminderDue():
            return Reminders(due=(state.due if state else frozenset()) | {happened.remind_at})
        case _:
            assert_never(happened)
