"""Why a start can be booked or not: each rule asked by itself, and all together as a booking asks them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.allocation import Allocation, Choice, Pages, allocate, pages_touched
from domain.booking_page import BookingPage, Visit, counted, reached
from domain.interval import Interval
from domain.matching import Matching
from domain.refusals import BookingLimitReached, NothingOffersThis, Refusal, TooFarAhead, TooSoon
from domain.resource import Resource
from domain.resource_day import Claim, ResourceDay, claim
from domain.rules import Rule, rule_of
from domain.service import BookingLimit, Service
from domain.session import Session, Taker, take_seats

NOBODY = UUID(int=0)
"""The appointment for which one asks: it has no claim on any page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule says about a start: ``refusal`` is None if it allows it.

    ``decisive``: no other resource makes up for it. ``requirement`` is the index of the requirement that the rule was
    asked for, None for the rules of the whole service; ``resource_id`` the candidate, None for the rules of all.
    Of ``CAPACITY`` there is one finding for each diary page (``stream_id``), with the ``claims`` that count there; of
    ``BOOKING_LIMITS`` one for each limit, with the appointments that it has ``counted``; of ``SEATS`` one for the
    session (``stream_id``), with the appointments that have one.
    """

    rule: Rule
    refusal: Refusal | None = None
    decisive: bool = False
    requirement: int | None = None
    resource_id: UUID | None = None
    stream_id: UUID | None = None
    claims: tuple[Claim, ...] = ()
    counted: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Explanation:
    """``outcome`` is what a booking would be given: its claims, or the refusal that it would raise."""

    findings: tuple[Finding, ...]
    outcome: Allocation | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What limits a service as a whole: its booking pages around the start, in the organization's ``zone``."""

    limits: Sequence[BookingLimit]
    pages: Mapping[BookingLimit, Sequence[BookingPage]]
    zone: ZoneInfo


def explain(
    service: Service,
    choices: Sequence[Choice[Resource]],
    pages: Pages,
    counts: Counts,
    *,
    start: datetime,
    now: datetime,
) -> Explanation:
    """Every rule's word on a new visit at ``start``, also of those that a booking would not come to ask.

    ``choices`` as for ``allocate``. A booking is refused exactly if there is a decisive finding; the type of its
    refusal is among theirs.
    """
    timely = list(_of_time(service, start, now))
    limits = list(_of_limits(service, counts, start, now))
    outcome = _refusal_of(timely) or _allotted(service, choices, pages, start, now)
    if isinstance(outcome, Allocation):
        outcome = _refusal_of(limits) or outcome
    asked = _Asked(service, choices, pages, start, now)
    return Explanation((*timely, *asked.findings(), *limits), outcome)


def explain_seats(
    service: Service,
    session: Session,
    resources: Sequence[Resource],
    counts: Counts,
    *,
    seats: int,
    start: datetime,
    now: datetime,
) -> Explanation:
    """The same where the visit would join a session, whose ``resources`` are in the order of its allotments."""
    timely = list(_of_time(service, start, now))
    opened = [
        replace(finding, requirement=place, resource_id=resource.id, decisive=finding.refusal is not None)
        for place, resource in enumerate(resources)
        for finding in _of_opening(resource, session.claim)
    ]
    full = _refusal_by(lambda: take_seats(session, Taker(NOBODY, seats, None), now=now))
    takers = frozenset(taker.appointment_id for taker in session.takers if taker.counts_at(now))
    seated = Finding(rule=Rule.SEATS, refusal=full, decisive=full is not None, stream_id=session.id, counted=takers)
    limits = list(_of_limits(service, counts, start, now))
    findings = (*timely, *opened, seated, *limits)
    return Explanation(findings, _refusal_of(findings) or Allocation(session.allotments, ()))


def _allotted(
    service: Service, choices: Sequence[Choice[Resource]], pages: Pages, start: datetime, now: datetime
) -> Allocation | Refusal:
    try:
        return allocate(service, choices, pages, appointment_id=NOBODY, start=start, until=None, now=now)
    except Refusal as refusal:
        return refusal


def _of_time(service: Service, start: datetime, now: datetime) -> Iterator[Finding]:
    reasons = list(service.reasons_against(start, now=now))
    soon = next((reason for reason in reasons if isinstance(reason, TooSoon)), None)
    if start < now:
        soon = TooSoon(now)  # whatever the service says, the past is past
    far = next((reason for reason in reasons if isinstance(reason, TooFarAhead)), None)
    yield Finding(rule=Rule.MIN_NOTICE, refusal=soon, decisive=soon is not None)
    yield Finding(rule=Rule.MAX_ADVANCE, refusal=far, decisive=far is not None)


