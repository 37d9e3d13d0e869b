"""Why a start can be booked or not, now or at an instant of the past: every rule, and the facts behind it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from uuid import UUID
from zoneinfo import ZoneInfo

from application.claiming import diary_pages, session_resources, suitable_resources
from application.clock import Clock
from application.decision import NotLoaded, Stream, View, evolved
from application.journal import Journal, Recorded
from domain.allocation import Allocation
from domain.booking_page import BookingPage, VisitEntered, booking_page_id, months, period_of
from domain.explaining import Counts, Explanation, Finding, explain, explain_seats
from domain.fact import Fact
from domain.interval import Interval
from domain.location import HolidaysSet, LocationOpened
from domain.organization import Organization
from domain.permissions import Actor, Reach, ensure_may, reach
from domain.pool import PoolChanged, PoolCreated
from domain.refusals import InvalidValue, Refusal, ResourceClosed
from domain.resource import (
    ResourceAdded,
    ResourceClosedFor,
    ResourceReinstated,
    ResourceReopened,
    ResourceRetiredFrom,
    WorkingHoursSet,
)
from domain.resource_day import ResourceDay, SlotClaimed
from domain.rules import Rule
from domain.service import Holder, Service, ServiceOffered, ServiceTermsChanged
from domain.session import SeatsTaken, Session, SessionOpened, session_id

_SET_BY: Mapping[Rule, tuple[type[Fact], ...]] = {
    Rule.RETIREMENT: (ResourceRetiredFrom, ResourceReinstated),
    Rule.CLOSURES: (ResourceReopened,),
    Rule.WORKING_HOURS: (WorkingHoursSet,),
}
"""The facts of a resource by which a rule that allows a start came about; without them, the one that added it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``resource_id``: would a booking that asks for it be given it. ``as_of``: as one would have been told then.

    It is asked for a customer who has no other visits: what holds for one person is not told to others.
    """

    service_id: UUID
    start: datetime
    resource_id: UUID | None = None
    seats: int = 1
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A finding and the recorded facts that it rests on, oldest first: never none."""

    finding: Finding
    facts: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """``asked_at`` is the ``now`` of every rule; ``outcome`` what a booking would have been given then."""

    visit: Interval
    asked_at: datetime
    outcome: Allocation | Refusal
    rules: tuple[Told, ...]


@dataclass(slots=True)
class _Past:
    """Streams as they were at an instant (None: as they are), for a ``View``."""

    journal: Journal
    until: datetime | None
    recorded: dict[UUID, Sequence[Recorded]] = field(default_factory=dict)
    folded: dict[UUID, Stream] = field(default_factory=dict)

    def get(self, stream_id: UUID) -> Stream | None:
        return self.folded.get(stream_id)

    async def load(self, stream_ids: Sequence[UUID]) -> None:
        for stream_id, recorded in (await self.journal.load(stream_ids)).items():
            # A prefix: where clocks differ, a fact may bear an earlier time than the one that it builds on.
            known = list(takewhile(self._was_known, recorded))
            stream = Stream()
            for one in known:
                stream = Stream(one.version, evolved(stream.state, one.fact))
            self.recorded[stream_id], self.folded[stream_id] = known, stream

    def _was_known(self, one: Recorded) -> bool:
        return self.until is None or one.provenance.at <= self.until

    def latest(self, stream_id: UUID, *kinds: type[Fact]) -> Recorded:
        """The last fact of these kinds on a stream that has one."""
        return next(one for one in reversed(self.recorded[stream_id]) if isinstance(one.fact, kinds))

    def making(self, kind: type[VisitEntered | SeatsTaken], appointment_ids: Collection[UUID]) -> list[Recorded]:
        """For each of these appointments the last fact of the kind, on any stream that was read."""
        made = [
            (one.fact.appointment_id, one)
            for recorded in self.recorded.values()
            for one in recorded
            if isinstance(one.fact, kind) and one.fact.appointment_id in appointment_ids
        ]
        return list(dict(sorted(made, key=lambda pair: pair[1].position)).values())


async def explained(journal: Journal, clock: Clock, question: Question, actor: Actor) -> Reasons:
    """The answer of the journal itself, so always of the present, or of ``as_of``.

    Claims are told apart (which fact, so which appointment) for those only who may read all appointments. Raises
    ``Forbidden``, ``NotFound`` (service), ``ResourceNotSuitable`` and ``InvalidValue`` (``as_of`` in the future).
    """
    ensure_may(actor, "slots.read")
    now = clock.now()
    if question.as_of is not None and question.as_of > now:
        raise InvalidValue("as_of", "not in the future")
    past, asked_at = _Past(journal, question.as_of), question.as_of or now
    while True:
        try:
            service, visit, found = _asked(View(past), question, actor, asked_at)
            break
        except NotLoaded as missing:
            await past.load(missing.stream_ids)
    tells_claims = reach(actor, "appointment.read") is Reach.ALL
    return Reasons(
        visit=visit,
        asked_at=asked_at,
        outcome=found.outcome,
        rules=tuple(Told(one, _facts_behind(past, service, one, tells_claims)) for one in found.findings),
    )


