"""Which starts of a service are free: working hours − closures − claims, as arithmetic on minute masks.

It offers exactly what ``domain.allocation.allocate`` and ``Service.ensure_bookable_at`` would accept, minute for
minute, and names the resources that ``allocate`` would choose.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from domain.allocation import Choice
from domain.bit_planes import Mask, Planes, each_minute, eroded, first_minutes, free_mask, minutes
from domain.interval import Interval
from domain.matching import Matching
from domain.open_hours import EPOCH, OpenDays, day_number, grid_mask, minute_after, minute_after_rounded_up
from domain.pool import Strategy
from domain.ranking import Dates, Piece, Ranked, dates_of_claims, loads, part_of, stretches
from domain.service import Service
from domain.wall_clock import A_DAY, MINUTE, MINUTES_PER_DAY

BLOCK_DAYS = 8
"""Claims are kept in blocks of this many UTC days. 8 × 180 bytes: large enough that a month of 200 resources is few
values to fetch, small enough that a row stays inside its PostgreSQL page."""
BLOCK_MIN = BLOCK_DAYS * MINUTES_PER_DAY
DATES_AROUND = timedelta(days=2)
"""However a zone's clock jumps, a local date begins and ends within so much of any of its instants."""

_BY_DATE = (Strategy.LEAST_LOADED, Strategy.BEST_FIT)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """Blocks ``first_block`` … ``last_block``, whose first minute is bit 0 of every mask."""

    first_block: int
    last_block: int

    @property
    def first_day(self) -> int:
        return self.first_block * BLOCK_DAYS

    @property
    def days(self) -> int:
        return (self.last_block - self.first_block + 1) * BLOCK_DAYS

    @property
    def origin(self) -> datetime:
        return EPOCH + self.first_day * A_DAY


