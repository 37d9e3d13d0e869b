"""Which resources a visit takes: for each requirement the best that is open and free, as its pool's strategy has it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, Protocol, TypeVar, assert_never
from uuid import UUID

from domain.appointment import Allotment
from domain.interval import Interval
from domain.matching import Matching
from domain.pool import PoolTurnTaken, Strategy, turns_id
from domain.refusals import (
    ClosedForHoliday,
    NothingOffersThis,
    OffGrid,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceNotSuitable,
    ResourceRetired,
    SlotTaken,
)
from domain.resource import Resource
from domain.resource_day import Claim, ResourceDay, SlotClaimed, claim, page_id
from domain.rules import Rule, ensure_besides
from domain.service import Service
from domain.strategies import load_min, stretch_min
from domain.value import value
from domain.wall_clock import local_days

T = TypeVar("T")
U = TypeVar("U")


class Pages(Protocol):
    """Diary pages by stream id; None is a blank page."""

    def __getitem__(self, stream_id: UUID) -> ResourceDay | None: ...


_HOPE = (SlotTaken, ResourceClosed, ClosedForHoliday, OutsideWorkingHours, OffGrid, ResourceRetired)
"""Of several candidates' refusals the one that says most is answered: taken means that it was open."""


@value(frozen=True, slots=True)
class Choice(Generic[T]):
    """The ``candidates`` that suit a requirement, in the order of their listing, and how one of them is chosen.

    Of a ROUND_ROBIN pool the list begins with whose turn it is. ``preferred`` are tried before the strategy is asked.
    """

    candidates: tuple[T, ...]
    strategy: Strategy = Strategy.PRIORITY
    pool_id: UUID | None = None
    preferred: frozenset[UUID] = frozenset()

    def among(self, candidates: Iterable[U], preferred: frozenset[UUID] | None = None) -> "Choice[U]":
        """The same choice among others; ``preferred``: with other preferences, too."""
        first = self.preferred if preferred is None else preferred
        return Choice(tuple(candidates), self.strategy, self.pool_id, first)


@value(frozen=True, slots=True)
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


def in_turn(listed: Sequence[T], last: T | None) -> tuple[T, ...]:
    """A round-robin pool's resources from the one after ``last`` on, which got the last turn."""
    if last is None or last not in listed:
        return tuple(listed)
    first = listed.index(last) + 1
    return (*listed[first:], *listed[:first])


