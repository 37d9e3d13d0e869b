"""Those who wait for a slot, in the order in which they came: one stream of facts for an organization, which proves it.

An offer is a hold with a deadline. Whoever declines one, or lets it pass, keeps the place in the queue but is not
offered that time again: the next in line is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID, uuid5

from domain.fact import Fact, fact
from domain.interval import Interval, joined
from domain.refusals import AlreadyWaiting, InvalidValue, NotFound, WaitlistFull
from domain.service import Service

WINDOWS_MAX = 50
ENTRIES_MAX = 10_000
"""Of one organization."""
CUSTOMER_ENTRIES_MAX = 50


@fact("waitlist.joined.v1")
class WaitlistJoined(Fact):
    """A visit suits that lies within one of the ``windows``; with ``resource_id``, only on that resource.

    The windows are sorted, and none touches another.
    """

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
    """``offer`` stands until it is taken, declined or lapsed; ``passed`` are the visits that were let go."""

    id: UUID
    service_id: UUID
    customer_id: UUID
    windows: tuple[Interval, ...]
    resource_id: UUID | None
    seats: int
    offer: Offer | None = None
    passed: tuple[Interval, ...] = ()

    def suits(self, visit: Interval) -> bool:
        """Whether the visit lies within a window, and nothing of its time was let go before."""
        return any(window.contains(visit) for window in self.windows) and not self.has_let_go(visit)

    def has_let_go(self, visit: Interval) -> bool:
        return any(one.overlaps(visit) for one in self.passed)

    def is_over(self, now: datetime) -> bool:
        """Whether it waits for nothing that could still come."""
        return self.offer is None and self.windows[-1].end <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Waitlist:
    """``entries`` in the order in which they came; who has got a slot or left is not among them."""

    organization_id: UUID
    entries: tuple[WaitlistEntry, ...] = ()

    def entry(self, entry_id: UUID) -> WaitlistEntry | None:
        return next((entry for entry in self.entries if entry.id == entry_id), None)

    def require(self, entry_id: UUID) -> WaitlistEntry:
        """Raises ``NotFound``."""
        entry = self.entry(entry_id)
        if entry is None:
            raise NotFound("waitlist_entry", entry_id)
        return entry


def waitlist_id(organization_id: UUID) -> UUID:
    """The stream id."""
    return uuid5(organization_id, "waitlist")


def usable_windows(
    windows: Sequence[tuple[datetime, datetime]], service: Service, *, now: datetime
) -> tuple[Interval, ...]:
    """The windows as an entry keeps them. Raises ``InvalidValue`` for one in which no visit could be had.

    A window may have begun already, as long as what is left of it is long enough.
    """
    terms = service.terms
    earliest = now + timedelta(minutes=terms.min_notice_min)
    latest = now + timedelta(days=terms.max_advance_days, minutes=terms.duration_min)
    if not 1 <= len(windows) <= WINDOWS_MAX:
        raise InvalidValue("windows", f"between 1 and {WINDOWS_MAX}")
    for start, end in windows:
        if end <= start:
            raise InvalidValue("windows", "each ends after it starts")
        if end <= now:
            raise InvalidValue("windows", "in the future")
        if end - max(start, earliest) < timedelta(minutes=terms.duration_min):
            raise InvalidValue("windows", f"each long enough for a visit of {terms.duration_min} minutes from now on")
        if end > latest:
            raise InvalidValue("windows", f"not beyond what can be booked, which is {latest.isoformat()}")
    return tuple(joined(Interval(start, end) for start, end in windows))


def ensure_may_join(waitlist: Waitlist | None, joins: WaitlistJoined) -> None:
    """Raises ``AlreadyWaiting`` for what could get one customer two offers of one time, and ``WaitlistFull``."""
    entries = waitlist.entries if waitlist else ()
    own = [entry for entry in entries if entry.customer_id == joins.customer_id]
    for entry in own:
        if entry.service_id == joins.service_id and _meet(entry.windows, joins.windows):
            raise AlreadyWaiting(entry.id)
    if len(own) >= CUSTOMER_ENTRIES_MAX:
        raise WaitlistFull(CUSTOMER_ENTRIES_MAX)
    if len(entries) >= ENTRIES_MAX:
        raise WaitlistFull(ENTRIES_MAX)


def _meet(some: Iterable[Interval], others: Sequence[Interval]) -> bool:
    return any(one.overlaps(other) for one in some for other in others)


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
            passed = (*entry.passed, entry.offer.visit) if entry.offer else entry.passed
            return _with(state, replace(entry, offer=None, passed=passed))
        case WaitlistAccepted() | WaitlistLeft() | WaitlistEnded():
            return replace(state, entries=tuple(one for one in state.entries if one.id != entry.id))
        case _:
            assert_never(happened)


def _with(state: Waitlist, changed: WaitlistEntry) -> Waitlist:
    return replace(state, entries=tuple(changed if one.id == changed.id else one for one in state.entries))
