"""Who is offered what has become free: the first of the waitlist whom it suits, in the same decision that released it.

So nobody comes between: what somebody waits for and is given back is free for no one else, not for a moment.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from application.booking_pages import entries, pages_read
from application.decision import Decision, NotLoaded, View
from application.placing import Place, Wish, begin, find_place
from application.prospects import Free, FreeTime, FreeVisit, Prospects, near
from domain.appointment import Appointment
from domain.booking_page import period_of
from domain.interval import Interval
from domain.organization import Organization
from domain.permissions import Actor, ensure_may
from domain.refusals import BookingLimitReached, CustomerElsewhere, Refusal
from domain.resource_day import ClaimReleased, ResourceDay, SlotClaimed
from domain.service import Holder, Period, Service
from domain.session import SeatsLeft, Session, SessionOpened
from domain.waitlist import (
    Waitlist,
    WaitlistAccepted,
    WaitlistDeclined,
    WaitlistEntry,
    WaitlistOffered,
    WaitlistOfferLapsed,
    waitlist_id,
)

OFFERS_MAX = 500
"""In one decision."""
WIDENINGS_MAX = 32
"""How often in one decision more time may be drawn in; what would need yet more is left to the waitlist's keeper."""
CUSTOMERS_LOADED = 64
"""Whose pages are loaded at once: mostly the first is given the offer, but each may be elsewhere at the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTime:
    """Visits that became free without anyone's giving them back: new hours, a resource that reopened, new terms."""

    free: tuple[FreeVisit, ...]


def offer_time(view: View, command: OfferTime, actor: Actor, now: datetime) -> Decision:
    """What the waitlist's keeper finds free. Nothing happens if it suits nobody, or is taken again already."""
    ensure_may(actor, "waitlist.offer")
    _offer(view, command.free, actor, now, is_all=True)
    return view.decision({"offers": sum(isinstance(fact, WaitlistOffered) for _, fact in view.facts)})


def offer_released(view: View, actor: Actor, now: datetime) -> None:
    """Offer what this decision has released so far."""
    _offer(view, list(_released(view)), actor, now)


def _released(view: View) -> Iterator[Free]:
    for stream_id, fact in view.facts:
        match fact:
            case ClaimReleased():
                yield FreeTime(fact.resource_id, fact.claim)
            case SlotClaimed():
                page = view.before(ResourceDay, stream_id)
                before = page.claim_of(fact.appointment_id) if page else None
                if before and not (fact.claim.contains(before.interval) and fact.quantity >= before.quantity):
                    yield FreeTime(fact.resource_id, before.interval)  # moved within its page
            case SeatsLeft():
                session = view.before(Session, stream_id)
                if session:
                    yield FreeVisit(session.service_id, session.visit)


def _offer(view: View, free: Sequence[Free], actor: Actor, now: datetime, *, is_all: bool = False) -> None:
    """``is_all``: there is nothing else that could be had by those whom it suits."""
    to_come = list(dict.fromkeys(one for one in free if one.interval.end > now))
    if not to_come:
        return
    prospects = Prospects(view, to_come, actor, now)
    count = 0
    for _ in range(WIDENINGS_MAX + 1):
        waiting = near(_waiting(view, actor, now), prospects.free)
        service_ids = list(dict.fromkeys(entry.service_id for entry in waiting))
        view.prepare(service_ids)
        services = {service_id: view.require(Service, service_id, actor) for service_id in service_ids}
        prospects.load(waiting, services)
        suited = [entry for entry in waiting if prospects.has_any_for(entry)]
        offers = _Offers(view, prospects, suited, services, actor, now, is_all=is_all, count=count)
        more = offers.make()
        if not more:
            return
        # What an offer would take besides may be what someone before it waits for: all are asked again, from the first.
        prospects.free.extend(more)
        count = offers.count


def _waiting(view: View, actor: Actor, now: datetime) -> list[WaitlistEntry]:
    """Who has no offer, in order. An offer whose time is up stands in nobody's way, whether or not the clock has said
    so: whoever let it pass is the first in line for another time.
    """
    waitlist = view.get(Waitlist, waitlist_id(actor.organization_id))
    if waitlist is None:
        return []
    for entry in waitlist.entries:
        if entry.offer and entry.offer.until <= now:
            lapsed = WaitlistOfferLapsed(entry_id=entry.id, appointment_id=entry.offer.appointment_id)
            view.record(waitlist_id(actor.organization_id), lapsed)
    after = view.get(Waitlist, waitlist_id(actor.organization_id))
    assert after
    return [entry for entry in after.entries if entry.offer is None]


