"""Who is chosen for which requirement, for all starts of a window at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from uuid import UUID

from domain.allocation import Choice
from domain.bit_planes import Mask, each_minute
from domain.matching import Matching
from domain.pool import Strategy
from domain.possible_starts import Candidate, PossibleStarts
from domain.ranking import Dates, Piece, Ranked, dates_of_claims, loads, part_of, stretches
from domain.service import Service

BY_DATE = (Strategy.LEAST_LOADED, Strategy.BEST_FIT)


class Choosing:
    """Who is chosen for which requirement at which minutes."""

    def __init__(
        self, service: Service, choices: Sequence[Choice[Candidate]], possible: PossibleStarts, starts: Mask
    ) -> None:
        self._starts = starts
        self._quantities = [requirement.quantity for requirement in service.terms.requirements]
        self._all = [choice.candidates for choice in choices]
        self._strategies = [choice.strategy for choice in choices]
        self._possible = possible
        self._chosen: list[dict[UUID, Mask]] = [{} for _ in choices]
        self._taken: dict[UUID, Mask] = {}
        self._ranked: dict[int, Ranked] = {}

    def choices(self) -> tuple[tuple[tuple[UUID, Mask], ...], ...]:
        return tuple(tuple(chosen.items()) for chosen in self._chosen)

    def choose(self, place: int, unmet: Mask) -> Mask:
        """Give a requirement its best candidates at these minutes; the answer is where it finds none."""
        if not self._is_ranked(place):
            return self._give(place, unmet, ((candidate, unmet) for candidate in self._all[place]))
        anyone = 0
        for candidate in self._all[place]:
            anyone |= self._could(place, candidate)
        # What nobody could serve is left out, so that one can stop as soon as all is met.
        left, unmet, before_min = unmet & ~anyone, unmet & anyone, self._possible.before_min
        for first, end, best_first in self._ranking(place).best_first() if unmet else ():
            here = part_of(unmet, first + before_min, end + before_min)
            candidates = (
                (self._all[place][number], part_of(here, start + before_min, until + before_min))
                for number, start, until in best_first
            )
            left |= self._give(place, here, candidates)
        return left

    def _give(self, place: int, unmet: Mask, best_first: Iterable[tuple[Candidate, Mask]]) -> Mask:
        """Each candidate takes of its minutes what is unmet still; the answer is what nobody takes."""
        for candidate, its_minutes in best_first:
            if not unmet:
                break
            where = its_minutes & unmet
            if where:
                where &= self._could(place, candidate)
            if where and candidate.id in self._taken:
                where &= ~self._taken[candidate.id]
            if where:
                self._note(place, candidate.id, where)
                unmet &= ~where
        return unmet

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
        for chosen in self._chosen:
            for candidate_id in chosen:
                chosen[candidate_id] &= ~contested
        settled = 0
        for minute in each_minute(contested):
            matching = Matching(partial(self._in_order, minute), lambda _place, _candidate: True)
            if not any(matching.meet(place) for place in range(len(self._all))):
                for place, candidate_id in enumerate(matching.candidates()):
                    self._note(place, candidate_id, 1 << minute)
                settled |= 1 << minute
        return settled

    def _note(self, place: int, candidate_id: UUID, where: Mask) -> None:
        self._chosen[place][candidate_id] = self._chosen[place].get(candidate_id, 0) | where
        self._taken[candidate_id] = self._taken.get(candidate_id, 0) | where

    def _could(self, place: int, candidate: Candidate) -> Mask:
        return self._possible.of(candidate, self._quantities[place])

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
            pieces = [list(self._pieces(place, one)) for one in self._all[place]]
            dates = next(iter(self._dates.values()))
            self._ranked[place] = Ranked(pieces, [*(one.first for one in dates), dates[-1].end])
        return self._ranked[place]

    def _pieces(self, place: int, candidate: Candidate) -> Iterator[Piece]:
        dates = self._dates[candidate.open_days.resource.time_zone]
        if self._strategies[place] is Strategy.LEAST_LOADED:
            return loads(candidate.used, dates)
        return stretches(self._possible.free(candidate, self._quantities[place]), dates, self._possible.claim_min)

    @cached_property
    def _dates(self) -> Mapping[str, Sequence[Dates]]:
        """Of each zone, around all starts that are asked for."""
        zones = {one.open_days.resource.time_zone for ones in self._all for one in ones}
        first = (self._starts & -self._starts).bit_length() - 1 - self._possible.before_min
        end = self._starts.bit_length() - self._possible.before_min
        return dates_of_claims(zones, self._possible.window.origin, first, end, self._possible.claim_min)
