"""A visit that was booked without an account: what its visitor has proved, and which link manages it.

Beside the visit, whose version they leave alone. No code, no link and no address is ever in a fact.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import assert_never
from uuid import UUID, uuid5

from domain.appointment import Appointment, Status
from domain.fact import Fact, fact
from domain.refusals import LinkOver, TooManyCodes

VISITOR_HOLD_MIN = 15
"""To open one's mail in. A code lasts ten minutes, and may be asked for again."""
CODES_MAX = 10
"""For one visit, ever. With five tries each, whoever guesses finds one of a million codes once in 20,000 visits."""
LINK_AFTER_VISIT = timedelta(days=30)
"""So long after a visit its link still shows it."""


@fact("visitor.code_requested.v1")
class VisitorCodeRequested(Fact):
    """A code is on its way to the contact that the visitor gave."""

    appointment_id: UUID
    customer_id: UUID
    code_id: UUID


@fact("visitor.contact_verified.v1")
class VisitorContactVerified(Fact):
    """The visitor knew the code that was sent to the contact."""

    appointment_id: UUID


@fact("visitor.link_issued.v1")
class VisitorLinkIssued(Fact):
    """From now on this link manages the visit, and no other."""

    appointment_id: UUID
    link_id: UUID


VisitorFact = VisitorCodeRequested | VisitorContactVerified | VisitorLinkIssued


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """``codes``: how many were asked for. ``link_id``: the link that is good."""

    customer_id: UUID
    codes: int = 0
    is_verified: bool = False
    link_id: UUID | None = None

    def ensure_may_ask(self) -> None:
        """Raises ``TooManyCodes``."""
        if self.codes >= CODES_MAX:
            raise TooManyCodes(CODES_MAX)


class Fate(Enum):
    """What becomes of the personal data of someone who booked without an account."""

    OPEN = auto()
    """The contact may still be proved."""
    KEPT = auto()
    FORGOTTEN = auto()


def visitor_id(appointment_id: UUID) -> UUID:
    """The stream id."""
    return uuid5(appointment_id, "visitor")


def fate(visit: Appointment | None, visitor: Visitor | None, *, now: datetime) -> Fate:
    """A contact that was never proved is forgotten with its hold; unless the house has made a visit of that."""
    if visit is None or visitor is None:
        return Fate.FORGOTTEN  # stored on the way to a booking that was refused
    if visitor.is_verified:
        return Fate.KEPT
    match visit.status:
        case Status.CANCELLED:
            return Fate.FORGOTTEN
        case Status.HELD:
            is_over = visit.held_until is not None and now >= visit.held_until
            return Fate.FORGOTTEN if is_over else Fate.OPEN
        case _:
            return Fate.KEPT


def ensure_link_is_good(visit: Appointment, visitor: Visitor | None, link_id: UUID, *, now: datetime) -> None:
    """Raises ``LinkOver``: another link has taken its place, or the visit was long ago."""
    if visitor is None or visitor.link_id != link_id or now >= visit.visit.end + LINK_AFTER_VISIT:
        raise LinkOver


def evolve(state: Visitor | None, happened: VisitorFact) -> Visitor:
    match happened:
        case VisitorCodeRequested():
            before = state or Visitor(customer_id=happened.customer_id)
            return replace(before, codes=before.codes + 1)
        case VisitorContactVerified():
            assert state
            return replace(state, is_verified=True)
        case VisitorLinkIssued():
            assert state
            return replace(state, link_id=happened.link_id)
        case _:
            assert_never(happened)