def assigned(
    service: Service, choices: Sequence[Choice[T]], wanted_ids: Sequence[UUID], id_of: Callable[[T], UUID]
) -> list[Choice[T]]:
    """Who may serve which requirement. What is named, by a requirement or by the client, serves there and nowhere else.

    ``choices``: for each requirement, in order, all that suit it. A requirement for which the client names nobody
    stays open to all others. Raises ``ResourceNotSuitable`` for a resource that is of no use.
    """
    if len(choices) == 1 and not wanted_ids:
        return list(choices)  # there is nothing to divide
    places: dict[UUID, int] = {}
    for place, requirement in enumerate(service.terms.requirements):
        if requirement.resource_id is not None:
            places[requirement.resource_id] = place
    suits = {
        wanted: [
            place for place, choice in enumerate(choices) if any(id_of(one) == wanted for one in choice.candidates)
        ]
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
    named = {place: resource_id for resource_id, place in places.items()}
    return [
        choice.among(
            (
                one
                for one in choice.candidates
                if (id_of(one) == named[place] if place in named else id_of(one) not in places)
            ),
            # It is nobody's turn where one is asked for by name.
            choice.preferred | ({named[place]} if place in named else set()),
        )
        for place, choice in enumerate(choices)
    ]


def allocate(
    service: Service,
    choices: Sequence[Choice[Resource]],
    pages: Pages,
    *,
    appointment_id: UUID,
    start: datetime,
    until: datetime | None,
    now: datetime,
    waived: frozenset[Rule] = frozenset(),
) -> Allocation:
    """Claims for every requirement; a refusal only if there is no combination of resources that meets all.

    ``choices``: for each requirement, in order, who suits it. Each takes its best candidate that is open, free and
    serves none before it; where it finds none, those before it take others if that helps. ``waived`` rules do not
    refuse.
    """
    by_id = {one.id: one for choice in choices for one in choice.candidates}
    asked = _Asked(service, choices, by_id, pages, appointment_id, start, service.claim(start), until, now, waived)
    if [len(choice.candidates) for choice in choices] == [1] * len(by_id):
        # Nobody to choose between, as mostly: each requirement has one candidate, who serves no other one.
        asked.answers |= {(place, one.id): asked.claimed(place, one) for place, one in enumerate(by_id.values())}
        return asked.allocation(list(by_id))
    matching = Matching(asked.in_order, asked.is_free)
    for place, requirement in enumerate(service.terms.requirements):
        competing = matching.meet(place)
        if competing:
            refusals = [
                *asked.refusals(place),
                *(r for other in sorted(competing - {place}) for r in asked.refusals(other)),
            ]
            raise most_hopeful(refusals) or NothingOffersThis(service.id, requirement.kind)
    return asked.allocation(matching.candidates())


def most_hopeful(refusals: Sequence[Refusal]) -> Refusal | None:
    """The one to answer with."""
    for kind in _HOPE:
        for refusal in refusals:
            if isinstance(refusal, kind):
                return refusal
    return refusals[0] if refusals else None


def reasons_against(service: Service, resource: Resource, start: datetime, wanted: Interval) -> Iterator[Refusal]:
    """Why the resource could not serve a visit at ``start`` with the claim ``wanted``, whatever is taken of it."""
    if not service.is_on_grid(start, resource.zone):
        yield OffGrid(service.terms.slot_step_min)
    yield from resource.reasons_against(wanted)


@value(frozen=True, slots=True)
class _Claimed:
    """What a resource would be claimed for, and the waived rules that this breaks."""

    claims: tuple[tuple[UUID, SlotClaimed], ...]
    broken: frozenset[Rule]


@dataclass(slots=True)
class _Asked:
    """One visit put to its candidates, each asked once, and only those whose answer matters."""

    service: Service
    choices: Sequence[Choice[Resource]]
    resources: Mapping[UUID, Resource]
    pages: Pages
    appointment_id: UUID
    start: datetime
    wanted: Interval
    until: datetime | None
    now: datetime
    waived: frozenset[Rule]
    answers: dict[tuple[int, UUID], _Claimed | Refusal] = field(default_factory=dict)
    orders: dict[int, list[UUID]] = field(default_factory=dict)

    def in_order(self, place: int) -> Iterable[UUID]:
        # A rule is broken only if need be: those for whom none has to be come first.
        ordered = self._best_first(place)
        return sorted(ordered, key=lambda one: self._broken(place, one)) if self.waived else ordered

    def _broken(self, place: int, resource_id: UUID) -> int:
        """How many waived rules would be broken for it."""
        answer = self._answer(place, resource_id)
        return len(answer.broken) if isinstance(answer, _Claimed) else 0

    def _best_first(self, place: int) -> Iterator[UUID]:
        choice = self.choices[place]
        others: Sequence[Resource] = choice.candidates
        if choice.preferred:
            yield from (one.id for one in others if one.id in choice.preferred)
            others = [one for one in others if one.id not in choice.preferred]
        if place not in self.orders:
            self.orders[place] = [one.id for one in self._ranked(place, others)]
        yield from self.orders[place]

    def _ranked(self, place: int, others: Sequence[Resource]) -> Sequence[Resource]:
        match self.choices[place].strategy:
            case Strategy.PRIORITY | Strategy.ROUND_ROBIN:
                return others
            case Strategy.LEAST_LOADED:
                return sorted(others, key=self._load_min)
            case Strategy.BEST_FIT:
                free = [one for one in others if self.is_free(place, one.id)]
                return sorted(free, key=lambda one: self._stretch_min(place, one))
            case unknown:
                assert_never(unknown)

    def _load_min(self, resource: Resource) -> int:
        pages = [page for _, page, _ in self._pages_of(resource)]
        return load_min(pages, now=self.now, besides=self.appointment_id)

    def _stretch_min(self, place: int, resource: Resource) -> int:
        quantity = self.service.terms.requirements[place].quantity
        pages = [page for _, page, _ in self._pages_of(resource)]
        return stretch_min(resource, pages, self.wanted, quantity, now=self.now, besides=self.appointment_id)

    def is_free(self, place: int, resource_id: UUID) -> bool:
        return isinstance(self._answer(place, resource_id), _Claimed)

    def _answer(self, place: int, resource_id: UUID) -> _Claimed | Refusal:
        key = (place, resource_id)
        answer = self.answers.get(key)
        if answer is None:
            try:
                answer = self.claimed(place, self.resources[resource_id])
            except Refusal as refusal:
                answer = refusal
            self.answers[key] = answer
        return answer

    def claimed(self, place: int, resource: Resource) -> _Claimed:
        broken = ensure_besides(self.waived, reasons_against(self.service, resource, self.start, self.wanted))
        quantity = self.service.terms.requirements[place].quantity
        claims = []
        for stream_id, page, part in self._pages_of(resource):
            ask = Claim(self.appointment_id, part, quantity, self.until)
            claims.append((stream_id, claim(page, ask, capacity=resource.capacity, now=self.now)))
        return _Claimed(tuple(claims), broken)

    def _pages_of(self, resource: Resource) -> list[tuple[UUID, ResourceDay, Interval]]:
        """The pages that the visit would be written on: stream id, the page, and the part of its claim on that date."""
        return [
            (stream_id, self.pages[stream_id] or ResourceDay(resource_id=resource.id, day=day), part)
            for stream_id, day, part in pages_touched(resource, self.wanted)
        ]

    def refusals(self, place: int) -> list[Refusal]:
        """What the candidates of a requirement said, in the order of their listing."""
        answers = [self.answers.get((place, one.id)) for one in self.choices[place].candidates]
        return [answer for answer in answers if isinstance(answer, Refusal)]

    def allocation(self, resource_ids: Sequence[UUID]) -> Allocation:
        requirements = self.service.terms.requirements
        chosen = [self.answers[place, resource_id] for place, resource_id in enumerate(resource_ids)]
        claimed = [answer for answer in chosen if isinstance(answer, _Claimed)]
        return Allocation(
            tuple([Allotment(one, need.quantity) for one, need in zip(resource_ids, requirements, strict=True)]),
            tuple([claim for answer in claimed for claim in answer.claims]),
            tuple(self._turns(resource_ids)),
            frozenset().union(*[answer.broken for answer in claimed]),
        )

    def _turns(self, resource_ids: Sequence[UUID]) -> Iterator[tuple[UUID, PoolTurnTaken]]:
        for choice, resource_id in zip(self.choices, resource_ids, strict=True):
            by_turn = choice.strategy is Strategy.ROUND_ROBIN and resource_id not in choice.preferred
            if by_turn and choice.pool_id is not None:
                yield turns_id(choice.pool_id), PoolTurnTaken(pool_id=choice.pool_id, resource_id=resource_id)
