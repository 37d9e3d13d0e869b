"""The measures of ``domain.strategies`` for all starts of a window at once: in pieces, within each the same."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.bit_planes import Mask, Planes, each_minute, minutes, parts
from domain.pool import POOL_MAX
from domain.possible_starts import Window
from domain.wall_clock import A_DAY, MINUTE, MINUTES_PER_DAY, local_day

CALENDARS_KEPT_MAX = 128
CALENDAR_BYTES = 33_000
"""What one of eighty days takes in each of its zones, mostly one."""
ORDERS_KEPT_MAX = 256
"""So many dates of pools."""
ORDER_BYTES = 97 * POOL_MAX
"""What one takes of the largest pool, each of whose resources stands in one place that day."""


class Dates(NamedTuple):
    """Claims that start from minute ``first`` up to ``end`` lie on the same local dates: ``opens`` … ``closes``."""

    first: int
    end: int
    opens: int
    closes: int


@dataclass(frozen=True, eq=False)
class Calendar:
    """A window in pieces by which local dates a claim touches: the same pieces in all zones."""

    pieces: Sequence[tuple[int, int]]
    by_zone: Mapping[str, Sequence[Dates]]


@lru_cache(maxsize=CALENDARS_KEPT_MAX)
def calendar_of(time_zones: frozenset[str], window: Window, claim_min: int) -> Calendar:
    """The same object for the same question, as long as it is kept."""
    end = window.days * MINUTES_PER_DAY
    midnights = {zone: _midnights(zone, window.origin, end + claim_min) for zone in time_zones}
    turns = {0, end}
    for found in midnights.values():
        # A claim of n minutes touches one date more as soon as its last minute, the n-1st after its start, does.
        turns.update(turn for midnight in found for turn in (midnight, midnight - claim_min + 1))
    pieces = list(pairwise(sorted(turn for turn in turns if 0 <= turn <= end)))
    by_zone = {
        zone: [
            Dates(
                start,
                until,
                max(found[bisect_right(found, start) - 1], 0),
                found[bisect_right(found, start + claim_min - 1)],
            )
            for start, until in pieces
        ]
        for zone, found in midnights.items()
    }
    return Calendar(pieces, by_zone)


def _midnights(time_zone: str, origin: datetime, end: int) -> list[int]:
    """When local dates begin, from the one in which minute 0 lies to the one after ``end``."""
    zone = ZoneInfo(time_zone)
    day, last = origin.astimezone(zone).date() - A_DAY, origin + end * MINUTE
    found: list[int] = []
    while True:
        whole = local_day(day, zone)
        if whole is not None:
            found.append((whole.start - origin) // MINUTE)
            if whole.start > last:
                return found
        day += A_DAY


# A standing says of one candidate how it measures for some minutes of a piece. It is a single number, by which whoever
# is best comes first: the measure, then the candidate's place in the list, then the minutes, counted from the piece's.
Standing = int
Standings = Sequence[tuple[Standing, ...]]
_MINUTE_BITS, _PLACE_BITS = 13, 24
_MINUTE, _PLACE = (1 << _MINUTE_BITS) - 1, (1 << _PLACE_BITS) - 1


def _standing(measure: int, place: int, first: int, end: int) -> Standing:
    return ((measure << _PLACE_BITS | place) << _MINUTE_BITS | first) << _MINUTE_BITS | end


def place_of(standing: Standing) -> int:
    return standing >> 2 * _MINUTE_BITS & _PLACE


def minutes_of(standing: Standing) -> Mask:
    """From the first minute of the piece on."""
    return minutes(standing >> _MINUTE_BITS & _MINUTE, standing & _MINUTE)


def by_load(place: int, used: Planes, dates: Sequence[Dates]) -> Standings:
    """For each piece: claimed quantity × minutes on its dates."""
    loads = [0] * len(dates)
    for k, plane in enumerate(used):
        for number, part in enumerate(parts(plane, ((one.opens, one.closes) for one in dates))):
            loads[number] += part.bit_count() << k
    return [(_standing(load, place, 0, one.end - one.first),) for load, one in zip(loads, dates, strict=True)]


def by_stretch(place: int, free: Mask, dates: Sequence[Dates], claim_min: int) -> Standings:
    """For each piece: the length of each run of free minutes, on its dates, that a claim fits into."""
    edges = each_minute(free ^ free << 1)
    runs = zip(edges[::2], edges[1::2], strict=True)
    begins, ends = next(runs, (0, 0))
    found: list[tuple[Standing, ...]] = []
    for first, end, opens, closes in dates:
        here: list[Standing] = []
        while begins < ends:
            fits_from, fits_until = max(first, begins), min(end, ends - claim_min + 1)
            if fits_from < fits_until:
                stretch = min(ends, closes) - max(begins, opens)
                here.append(_standing(stretch, place, fits_from - first, fits_until - first))
            if ends - claim_min + 1 > end:
                break  # the run reaches into the next piece
            begins, ends = next(runs, (0, 0))
        found.append(tuple(here))
    return found


@dataclass(frozen=True, slots=True)
class Ranked:
    """The ``standings`` of each candidate of a requirement, piece by piece."""

    calendar: Calendar
    standings: Sequence[Standings]

    def best_first(self, piece: int) -> Sequence[Standing]:
        """Equal measures: as listed."""
        return in_order(tuple([pieces[piece] for pieces in self.standings]))

    def at(self, minute: int) -> list[int]:
        """The places of the candidates for a claim that starts then, best first."""
        piece = bisect_right(self.calendar.pieces, minute, key=lambda bounds: bounds[0]) - 1
        after = minute - self.calendar.pieces[piece][0]
        return [place_of(standing) for standing in self.best_first(piece) if minutes_of(standing) >> after & 1]


@lru_cache(maxsize=ORDERS_KEPT_MAX)
def in_order(standings: tuple[tuple[Standing, ...], ...]) -> Sequence[Standing]:
    """A booking changes the standings of one candidate on a date or two: everything else is in order already."""
    return sorted(chain.from_iterable(standings))