def _asked(view: View, question: Question, actor: Actor, now: datetime) -> tuple[Service, Interval, Explanation]:
    """What a booking would look at, and the visit that it would make. Raises ``NotLoaded``."""
    service, start = view.require(Service, question.service_id, actor), question.start
    if not 1 <= question.seats <= service.terms.seats:
        raise InvalidValue("seats", f"between 1 and {service.terms.seats}")
    wanted_ids = (question.resource_id,) if question.resource_id else ()
    counts = _counts(view, service, start, actor)
    session = view.get(Session, session_id(service.id, start)) if service.terms.seats > 1 else None
    if session is not None and session.is_held_at(now):
        resources = session_resources(view, session, wanted_ids, actor)
        found = explain_seats(service, session, resources, counts, seats=question.seats, start=start, now=now)
        return service, session.visit, found
    choices = suitable_resources(view, service, actor, wanted_ids)
    page_ids = diary_pages(choices, service.claim(start))
    pages = dict(zip(page_ids, view.get_all(ResourceDay, page_ids), strict=True))
    return service, service.visit(start), explain(service, choices, pages, counts, start=start, now=now)


def _counts(view: View, service: Service, start: datetime, actor: Actor) -> Counts:
    zone = ZoneInfo(view.require(Organization, actor.organization_id, actor).time_zone)
    limits = [limit for limit in service.terms.booking_limits if limit.per is Holder.SERVICE]
    pages = {}
    for limit in limits:
        page_ids = [booking_page_id(service.id, month) for month in months(*period_of(limit.period, start, zone))]
        pages[limit] = [page for page in view.get_all(BookingPage, page_ids) if page]
    return Counts(limits=limits, pages=pages, zone=zone)


def _facts_behind(past: _Past, service: Service, finding: Finding, tells_claims: bool) -> tuple[Recorded, ...]:
    """The facts that set what the rule speaks of; where nothing was ever set, the one that added the resource."""
    if finding.resource_id is not None and finding.rule is not Rule.ONE_REQUIREMENT:
        return _in_order(*_behind_a_resource(past, service, finding, finding.resource_id, tells_claims))
    terms = past.latest(service.id, ServiceOffered, ServiceTermsChanged)
    match finding.rule:
        case Rule.SUITABLE_RESOURCE if finding.requirement is not None:
            pool_id = service.terms.requirements[finding.requirement].pool_id
            return _in_order(terms, *([past.latest(pool_id, PoolCreated, PoolChanged)] if pool_id else []))
        case Rule.SEATS if finding.stream_id is not None:
            opened = past.latest(finding.stream_id, SessionOpened)
            return _in_order(opened, *(past.making(SeatsTaken, finding.counted) if tells_claims else ()))
        case Rule.BOOKING_LIMITS:
            return _in_order(terms, *(past.making(VisitEntered, finding.counted) if tells_claims else ()))
        case _:
            return (terms,)


def _behind_a_resource(
    past: _Past, service: Service, finding: Finding, resource_id: UUID, tells_claims: bool
) -> Sequence[Recorded]:
    added = past.latest(resource_id, ResourceAdded)
    match finding.rule:
        case Rule.SLOT_GRID:  # the step, and the zone in which it is counted
            return past.latest(service.id, ServiceOffered, ServiceTermsChanged), added
        case Rule.HOLIDAYS:
            location_id = added.fact.location_id if isinstance(added.fact, ResourceAdded) else None
            return (past.latest(location_id, LocationOpened, HolidaysSet) if location_id else added,)
        case Rule.CLOSURES if isinstance(finding.refusal, ResourceClosed):
            return (_closing(past, resource_id, finding.refusal.closure_id),)
        case rule if rule in _SET_BY:
            return (past.latest(resource_id, ResourceAdded, *_SET_BY[rule]),)
        case _:  # the capacity, and what was taken of it
            return added, *(_claiming(past, finding) if tells_claims else ())


def _closing(past: _Past, resource_id: UUID, closure_id: UUID) -> Recorded:
    return next(
        one
        for one in past.recorded[resource_id]
        if isinstance(one.fact, ResourceClosedFor) and one.fact.closure_id == closure_id
    )


def _claiming(past: _Past, finding: Finding) -> list[Recorded]:
    """For each claim that counts the fact that made it what it is."""
    assert finding.stream_id
    latest = {
        one.fact.appointment_id: one for one in past.recorded[finding.stream_id] if isinstance(one.fact, SlotClaimed)
    }
    return [latest[claim.appointment_id] for claim in finding.claims]


def _in_order(*facts: Recorded) -> tuple[Recorded, ...]:
    return tuple(sorted(facts, key=lambda one: one.position))
