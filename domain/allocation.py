"""Which resources a visit takes: for each requirement the first that is open and free."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, TypeVar
from uuid import UUID

from domain.appointment import Allotment
from domain.interval import Interval
from domain.pool import PoolTurnTaken
from domain.refusals import (
    NothingOffersThis,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceNotSuitable,
    SlotTaken,
)
from domain.resource import Resource
from domain.resource_day import Claim, ResourceDay, SlotClaimed, claim, page_id
from domain.rules import Rule, ensure_besides
from domain.service import Requirement, Service
from domain.wall_clock import local_days

T = TypeVar("T")


class Pages(Protocol):
    """Diary pages by stream id; None is a blank page."""

    def __getitem__(self, stream_id: UUID) -> ResourceDay | None: ...


_HOPE = (SlotTaken, ResourceClosed, OutsideWorkingHours)
"""Of several candidates' refusals the one that says most is answered: taken means that it was open."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """``claims`` by the stream id of their diary page; ``turns`` of round-robin pools by that of their turns.

    ``overridden``: the rules that were waived and would have refused it.
    """

    allotments: tuple[Allotment, ...]
    claims: tuple[tuple[UUID, SlotClaimed], ...]
    turns: tuple[tuple[UUID, PoolTurnTaken], ...] = ()
    overridden: frozenset[Rule] = frozenset()


def pages_touched(resource: Resource, wanted: Interval) -> list[tuple[UUID, date, Interval]]:
    """The diary pages that ``wanted`` lies on: stream id, local date, and the part of it on that date."""
    return [(page_id(resource.id, day), day, part) for day, part in local_days(wanted, resource.zone)]


def assigned(
    service: Service, candidates: Sequence[Sequence[T]], wanted_ids: Sequence[UUID], id_of: Callable[[T], UUID]
) -> list[list[T]]:
    """Who may serve which requirement. What is named, by a requirement or by the client, serves there and nowhere else.

    ``candidates``: for each requirement, in order, all that suit it. A requirement for which the client names
    nobody stays open to all others. Raises ``ResourceNotSuitable`` for a resource that is of no use.
    """
    places: dict[UUID, int] = {}
    for place, requirement in enumerate(service.terms.requirements):
        if requirement.resource_id is not None:
            places[requirement.resource_id] = place
    suits = {
        wanted: [place for place, ones in enumerate(candidates) if any(id_of(one) == wanted for one in ones)]
        for wanted in wanted_ids
    }
    # Who has the fewest places to choose from chooses first.
    for wanted in sorted(suits, key=lambda resource_id: len(suits[resource_id])):
        if wanted in places:
            continue
        free = [place for place in suits[wanted] if place not in places.values()]
        if not free:
            raise ResourceNotSuitable(wanted, service.id)
        places[wanted] = free[0]
    return [
        [one for one in ones if places.get(id_of(one), place) == place and _nobody_else(places, place, id_of(one))]
        for place, ones in enumerate(candidates)
    ]


def _nobody_else(places: Mapping[UUID, int], place: int, resource_id: UUID) -> bool:
    """Whether the place is not kept for another."""
    return place not in places.values() or places.get(resource_id) == place


def allocate(
    service: Service,
    candidates: Sequence[Sequence[Resource]],
    pages: Pages,
    *,
    appointment_id: UUID,
    start: datetime,
    until: datetime | None,
    now: datetime,
    waived: frozenset[Rule] = frozenset(),
) -> Allocation:
    """Claims for every requirement, or the refusal of the first requirement that nobody can meet.

    ``candidates`` holds, for each requirement in order, the resources that suit it, best first. No
    resource serves two requirements. ``waived`` rules are broken only where nobody can be had without.
    """
    wanted = service.claim(start)
    overridden: set[Rule] = set()
    allotments: list[Allotment] = []
    claims: list[tuple[UUID, SlotClaimed]] = []
    for requirement, suitable in zip(service.terms.requirements, candidates, strict=True):
        taken = {allotment.resource_id for allotment in allotments}
        refusals: list[Refusal] = []
        for resource in suitable:
            if resource.id in taken:
                continue
            try:
                broken = ensure_besides(waived, reasons_against(service, resource, start))
                claimed = _claims(resource, requirement, pages, wanted, appointment_id, until, now)
            except Refusal as refusal:
                refusals.append(refusal)
                continue
            allotments.append(Allotment(resource.id, requirement.quantity))
            claims.extend(claimed)
            overridden |= broken
            break
        else:
            raise _most_hopeful(refusals) or NothingOffersThis(service.id, requirement.kind)
    return Allocation(tuple(allotments), tuple(claims), (), frozenset(overridden))


def reasons_against(service: Service, resource: Resource, start: datetime) -> Iterator[Refusal]:
    """Why the resource could not serve a visit at ``start``, whatever is taken of it."""
    try:
        service.ensure_on_grid(start, resource.zone)
    except Refusal as off_grid:
        yield off_grid
    yield from resource.reasons_against(service.claim(start))


def _claims(
    resource: Resource,
    requirement: Requirement,
    pages: Pages,
    wanted: Interval,
    appointment_id: UUID,
    until: datetime | None,
    now: datetime,
) -> list[tuple[UUID, SlotClaimed]]:
    claimed = []
    for stream_id, day, part in pages_touched(resource, wanted):
        page = pages[stream_id] or ResourceDay(resource_id=resource.id, day=day)
        ask = Claim(appointment_id, part, requirement.quantity, until)
        claimed.append((stream_id, claim(page, ask, capacity=resource.capacity, now=now)))
    return claimed


def _most_hopeful(refusals: Sequence[Refusal]) -> Refusal | None:
    for kind in _HOPE:
        for refusal in refusals:
            if isinstance(refusal, kind):
                return refusal
    return refusals[0] if refusals else None