def window_of(service: Service, starts: Interval, *, whole_dates: bool = False) -> Window:
    """All that a visit may take which starts within ``starts``; with the local dates around it, if they matter."""
    margin = DATES_AROUND if whole_dates else timedelta()
    first, last = service.claim(starts.start).start - margin, service.claim(starts.end).end + margin
    return Window(day_number(first) // BLOCK_DAYS, day_number(last) // BLOCK_DAYS)


def looks_at_whole_dates(choices: Sequence[Choice[T]]) -> bool:
    """Whether a strategy weighs what else there is on the dates of a visit."""
    return any(choice.strategy in _BY_DATE for choice in choices)


def minutes_in_block(block: int, interval: Interval) -> Mask:
    """The minutes of a block that ``interval`` touches."""
    first_day = block * BLOCK_DAYS
    start, end = minute_after(first_day, interval.start), minute_after_rounded_up(first_day, interval.end)
    return minutes(max(start, 0), min(end, BLOCK_MIN))


def blocks_of(interval: Interval) -> range:
    """The blocks that ``interval`` touches."""
    last = day_number(interval.end - timedelta(microseconds=1))
    return range(day_number(interval.start) // BLOCK_DAYS, last // BLOCK_DAYS + 1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A resource that suits a requirement; ``used`` is the claimed quantity over the window."""

    open_days: OpenDays
    used: Planes

    @property
    def id(self) -> UUID:
        return self.open_days.resource.id


@dataclass(frozen=True, slots=True)
class Offered:
    """The free starts; for each requirement, which resource is chosen at which of them."""

    window: Window
    starts: Mask
    choices: tuple[tuple[tuple[UUID, Mask], ...], ...]

    def visits(self, limit: int) -> Iterator[tuple[datetime, tuple[UUID, ...]]]:
        """The first ``limit`` starts, ascending, each with one resource for each requirement."""
        starts = first_minutes(self.starts, limit)
        origin = self.window.origin
        chosen = [
            {minute: resource_id for resource_id, where in choice for minute in each_minute(where & starts)}
            for choice in self.choices
        ]
        for minute in each_minute(starts):
            yield origin + minute * MINUTE, tuple(by_minute[minute] for by_minute in chosen)


def offered(
    service: Service,
    choices: Sequence[Choice[Candidate]],
    window: Window,
    starts: Interval,
    *,
    now: datetime,
    besides: Iterable[Interval] = (),
) -> Offered:
    """The free starts within ``starts``, which ``window`` was made for, and not within ``besides``.

    ``choices`` as for ``allocate``: for each requirement, in order, the resources that suit it.
    """
    possible = _PossibleStarts(service, window)
    left = _bookable(service, window, starts, now)
    for out in besides:
        bounds = (minute_after_rounded_up(window.first_day, moment) for moment in (out.start, out.end))
        left &= ~minutes(*(max(bound, 0) for bound in bounds))
    choosing = _Choosing(service, choices, possible, left)
    # What ``allocate`` does at one start, for all starts at once: each requirement takes its best candidate that is
    # free and that no requirement before it has taken.
    contested = 0
    for place in range(len(choices)):
        unmet = choosing.choose(place, left)
        contested |= choosing.contested(place, unmet)
        left &= ~unmet
    # Where one before would have to make room, the starts are put to the very same matching, one by one.
    return Offered(window, left | choosing.settle(contested), choosing.choices())


def _bookable(service: Service, window: Window, starts: Interval, now: datetime) -> Mask:
    """The minutes of ``starts`` that ``Service.ensure_bookable_at`` allows."""
    earliest = now + timedelta(minutes=service.terms.min_notice_min)
    latest = now + timedelta(days=service.terms.max_advance_days)
    first = minute_after_rounded_up(window.first_day, max(starts.start, earliest))
    end = min(minute_after_rounded_up(window.first_day, starts.end), minute_after(window.first_day, latest) + 1)
    return minutes(first, end)


class _PossibleStarts:
    """At which minutes one resource alone could serve the service, each worked out once."""

    def __init__(self, service: Service, window: Window) -> None:
        terms = service.terms
        self.before_min = terms.buffer_before_min
        self.claim_min = terms.buffer_before_min + terms.duration_min + terms.buffer_after_min
        self._step_min = terms.slot_step_min
        self.window = window
        self._grids: dict[str, Mask] = {}
        self._known: dict[tuple[UUID, int], Mask] = {}

    def of(self, candidate: Candidate, quantity: int) -> Mask:
        key = candidate.id, quantity
        if key not in self._known:
            # A claim starts before its visit by the buffer.
            fits = eroded(self.free(candidate, quantity), self.claim_min) << self.before_min
            self._known[key] = fits & self._grid(candidate.open_days.resource.time_zone)
        return self._known[key]

    def free(self, candidate: Candidate, quantity: int) -> Mask:
        """The minutes that are open and at which so much is left."""
        window, resource = self.window, candidate.open_days.resource
        free = free_mask(candidate.used, resource.capacity, quantity, window.days * MINUTES_PER_DAY)
        return free & candidate.open_days.mask(window.first_day, window.days) if free else 0

    def _grid(self, time_zone: str) -> Mask:
        if time_zone not in self._grids:
            self._grids[time_zone] = grid_mask(time_zone, self._step_min, self.window.first_day, self.window.days)
        return self._grids[time_zone]


class _Choosing:
    """Who is chosen for which requirement at which minutes."""

    def __init__(
        self, service: Service, choices: Sequence[Choice[Candidate]], possible: _PossibleStarts, starts: Mask
    ) -> None:
        self._starts = starts
        self._quantities = [requirement.quantity for requirement in service.terms.requirements]
        self._all = [choice.candidates for choice in choices]
        self._strategies = [choice.strategy for choice in choices]
        self._possible = possible
        self._chosen: list[dict[UUID, Mask]] = [{} for _ in choices]
        self._taken: dict[UUID, Mask] = {}
        self._ranked: dict[int, Ranked] = {}
        self._dates: dict[str, Sequence[Dates]] = {}

    def choices(self) -> tuple[tuple[tuple[UUID, Mask], ...], ...]:
        return tuple(tuple(chosen.items()) for chosen in self._chosen)

    def choose(self, place: int, unmet: Mask) -> Mask:
        """Give a requirement its best candidates at these minutes; the answer is where it finds none."""
        for candidate, minutes_of_it in self._best_first(place, unmet):
            where = minutes_of_it & unmet
            if where:
                where &= self._could(place, candidate)
            if where and candidate.id in self._taken:
                where &= ~self._taken[candidate.id]
            if where:
                self._note(place, candidate.id, where)
                unmet &= ~where
                if not unmet:
                    break
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

    def _best_first(self, place: int, unmet: Mask) -> Iterator[tuple[Candidate, Mask]]:
        """The candidates, each with the minutes at which it is the next best."""
        if not self._is_ranked(place):
            yield from ((candidate, unmet) for candidate in self._all[place])
        elif unmet:
            for _, number, first, end in self._ranking(place).best_first():
                before_min = self._possible.before_min
                yield self._all[place][number], part_of(unmet, first + before_min, end + before_min)

    def _in_order(self, minute: int, place: int) -> list[UUID]:
        """The candidates that could serve at a minute, best first."""
        numbers: Iterable[int] = range(len(self._all[place]))
        if self._is_ranked(place):
            numbers = self._ranking(place).at(minute - self._possible.before_min)
        candidates = [self._all[place][number] for number in numbers]
        return [candidate.id for candidate in candidates if self._could(place, candidate) >> minute & 1]

    def _is_ranked(self, place: int) -> bool:
        return self._strategies[place] in _BY_DATE and len(self._all[place]) > 1

    def _ranking(self, place: int) -> Ranked:
        if place not in self._ranked:
            self._ranked[place] = Ranked([list(self._pieces(place, one)) for one in self._all[place]])
        return self._ranked[place]

    def _pieces(self, place: int, candidate: Candidate) -> Iterator[Piece]:
        dates = self._dates_of(candidate.open_days.resource.time_zone)
        if self._strategies[place] is Strategy.LEAST_LOADED:
            return loads(candidate.used, dates)
        return stretches(self._possible.free(candidate, self._quantities[place]), dates, self._possible.claim_min)

    def _dates_of(self, time_zone: str) -> Sequence[Dates]:
        if time_zone not in self._dates:
            first = (self._starts & -self._starts).bit_length() - 1 - self._possible.before_min
            end = self._starts.bit_length() - self._possible.before_min
            origin, claim_min = self._possible.window.origin, self._possible.claim_min
            self._dates[time_zone] = dates_of_claims(time_zone, origin, first, end, claim_min)
        return self._dates[time_zone]
