"""Why a start can be booked or not: each rule asked by itself, and all together as a booking asks them."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.allocation import Allocation, Pages, allocate, pages_touched
from domain.interval import Interval
from domain.refusals import NothingOffersThis, Refusal, ResourceClosed, TooFarAhead, TooSoon
from domain.resource import Resource
from domain.resource_day import Claim, ResourceDay, claim
from domain.rules import Rule
from domain.service import Requirement, Service

NOBODY = UUID(int=0)
"""The appointment for which one asks: it has no claim on any page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule says about a start: ``refusal`` is None if it allows it.

    ``decisive``: no other resource makes up for it. ``requirement`` is the index of the requirement that the rule was
    asked for, None for the rules of the whole service; ``resource_id`` the candidate, None for the rules of all.
    Of ``CAPACITY`` there is one finding for each diary page, with the ``claims`` that count there.
    """

    rule: Rule
    refusal: Refusal | None = None
    decisive: bool = False
    requirement: int | None = None
    resource_id: UUID | None = None
    page_id: UUID | None = None
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """``outcome`` is what a booking would be given: its claims, or the refusal that it would raise."""

    findings: tuple[Finding, ...]
    outcome: Allocation | Refusal


def explain(
    service: Service, candidates: Sequence[Sequence[Resource]], pages: Pages, *, start: datetime, now: datetime
) -> Explanation:
    """Every rule's word on ``start``, also of those that a booking would not come to ask.

    ``candidates`` as for ``allocate``. A booking is refused exactly if there is a decisive finding; the type of its
    refusal is among theirs.
    """
    findings = list(_of_the_service(service, start, now))
    met: list[int] = []
    taken: frozenset[UUID] = frozenset()
    for place in range(len(candidates)):
        places = (*met, place)
        found = _allotted(_only(service, places), [candidates[p] for p in places], pages, start, now)
        for finding in _of_a_requirement(service, place, candidates[place], taken, pages, start, now):
            unmet = isinstance(found, Refusal) and finding.refusal is not None
            findings.append(replace(finding, requirement=place, decisive=unmet))
        if isinstance(found, Allocation):
            met.append(place)
            taken = frozenset(allotment.resource_id for allotment in found.allotments)
    untimely = _refusal_of(lambda: service.ensure_bookable_at(start, now=now))
    return Explanation(tuple(findings), untimely or _allotted(service, candidates, pages, start, now))


def _allotted(
    service: Service, candidates: Sequence[Sequence[Resource]], pages: Pages, start: datetime, now: datetime
) -> Allocation | Refusal:
    try:
        return allocate(service, candidates, pages, appointment_id=NOBODY, start=start, until=None, now=now)
    except Refusal as refusal:
        return refusal


def _only(service: Service, places: Collection[int]) -> Service:
    """The service with these of its requirements."""
    requirements = tuple(service.terms.requirements[place] for place in places)
    return replace(service, terms=replace(service.terms, requirements=requirements))


def _of_the_service(service: Service, start: datetime, now: datetime) -> Iterator[Finding]:
    hurried = _refusal_of(lambda: service.ensure_bookable_at(start, now=now))
    soon = hurried if isinstance(hurried, TooSoon) else None
    yield Finding(rule=Rule.MIN_NOTICE, refusal=soon, decisive=soon is not None)
    # A notice longer than the horizon would be refused first, and hide the horizon's own word.
    unhurried = replace(service, terms=replace(service.terms, min_notice_min=0))
    late = _refusal_of(lambda: unhurried.ensure_bookable_at(start, now=now))
    far = late if isinstance(late, TooFarAhead) else None
    yield Finding(rule=Rule.MAX_ADVANCE, refusal=far, decisive=far is not None)


def _of_a_requirement(
    service: Service,
    place: int,
    suitable: Sequence[Resource],
    taken: Collection[UUID],
    pages: Pages,
    start: datetime,
    now: datetime,
) -> Iterator[Finding]:
    requirement = service.terms.requirements[place]
    none = NothingOffersThis(service.id, requirement.kind)
    anyone = any(resource.id not in taken for resource in suitable)
    yield Finding(rule=Rule.SUITABLE_RESOURCE, refusal=None if anyone else none)
    for resource in suitable:
        if resource.id in taken:
            yield Finding(rule=Rule.ONE_REQUIREMENT, refusal=none, resource_id=resource.id)
        else:
            for finding in _of_a_candidate(service, requirement, resource, pages, start, now):
                yield replace(finding, resource_id=resource.id)


def _of_a_candidate(
    service: Service, requirement: Requirement, resource: Resource, pages: Pages, start: datetime, now: datetime
) -> Iterator[Finding]:
    wanted = service.claim(start)
    off = _refusal_of(lambda: service.ensure_on_grid(start, resource.zone))
    yield Finding(rule=Rule.SLOT_GRID, refusal=off)
    yield from _of_opening(resource, wanted)
    for stream_id, day, part in pages_touched(resource, wanted):
        page = pages[stream_id] or ResourceDay(resource_id=resource.id, day=day)
        yield Finding(
            rule=Rule.CAPACITY,
            refusal=_taken(page, Claim(NOBODY, part, requirement.quantity, None), resource.capacity, now),
            page_id=stream_id,
            claims=tuple(page.claims_against(part, now=now)),
        )


def _taken(page: ResourceDay, ask: Claim, capacity: int, now: datetime) -> Refusal | None:
    return _refusal_of(lambda: claim(page, ask, capacity=capacity, now=now))


def _of_opening(resource: Resource, wanted: Interval) -> Iterator[Finding]:
    """A finding for each closure in the way; without them, what working hours say, which they would hide."""
    opened = resource
    while isinstance(refusal := _openness(opened, wanted), ResourceClosed):
        yield Finding(rule=Rule.CLOSURES, refusal=refusal)
        others = tuple(closure for closure in opened.closures if closure.id != refusal.closure_id)
        opened = replace(opened, closures=others)
    if opened is resource:
        yield Finding(rule=Rule.CLOSURES)
    yield Finding(rule=Rule.WORKING_HOURS, refusal=refusal)


def _openness(resource: Resource, wanted: Interval) -> Refusal | None:
    return _refusal_of(lambda: resource.ensure_open(wanted))


def _refusal_of(rule: Callable[[], object]) -> Refusal | None:
    try:
        rule()
    except Refusal as refusal:
        return refusal
    return None
