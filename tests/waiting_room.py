"""A desk with a waitlist, for the tests of those who wait."""

from typing import Any
from uuid import UUID

from application.visits import Cancel, cancel
from application.waiting import Join, join
from domain.appointment import Appointment
from domain.permissions import Actor
from domain.service import Requirement
from domain.waitlist import Waitlist, WaitlistEntry, WaitlistOffered, waitlist_id
from tests.desk import HOUR, MINUTE, MONDAY, NINE, SEED, Desk

HALF_HOUR = 30 * MINUTE
MORNING = ((NINE, NINE + HOUR),)
"""Room for one visit."""
ALL_MONDAY = ((NINE, NINE + 8 * HOUR),)


class Queue:
    """A desk with one room, a service of an hour, and a waitlist."""

    def __init__(self, *, seed: UUID = SEED, desk: Desk | None = None, **terms: Any) -> None:
        self.desk = desk or Desk(now=MONDAY, seed=seed)
        self.room = self.desk.resource("room")
        self.service = self.desk.service(Requirement(kind="room"), slot_step_min=30, **terms)

    def joined(self, *, customer_id: UUID | None = None, actor: Actor | None = None, **wish: Any) -> UUID:
        command = Join(
            entry_id=self.desk.new_id(),
            service_id=wish.pop("service_id", self.service),
            customer_id=customer_id or self.desk.customer(),
            windows=wish.pop("windows", MORNING),
            **wish,
        )
        return UUID(str(self.desk.do(join, command, actor)["id"]))

    def cancel(self, visit: Appointment) -> None:
        self.desk.do(cancel, Cancel(appointment_id=visit.id))

    def waitlist(self) -> Waitlist:
        state = self.desk.streams[waitlist_id(self.desk.organization_id)].state
        return state if isinstance(state, Waitlist) else Waitlist(organization_id=self.desk.organization_id)

    def entry(self, entry_id: UUID) -> WaitlistEntry:
        return self.waitlist().require(entry_id)

    def offered(self, entry_id: UUID) -> Appointment | None:
        """The hold behind the entry's offer."""
        offer = self.entry(entry_id).offer
        return self.desk.appointment(offer.appointment_id) if offer else None

    def offers(self) -> list[UUID]:
        """The entries that were ever offered something, in the order of the offers."""
        return [fact.entry_id for _, fact in self.desk.facts if isinstance(fact, WaitlistOffered)]