def _of_limits(service: Service, counts: Counts, start: datetime, now: datetime) -> Iterator[Finding]:
    wanted = Visit(NOBODY, service.id, service.visit(start), None, is_hold=False, may_overlap=False)
    for limit in counts.limits:
        pages = counts.pages[limit]
        first = reached(limit, pages, wanted, counts.zone, now=now)
        full = BookingLimitReached(limit.per, limit.period, limit.count, first) if first else None
        others = counted(limit, pages, wanted, counts.zone, now=now)
        yield Finding(rule=Rule.BOOKING_LIMITS, refusal=full, decisive=full is not None, counted=others)


@dataclass(slots=True)
class _Asked:
    """The rules about resources, asked of every candidate of every requirement."""

    service: Service
    choices: Sequence[Choice[Resource]]
    pages: Pages
    start: datetime
    now: datetime
    said: dict[tuple[int, UUID], list[Finding]] = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        for place, choice in enumerate(self.choices):
            for resource in choice.candidates:
                self.said[place, resource.id] = list(self._of_a_candidate(place, resource))
        serving, unmet = self._matched()
        for place in range(len(self.choices)):
            for finding in self._of_a_requirement(place, serving):
                decisive = place in unmet and finding.refusal is not None
                yield replace(finding, requirement=place, decisive=decisive)

    def _matched(self) -> tuple[Mapping[UUID, int], frozenset[int]]:
        """Who serves where; and the requirements that compete for too few who could."""
        outcome = _allotted(self.service, self.choices, self.pages, self.start, self.now)
        if isinstance(outcome, Allocation):
            return {allotment.resource_id: place for place, allotment in enumerate(outcome.allotments)}, frozenset()
        matching = Matching(lambda place: [one.id for one in self.choices[place].candidates], self._is_free)
        unmet: set[int] = set()
        for place in range(len(self.choices)):
            unmet |= matching.meet(place)
        return matching.place_of, frozenset(unmet)

    def _is_free(self, place: int, resource_id: UUID) -> bool:
        return all(finding.refusal is None for finding in self.said[place, resource_id])

    def _of_a_requirement(self, place: int, serving: Mapping[UUID, int]) -> Iterator[Finding]:
        none = NothingOffersThis(self.service.id, self.service.terms.requirements[place].kind)
        resource_ids = [one.id for one in self.choices[place].candidates]
        anyone = any(serving.get(resource_id, place) == place for resource_id in resource_ids)
        yield Finding(rule=Rule.SUITABLE_RESOURCE, refusal=None if anyone else none)
        for resource_id in resource_ids:
            if serving.get(resource_id, place) != place and self._is_free(place, resource_id):
                yield Finding(rule=Rule.ONE_REQUIREMENT, refusal=none, resource_id=resource_id)
            else:
                yield from self.said[place, resource_id]

    def _of_a_candidate(self, place: int, resource: Resource) -> Iterator[Finding]:
        off = _refusal_by(lambda: self.service.ensure_on_grid(self.start, resource.zone))
        wanted, quantity = self.service.claim(self.start), self.service.terms.requirements[place].quantity
        findings = [Finding(rule=Rule.SLOT_GRID, refusal=off), *_of_opening(resource, wanted)]
        for stream_id, day, part in pages_touched(resource, wanted):
            page = self.pages[stream_id] or ResourceDay(resource_id=resource.id, day=day)
            ask = Claim(NOBODY, part, quantity, None)
            capacity = Finding(
                rule=Rule.CAPACITY,
                refusal=_taken(page, ask, resource.capacity, self.now),
                stream_id=stream_id,
                claims=tuple(page.claims_against(part, now=self.now)),
            )
            findings.append(capacity)
        return (replace(finding, resource_id=resource.id) for finding in findings)


def _taken(page: ResourceDay, ask: Claim, capacity: int, now: datetime) -> Refusal | None:
    return _refusal_by(lambda: claim(page, ask, capacity=capacity, now=now))


def _of_opening(resource: Resource, wanted: Interval) -> Iterator[Finding]:
    """A finding for each reason why it is not open; one for each rule that has none."""
    reasons = list(resource.reasons_against(wanted))
    for rule in (Rule.RETIREMENT, Rule.CLOSURES, Rule.HOLIDAYS, Rule.WORKING_HOURS):
        against = [reason for reason in reasons if rule_of(reason) is rule]
        if not against:
            yield Finding(rule=rule)
        yield from (Finding(rule=rule, refusal=reason) for reason in against)


def _refusal_of(findings: Iterable[Finding]) -> Refusal | None:
    """What a booking that asks these rules in order is answered."""
    return next((finding.refusal for finding in findings if finding.refusal), None)


def _refusal_by(rule: Callable[[], object]) -> Refusal | None:
    try:
        rule()
    except Refusal as refusal:
        return refusal
    return None
