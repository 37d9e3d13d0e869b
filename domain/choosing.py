"""Who is chosen for which requirement, for all starts of a window at once."""

from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from typing import NamedTuple
from uuid import UUID

from domain.allocation import Choice
from domain.bit_planes import Mask, each_minute, parts
from domain.matching import Matching
from domain.pool import Strategy
from domain.possible_starts import Candidate, PossibleStarts
from domain.ranking import Calendar, Ranked, Standings, by_load, by_stretch, calendar_of, minutes_of, place_of
from domain.service import Service

BY_DATE = (Strategy.LEAST_LOADED, Strategy.BEST_FIT)


class Given(NamedTuple):
    """Whoever is chosen at the minutes of ``where``, whose bit 0 is minute ``base`` of the window."""

    candidate_id: UUID
    base: int
    where: Mask


class Choosing:
    """Who is chosen for which requirement at which minutes."""

    def __init__(self, service: Service, choices: Sequence[Choice[Candidate]], possible: PossibleStarts) -> None:
        self._quantities = [requirement.quantity for requirement in service.terms.requirements]
        self._all = [choice.candidates for choice in choices]
        self._strategies = [choice.strategy for choice in choices]
        self._possible = possible
        self._given: list[list[Given]] = [[] for _ in choices]
        self._taken: dict[UUID, Mask] = {}
        self._ranked: dict[int, Ranked] = {}

    def choices(self) -> tuple[tuple[Given, ...], ...]:
        return tuple(tuple(given) for given in self._given)

    def choose(self, place: int, unmet: Mask) -> Mask:
        """Give a requirement its best candidates at these minutes; the answer is where it finds none."""
        if self._is_ranked(place):
            return self._choose_ranked(place, unmet)
        for candidate in self._all[place]:
            if not unmet:
                break
            where = unmet & self._could(place, candidate) & ~self._taken.get(candidate.id, 0)
            if where:
                self._note(place, Given(candidate.id, 0, where))
                unmet &= ~where
        return unmet

    def _choose_ranked(self, place: int, unmet: Mask) -> Mask:
        """Piece by piece, since what is best may be another one in each."""
        anyone = 0
        for candidate in self._all[place]:
            anyone |= self._could(place, candidate)
        # What nobody could serve is left out, so that one can stop as soon as all is met.
        left, unmet, ranking = unmet & ~anyone, unmet & anyone, self._ranking(place)
        bounds = self._bounds
        for piece, (here, (base, _)) in enumerate(zip(parts(unmet, bounds), bounds, strict=True)):
            here_left = here
            for standing in ranking.best_first(piece) if here else ():
                where = here_left & minutes_of(standing)
                if where:
                    candidate = self._all[place][place_of(standing)]
                    where &= self._parts(place, candidate)[piece]
                    if candidate.id in self._taken:
                        where &= ~(self._taken[candidate.id] >> base)
                if where:
                    self._note(place, Given(candidate.id, base, where))
                    here_left ^= where
                    if not here_left:
                        break
            left |= here_left << base
        return left

    def contested(self, place: int, unmet: Mask) -> Mask:
        """Of the minutes without a candidate those at which another requirement might give one up."""
        mine = {candidate.id for candidate in self._all[place]}
        if not unmet or not any(candidate.id in mine for ones in self._all[:place] for candidate in ones):
            return 0
        wanted = spare = 0
        for candidate in self._all[place]:
            wanted |= self._could(place, candidate)
        for other in range(place):
            for candidate in self._all[other]:
                spare |= self._could(other, candidate) & ~self._taken.get(candidate.id, 0)
        return unmet & wanted & spare

    def settle(self, contested: Mask) -> Mask:
        """Choose anew at these minutes, each by itself; the answer is where all requirements are met."""
        if not contested:
            return 0
        for given in self._given:
            given[:] = [one._replace(where=one.where & ~(contested >> one.base)) for one in given]
        settled = 0
        for minute in each_minute(contested):
            matching = Matching(partial(self._in_order, minute), lambda _place, _candidate: True)
            if not any(matching.meet(place) for place in range(len(self._all))):
                for place, candidate_id in enumerate(matching.candidates()):
                    self._note(place, Given(candidate_id, minute, 1))
                settled |= 1 << minute
        return settled

    def _note(self, place: int, given: Given) -> None:
        self._given[place].append(given)
        if len(self._all) > 1:
            self._taken[given.candidate_id] = self._taken.get(given.candidate_id, 0) | given.where << given.base

    def _could(self, place: int, candidate: Candidate) -> Mask:
        return self._possible.of(candidate, self._quantities[place])

    def _parts(self, place: int, candidate: Candidate) -> Sequence[Mask]:
        """Where it could serve, piece by piece."""
        key = ("pieces", self._calendar, self._quantities[place], self._possible.key)
        return candidate.known(key, lambda: list(parts(self._could(place, candidate), self._bounds)))

    def _in_order(self, minute: int, place: int) -> list[UUID]:
        """The candidates that could serve at a minute, best first."""
        numbers: Iterable[int] = range(len(self._all[place]))
        if self._is_ranked(place):
            numbers = self._ranking(place).at(minute - self._possible.before_min)
        candidates = [self._all[place][number] for number in numbers]
        return [candidate.id for candidate in candidates if self._could(place, candidate) >> minute & 1]

    def _is_ranked(self, place: int) -> bool:
        return self._strategies[place] in BY_DATE and len(self._all[place]) > 1

    def _ranking(self, place: int) -> Ranked:
        if place not in self._ranked:
            standings = [self._standings(place, number) for number in range(len(self._all[place]))]
            self._ranked[place] = Ranked(self._calendar, standings)
        return self._ranked[place]

    def _standings(self, place: int, number: int) -> Standings:
        candidate, quantity, strategy = self._all[place][number], self._quantities[place], self._strategies[place]
        calendar, claim_min = self._calendar, self._possible.claim_min

        def worked_out() -> Standings:
            dates = calendar.by_zone[candidate.open_days.resource.time_zone]
            if strategy is Strategy.LEAST_LOADED:
                return by_load(number, candidate.used, dates)
            return by_stretch(number, self._possible.free(candidate, quantity), dates, claim_min)

        return candidate.known((strategy, number, quantity, calendar), worked_out)

    @cached_property
    def _calendar(self) -> Calendar:
        zones = frozenset(one.open_days.resource.time_zone for ones in self._all for one in ones)
        return calendar_of(zones, self._possible.window, self._possible.claim_min)

    @cached_property
    def _bounds(self) -> Sequence[tuple[int, int]]:
        """The pieces, by the starts of visits instead of claims."""
        before_min = self._possible.before_min
        return [(first + before_min, end + before_min) for first, end in self._calendar.pieces]
