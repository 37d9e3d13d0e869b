"""Which starts of a service are free: working hours − closures − claims, as arithmetic on minute masks.

It offers exactly what ``domain.allocation.allocate`` and ``Service.ensure_bookable_at`` would accept, minute for
minute, and names the resources that ``allocate`` would choose.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar
from uuid import UUID

from domain.allocation import Choice
from domain.bit_planes import Mask, each_minute, minutes
from domain.choosing import BY_DATE, Choosing, Given
from domain.interval import Interval
from domain.open_hours import day_number, minute_after, minute_after_rounded_up
from domain.possible_starts import BLOCK_DAYS, BLOCK_MIN, Candidate, PossibleStarts, Window
from domain.service import Service
from domain.wall_clock import MINUTE

DATES_AROUND = timedelta(days=2)
"""However a zone's clock jumps, a local date begins and ends within so much of any of its instants."""

T = TypeVar("T")


def window_of(service: Service, starts: Interval, *, whole_dates: bool = False) -> Window:
    """All that a visit may take which starts within ``starts``; with the local dates around it, if they matter."""
    margin = DATES_AROUND if whole_dates else timedelta()
    first, last = service.claim(starts.start).start - margin, service.claim(starts.end).end + margin
    return Window(day_number(first) // BLOCK_DAYS, day_number(last) // BLOCK_DAYS)


def looks_at_whole_dates(choices: Sequence[Choice[T]]) -> bool:
    """Whether a strategy weighs what else there is on the dates of a visit."""
    return any(choice.strategy in BY_DATE for choice in choices)


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
class Offered:
    """The free starts; for each requirement, which resource is chosen at which of them."""

    window: Window
    starts: Mask
    choices: tuple[tuple[Given, ...], ...]

    def visits(self, limit: int) -> Iterator[tuple[datetime, tuple[UUID, ...]]]:
        """The first ``limit`` starts, ascending, each with one resource for each requirement."""
        origin = self.window.origin
        for minute, resource_ids in self.by_minute(limit):
            yield origin + minute * MINUTE, resource_ids

    def by_minute(self, limit: int) -> Iterator[tuple[int, tuple[UUID, ...]]]:
        """The same, with the minutes of the window for starts."""
        chosen = [
            {base + minute: resource_id for resource_id, base, where in choice for minute in each_minute(where)}
            for choice in self.choices
        ]
        for minute in islice(each_minute(self.starts), limit):
            yield minute, tuple([by_minute[minute] for by_minute in chosen])


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
    return offered_within(service, choices, window, minutes_bookable(service, window, starts, now), besides)


def offered_within(
    service: Service,
    choices: Sequence[Choice[Candidate]],
    window: Window,
    bounds: tuple[int, int],
    besides: Iterable[Interval],
) -> Offered:
    """The same, from a minute of the window up to another one."""
    possible = PossibleStarts(service, window)
    left = minutes(*bounds)
    for out in besides:
        edges = (minute_after_rounded_up(window.first_day, moment) for moment in (out.start, out.end))
        left &= ~minutes(*(max(edge, 0) for edge in edges))
    choosing = Choosing(service, choices, possible)
    # What ``allocate`` does at one start, for all starts at once: each requirement takes its best candidate that is
    # free and that no requirement before it has taken.
    contested = 0
    for place in range(len(choices)):
        unmet = choosing.choose(place, left)
        contested |= choosing.contested(place, unmet)
        left &= ~unmet
    # Where one before would have to make room, the starts are put to the very same matching, one by one.
    return Offered(window, left | choosing.settle(contested), choosing.choices())


def minutes_bookable(service: Service, window: Window, starts: Interval, now: datetime) -> tuple[int, int]:
    """From which minute of the window up to which one ``Service.ensure_bookable_at`` allows ``starts``."""
    earliest = now + timedelta(minutes=service.terms.min_notice_min)
    latest = now + timedelta(days=service.terms.max_advance_days)
    first = minute_after_rounded_up(window.first_day, max(starts.start, earliest))
    end = min(minute_after_rounded_up(window.first_day, starts.end), minute_after(window.first_day, latest) + 1)
    return first, end
