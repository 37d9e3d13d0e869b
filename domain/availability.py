"""Which starts of a service are free: working hours − closures − claims, as arithmetic on minute masks.

It offers exactly what ``domain.allocation.allocate`` and ``Service.ensure_bookable_at`` would accept, minute for
minute, and names the resources that ``allocate`` would choose. A hold past its deadline is the one exception: it
blocks here until the fact that it lapsed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.bit_planes import Mask, Planes, each_minute, eroded, first_minutes, free_mask, minutes
from domain.interval import Interval
from domain.open_hours import EPOCH, OpenDays, day_number, grid_mask, minute_after, minute_after_rounded_up
from domain.service import Service
from domain.wall_clock import A_DAY, MINUTE, MINUTES_PER_DAY

BLOCK_DAYS = 8
"""Claims are kept in blocks of this many UTC days. 8 × 180 bytes: large enough that a month of 200 resources is few
values to fetch, small enough that a row stays inside its PostgreSQL page."""
BLOCK_MIN = BLOCK_DAYS * MINUTES_PER_DAY


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


def window_of(service: Service, starts: Interval) -> Window:
    """All that a visit may take which starts within ``starts``."""
    first, last = service.claim(starts.start).start, service.claim(starts.end).end
    return Window(day_number(first) // BLOCK_DAYS, day_number(last) // BLOCK_DAYS)


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
    candidates: Sequence[Sequence[Candidate]],
    window: Window,
    starts: Interval,
    *,
    now: datetime,
) -> Offered:
    """The free starts within ``starts``, which ``window`` was made for.

    ``candidates`` as for ``allocate``: for each requirement, in order, the resources that suit it, best first.
    """
    left = _bookable(service, window, starts, now)
    possible = _PossibleStarts(service, window)
    taken: dict[UUID, Mask] = {}
    choices = []
    # What ``allocate`` does at one start, for all starts at once: each requirement takes the first candidate that
    # is free and that no requirement before it has taken.
    for requirement, suitable in zip(service.terms.requirements, candidates, strict=True):
        unmet = left
        choice = []
        for candidate in suitable:
            if not unmet:
                break
            where = possible.of(candidate, requirement.quantity) & unmet
            if where and candidate.id in taken:
                where &= ~taken[candidate.id]
            if where:
                choice.append((candidate.id, where))
                taken[candidate.id] = taken.get(candidate.id, 0) | where
                unmet &= ~where
        left &= ~unmet
        choices.append(tuple(choice))
    return Offered(window, left, tuple(choices))


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
        self._before_min = terms.buffer_before_min
        self._claim_min = terms.buffer_before_min + terms.duration_min + terms.buffer_after_min
        self._step_min = terms.slot_step_min
        self._window = window
        self._grids: dict[str, Mask] = {}
        self._known: dict[tuple[UUID, int], Mask] = {}

    def of(self, candidate: Candidate, quantity: int) -> Mask:
        key = candidate.id, quantity
        if key not in self._known:
            self._known[key] = self._worked_out(candidate, quantity)
        return self._known[key]

    def _worked_out(self, candidate: Candidate, quantity: int) -> Mask:
        window, resource = self._window, candidate.open_days.resource
        free = free_mask(candidate.used, resource.capacity, quantity, window.days * MINUTES_PER_DAY)
        if free:
            free &= candidate.open_days.mask(window.first_day, window.days)
        # A claim starts before its visit by the buffer.
        return eroded(free, self._claim_min) << self._before_min & self._grid(resource.time_zone)

    def _grid(self, time_zone: str) -> Mask:
        if time_zone not in self._grids:
            self._grids[time_zone] = grid_mask(time_zone, self._step_min, self._window.first_day, self._window.days)
        return self._grids[time_zone]
