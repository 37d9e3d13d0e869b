"""Those who wait for a slot, in the order in which they came: one stream of facts for an organization, which proves it.

An offer is a hold with a deadline. Whoever declines one, or lets it pass, keeps the place in the queue but is not
offered that start again.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID, uuid5

from domain.fact import Fact, fact
from domain.interval import Interval

WINDOWS_MAX = 50


@fact("waitlist.joined.v1")
class WaitlistJoined(Fact):
    """A visit suits that lies within one of the ``windows``; with ``resource_id``, only on that resource."""

    entry_id: UUID
    organization_id: UUID
    service_id: UUID
    customer_id: UUID
    windows: tuple[Interval, ...]
    resource_id: UUID | None
    seats: int


@fact("waitlist.offered.v1")
class WaitlistOffered(Fact):
    """``appointment_id`` is the hold that backs the offer, until ``until``."""

    entry_id: UUID
    appointment_id: UUID
    visit: Interval
    until: datetime


@fact("waitlist.accepted.v1")
class WaitlistAccepted(Fact):
    entry_id: UUID
    appointment_id: UUID


@fact("waitlist.declined.v1")
class WaitlistDeclined(Fact):
    entry_id: UUID
    appointment_id: UUID


@fact("waitlist.offer_lapsed.v1")
class WaitlistOfferLapsed(Fact):
    entry_id: UUID
    appointment_id: UUID


@fact("waitlist.left.v1")
class WaitlistLeft(Fact):
    """Who waited does so no longer, by their own wish or the house's."""

    entry_id: UUID


@fact("waitlist.ended.v1")
class WaitlistEnded(Fact):
    """The last window has passed."""

    entry_id: UUID


WaitlistFact = (
    WaitlistJoined
    | WaitlistOffered
    | WaitlistAccepted
    | WaitlistDeclined
    | WaitlistOfferLapsed
    | WaitlistLeft
    | WaitlistEnded
)


@dataclass(frozen=True, slots=True)
class Offer:
    appointment_id: UUID
    visit: Interval
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitlistEntry:
    """``offer`` stands until it is taken, declined or lapsed; ``passed`` are the starts that were let go."""

    id: UUID
    service_id: UUID
    customer_id: UUID
    windows: tuple[Interval, ...]
    resource_id: UUID | None
    seats: int
    offer: Offer | None = None
    passed: frozenset[datetime] = frozenset()

    def suits(self, visit: Interval) -> bool:
        """Whether the visit lies within a window and was not let go before."""
        return visit.start not in self.passed and any(window.contains(visit) for window in self.windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waitlist:
    """``entries`` in the order in which they came; who has got a slot or left is not among them."""

    organization_id: UUID
    entries: tuple[WaitlistEntry, ...] = ()

    def entry(self, entry_id: UUID) -> WaitlistEntry | None:
        return next((entry for entry in self.entries if entry.id == entry_id), None)


def waitlist_id(organization_id: UUID) -> UUID:
    """The stream id."""
    return uuid5(organization_id, "waitlist")


def evolve(state: Waitlist | None, happened: WaitlistFact) -> Waitlist:
    if isinstance(happened, WaitlistJoined):
        new = WaitlistEntry(
            id=happened.entry_id,
            service_id=happened.service_id,
            customer_id=happened.customer_id,
            windows=happened.windows,
            resource_id=happened.resource_id,
            seats=happened.seats,
        )
        before = state.entries if state else ()
        return Waitlist(organization_id=happened.organization_id, entries=(*before, new))
    assert state
    entry = state.entry(happened.entry_id)
    if entry is None:
        return state
    match happened:
        case WaitlistOffered():
            offer = Offer(happened.appointment_id, happened.visit, happened.until)
            return _with(state, replace(entry, offer=offer))
        case WaitlistDeclined() | WaitlistOfferLapsed():
            passed = entry.passed | {entry.offer.visit.start} if entry.offer else entry.passed
            return _with(state, replace(entry, offer=None, passed=passed))
        case WaitlistAccepted() | WaitlistLeft() | WaitlistEnded():
            return replace(state, entries=tuple(one for one in state.entries if one.id != entry.id))
        case _:
            assert_never(happened)


def _with(state: Waitlist, changed: WaitlistEntry) -> Waitlist:
    return replace(state, entries=tuple(changed if one.id == changed.id else one for one in state.entries))
