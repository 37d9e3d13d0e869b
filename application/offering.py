"""Who is offered what has become free: the first of the waitlist whom it suits, in the same decision that released it.

So nobody comes between: a slot that somebody waits for is never free for anyone else, not for a moment.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid5

from application.booking_pages import pages_read
from application.claiming import suitable_resources
from application.decision import Decision, View
from application.placing import Wish, begin, find_place
from domain.appointment import Appointment
from domain.interval import Interval
from domain.permissions import Actor, ensure_may
from domain.refusals import Refusal
from domain.resource import Resource
from domain.resource_day import ClaimReleased, ResourceDay, SlotClaimed
from domain.service import Service
from domain.session import SeatsLeft, Session
from domain.waitlist import (
    Waitlist,
    WaitlistAccepted,
    WaitlistDeclined,
    WaitlistEntry,
    WaitlistOffered,
    WaitlistOfferLapsed,
    waitlist_id,
)
from domain.wall_clock import MINUTE


class Freed(NamedTuple):
    """Time of a resource that somebody may now have; or, with ``service_id``, seats of its session at the start."""

    resource_id: UUID | None
    interval: Interval
    service_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTime:
    """Time that became free without anyone's giving it back: new hours, a resource that reopened, new terms."""

    freed: tuple[Freed, ...]


def offer_time(view: View, command: OfferTime, actor: Actor, now: datetime) -> Decision:
    """What the waitlist's keeper finds free. Nothing happens if it suits nobody, or is taken again already."""
    ensure_may(actor, "waitlist.offer")
    _offer(view, command.freed, actor, now)
    return view.decision({"offers": sum(isinstance(fact, WaitlistOffered) for _, fact in view.facts)})


def offer_released(view: View, actor: Actor, now: datetime) -> None:
    """Offer what this decision has released so far."""
    freed = list(_released(view))
    if freed:
        _offer(view, freed, actor, now)


def _released(view: View) -> Iterator[Freed]:
    for stream_id, fact in view.facts:
        match fact:
            case ClaimReleased():
                yield Freed(fact.resource_id, fact.claim)
            case SlotClaimed():
                page = view.before(ResourceDay, stream_id)
                before = page.claim_of(fact.appointment_id) if page else None
                if before and not fact.claim.contains(before.interval):
                    yield Freed(fact.resource_id, before.interval)  # moved within its page
            case SeatsLeft():
                session = view.before(Session, stream_id)
                if session:
                    yield Freed(None, session.visit, session.service_id)


def _offer(view: View, freed: Sequence[Freed], actor: Actor, now: datetime) -> None:
    to_come = [one for one in freed if one.interval.end > now]
    waitlist = view.get(Waitlist, waitlist_id(actor.organization_id))
    if not to_come or waitlist is None:
        return
    waiting = [entry for entry in waitlist.entries if entry.offer is None and _may_suit(entry, to_come)]
    view.prepare([entry.service_id for entry in waiting])
    for entry in waiting:
        service = view.require(Service, entry.service_id, actor)
        for start in _starts(view, entry, service, to_come, actor):
            if _offered(view, entry, service, start, actor, now):
                break


NEAR = timedelta(days=9)
"""No visit with its buffers takes longer."""


def _may_suit(entry: WaitlistEntry, freed: Sequence[Freed]) -> bool:
    """A first look that costs no reading: a visit that takes freed time lies near it, so some window does."""
    return any(
        window.overlaps(one.interval.widened(before=NEAR, after=NEAR))
        for window in entry.windows
        for one in freed
        if one.service_id in {None, entry.service_id}
    )


def _starts(view: View, entry: WaitlistEntry, service: Service, freed: Sequence[Freed], actor: Actor) -> list[datetime]:
    """The starts within the entry's windows of visits that would take some of what was freed, earliest first."""
    wanted = (entry.resource_id,) if entry.resource_id else ()
    try:
        candidates = suitable_resources(view, service, actor, wanted)
    except Refusal:
        return []  # nobody could give it any more
    suitable = {resource.id: resource for ones in candidates for resource in ones}
    found: set[datetime] = set()
    for one in freed:
        if one.service_id == entry.service_id:
            found.add(one.interval.start)
        elif one.resource_id in suitable:
            found.update(_on_grid(entry, service, suitable[one.resource_id], one.interval))
    return sorted(start for start in found if entry.suits(service.visit(start)))


def _on_grid(entry: WaitlistEntry, service: Service, resource: Resource, freed: Interval) -> Iterator[datetime]:
    terms = service.terms
    first = freed.start - timedelta(minutes=terms.duration_min + terms.buffer_after_min) + MINUTE
    last = freed.end + timedelta(minutes=terms.buffer_before_min) - MINUTE
    for window in entry.windows:
        start = max(first, window.start).replace(second=0, microsecond=0)
        end = min(last, window.end - timedelta(minutes=terms.duration_min))
        while start <= end:
            if service.is_on_grid(start, resource.zone):
                yield start
            start += MINUTE


def _offered(view: View, entry: WaitlistEntry, service: Service, start: datetime, actor: Actor, now: datetime) -> bool:
    """Whether the entry now has an offer of this start."""
    wish = Wish(
        appointment_id=uuid5(entry.id, f"offer/{start.isoformat()}"),
        service=service,
        customer_id=entry.customer_id,
        start=start,
        resource_ids=(entry.resource_id,) if entry.resource_id else (),
        seats=entry.seats,
        until=min(now + timedelta(minutes=service.terms.offer_min), start),
        is_hold=True,
        entry_id=entry.id,
    )
    view.prepare(pages_read(view, wish, actor))
    try:
        with view.attempt():
            view.ensure_new(Appointment, wish.appointment_id)
            place = find_place(view, wish, actor, now)
            begin(view, wish, place, actor, now)
    except Refusal:
        return False
    assert wish.until
    offered = WaitlistOffered(
        entry_id=entry.id, appointment_id=wish.appointment_id, visit=place.visit, until=wish.until
    )
    view.record(waitlist_id(actor.organization_id), offered)
    return True


def accept_offer(view: View, visit: Appointment, actor: Actor) -> None:
    """The visit was an offer, and is taken: its entry waits no more."""
    if visit.entry_id is not None and _stands(view, visit, actor):
        accepted = WaitlistAccepted(entry_id=visit.entry_id, appointment_id=visit.id)
        view.record(waitlist_id(actor.organization_id), accepted)


def pass_offer(view: View, visit: Appointment, actor: Actor, *, lapsed: bool) -> None:
    """The visit was an offer, and is let go: its entry keeps its place, but is not offered that start again."""
    if visit.entry_id is not None and _stands(view, visit, actor):
        passed = WaitlistOfferLapsed if lapsed else WaitlistDeclined
        fact = passed(entry_id=visit.entry_id, appointment_id=visit.id)
        view.record(waitlist_id(actor.organization_id), fact)


def _stands(view: View, visit: Appointment, actor: Actor) -> bool:
    """Whether the waitlist still has this visit for its entry's offer: later it is an appointment like any other."""
    waitlist = view.get(Waitlist, waitlist_id(actor.organization_id))
    entry = waitlist.entry(visit.entry_id) if waitlist and visit.entry_id else None
    return entry is not None and entry.offer is not None and entry.offer.appointment_id == visit.id