@dataclass(slots=True)
class _Offers:
    """The offers of one decision to those who are ``waiting``, in order."""

    view: View
    prospects: Prospects
    waiting: Sequence[WaitlistEntry]
    services: Mapping[UUID, Service]
    actor: Actor
    now: datetime
    is_all: bool
    count: int
    _full: set[tuple[UUID, Period, date]] = field(default_factory=set)
    """Services and periods in which they take no more bookings."""

    def make(self) -> list[Free]:
        """One after another; up to the first that would take time of which nobody before it was asked: that time."""
        for place in range(len(self.waiting)):
            more = self._try_for(place) if self.count < OFFERS_MAX else []
            if more:
                return more
        return []

    def _try_for(self, place: int) -> list[Free]:
        """Offer the entry at this place the first start that it can have."""
        entry = self.waiting[place]
        service = self.services[entry.service_id]
        ruled_out: list[Callable[[datetime], bool]] = [self._is_full(service)]
        for start in self.prospects.starts_for(entry, service):
            if any(is_out(start) for is_out in ruled_out):
                continue
            wish = self._wish(entry, start)
            if not self.prospects.is_to_be_had(wish):
                self.prospects.give_up(entry, start)
                continue
            self._prepare_pages(wish, place)
            try:
                # First what holds for this customer alone: the rest was found before, for all.
                entries(self.view, wish, service.visit(start), self.actor, self.now)
                self.view.ensure_new(Appointment, wish.appointment_id)
                found = find_place(self.view, wish, self.actor, self.now)
            except CustomerElsewhere as refusal:
                ruled_out.append(_overlapping(service, refusal.elsewhere))
            except BookingLimitReached as refusal:
                ruled_out.append(self._reached(service, refusal))
            except Refusal:
                continue
            else:
                return self._beyond(found) or self._make(entry, wish, found)
        return []

    def _beyond(self, place: Place) -> list[Free]:
        """What it would take besides: time, and the session of a start, which is where it was opened, nowhere else."""
        if self.is_all:
            return []
        claims = (FreeTime(f.resource_id, f.claim) for _, f in place.facts if isinstance(f, SlotClaimed))
        opened = (FreeVisit(f.service_id, f.visit) for _, f in place.facts if isinstance(f, SessionOpened))
        return [*self.prospects.beyond(claims), *(one for one in opened if one not in self.prospects.free)]

    def _make(self, entry: WaitlistEntry, wish: Wish, place: Place) -> list[Free]:
        assert wish.until
        begin(self.view, wish, place, self.actor, self.now)
        offered = WaitlistOffered(
            entry_id=entry.id, appointment_id=wish.appointment_id, visit=place.visit, until=wish.until
        )
        self.view.record(waitlist_id(self.actor.organization_id), offered)
        self.count += 1
        return []

    def _wish(self, entry: WaitlistEntry, start: datetime) -> Wish:
        service = self.services[entry.service_id]
        return Wish(
            appointment_id=uuid5(entry.id, f"offer/{start.isoformat()}"),
            service=service,
            customer_id=entry.customer_id,
            start=start,
            resource_ids=(entry.resource_id,) if entry.resource_id else (),
            seats=entry.seats,
            until=min(self.now + timedelta(minutes=service.terms.offer_min), start),
            is_hold=True,
            entry_id=entry.id,
        )

    def _prepare_pages(self, wish: Wish, place: int) -> None:
        """Have the pages in memory that the offer is held against; if they are not, also those of who comes next."""
        its = pages_read(self.view, wish, self.actor)
        try:
            self.view.prepare(its)
        except NotLoaded:
            self.view.prepare([*its, *self._pages_of(self.waiting[place : place + CUSTOMERS_LOADED])])
            raise

    def _pages_of(self, entries: Sequence[WaitlistEntry]) -> Iterator[UUID]:
        for entry in entries:
            start = next(self.prospects.starts_for(entry, self.services[entry.service_id]), None)
            if start is not None:
                yield from pages_read(self.view, self._wish(entry, start), self.actor)

    def _is_full(self, service: Service) -> Callable[[datetime], bool]:
        periods = {limit.period for limit in service.terms.booking_limits if limit.per is Holder.SERVICE}
        if not periods:
            return lambda _: False
        zone = self._zone()
        return lambda start: any(
            (service.id, period, period_of(period, start, zone)[0]) in self._full for period in periods
        )

    def _reached(self, service: Service, refusal: BookingLimitReached) -> Callable[[datetime], bool]:
        period, zone = Period(refusal.period), self._zone()
        if refusal.per == Holder.SERVICE:
            self._full.add((service.id, period, refusal.period_start))
        return lambda start: period_of(period, start, zone)[0] == refusal.period_start

    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.view.require(Organization, self.actor.organization_id, self.actor).time_zone)


def _overlapping(service: Service, elsewhere: Interval) -> Callable[[datetime], bool]:
    return lambda start: service.visit(start).overlaps(elsewhere)


def accept_offer(view: View, visit: Appointment, actor: Actor) -> None:
    """The visit was an offer, and is taken: its entry waits no more."""
    entry = _entry_of(view, visit, actor)
    # Another process, whose clock is ahead, may have said already that the offer lapsed.
    if entry is not None and (entry.offer is None or entry.offer.appointment_id == visit.id):
        accepted = WaitlistAccepted(entry_id=entry.id, appointment_id=visit.id)
        view.record(waitlist_id(actor.organization_id), accepted)


def pass_offer(view: View, visit: Appointment, actor: Actor, *, lapsed: bool) -> None:
    """The visit was an offer, and is let go: its entry keeps its place, but is not offered that time again."""
    entry = _entry_of(view, visit, actor)
    # Once accepted it is an appointment like any other.
    if entry is not None and entry.offer is not None and entry.offer.appointment_id == visit.id:
        passed = WaitlistOfferLapsed if lapsed else WaitlistDeclined
        fact = passed(entry_id=entry.id, appointment_id=visit.id)
        view.record(waitlist_id(actor.organization_id), fact)


def _entry_of(view: View, visit: Appointment, actor: Actor) -> WaitlistEntry | None:
    """The entry that the visit is, or was, an offer to, if that is still on the waitlist."""
    if visit.entry_id is None:
        return None
    waitlist = view.get(Waitlist, waitlist_id(actor.organization_id))
    return waitlist.entry(visit.entry_id) if waitlist else None
