"""The measures of ``domain.strategies`` for all starts of a window at once: in pieces, within each the same."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.bit_planes import Mask, Planes, each_minute, minutes
from domain.wall_clock import A_DAY, MINUTE, local_day


class Dates(NamedTuple):
    """Claims that start from minute ``first`` up to ``end`` lie on the same local dates: ``opens`` … ``closes``."""

    first: int
    end: int
    opens: int
    closes: int


class Piece(NamedTuple):
    """For claims that start from minute ``first`` up to ``end`` it measures so much; less is better."""

    first: int
    end: int
    measure: int


def dates_of_claims(
    time_zones: Collection[str], origin: datetime, first: int, end: int, claim_min: int
) -> Mapping[str, Sequence[Dates]]:
    """The pieces of ``first`` … ``end`` (minutes after ``origin``) by which local dates a claim touches.

    A piece ends where any of the zones has a midnight, so that they are the same pieces in all zones.
    """
    midnights = {zone: _midnights(zone, origin, first, end + claim_min) for zone in time_zones}
    turns = {first, end}
    for found in midnights.values():
        # A claim of n minutes touches one date more as soon as its last minute, the n-1st after its start, does.
        turns.update(turn for midnight in found for turn in (midnight, midnight - claim_min + 1))
    pieces = list(pairwise(sorted(turn for turn in turns if first <= turn <= end)))
    return {
        zone: [
            Dates(
                start,
                until,
                found[bisect_right(found, start) - 1],
                found[bisect_right(found, start + claim_min - 1)],
            )
            for start, until in pieces
        ]
        for zone, found in midnights.items()
    }


def _midnights(time_zone: str, origin: datetime, first: int, end: int) -> list[int]:
    """When local dates begin, from the one in which ``first`` lies to the one after ``end``."""
    zone = ZoneInfo(time_zone)
    day, last = (origin + first * MINUTE).astimezone(zone).date() - A_DAY, origin + end * MINUTE
    found: list[int] = []
    while True:
        whole = local_day(day, zone)
        if whole is not None:
            found.append((whole.start - origin) // MINUTE)
            if whole.start > last:
                return found
        day += A_DAY


def loads(used: Planes, dates: Sequence[Dates]) -> Iterator[Piece]:
    """Claimed quantity × minutes on the dates."""
    known: dict[tuple[int, int], int] = {}
    for first, end, opens, closes in dates:
        if (opens, closes) not in known:
            every = (1 << (closes - opens)) - 1
            known[opens, closes] = sum((plane >> opens & every).bit_count() << k for k, plane in enumerate(used))
        yield Piece(first, end, known[opens, closes])


def stretches(free: Mask, dates: Sequence[Dates], claim_min: int) -> Iterator[Piece]:
    """The length of the run of free minutes around the claim, on the dates. Only where the claim fits into one."""
    edges = list(each_minute(free ^ free << 1))
    runs = iter(zip(edges[::2], edges[1::2], strict=True))
    begins, ends = next(runs, (0, 0))
    for first, end, opens, closes in dates:
        while begins < ends:
            fits_from, fits_until = max(first, begins), min(end, ends - claim_min + 1)
            if fits_from < fits_until:
                yield Piece(fits_from, fits_until, min(ends, closes) - max(begins, opens))
            if ends - claim_min + 1 > end:
                break  # the run reaches into the next piece
            begins, ends = next(runs, (0, 0))


@dataclass(frozen=True, slots=True)
class Ranked:
    """The candidates of a requirement, by their place in its list, each with its pieces in order of time.

    ``turns`` are the minutes at which pieces end, whoever's they are: what happens between two is settled by itself.
    """

    pieces: Sequence[Sequence[Piece]]
    turns: Sequence[int]

    def best_first(self) -> Iterator[tuple[int, int, list[tuple[int, int, int]]]]:
        """Between every two turns (from, until) the candidates, best first, each with the minutes it is to be had for.

        Equal measures: as listed.
        """
        between: list[list[tuple[int, int, int, int]]] = [[] for _ in self.turns]
        for candidate, ones in enumerate(self.pieces):
            for first, end, measure in ones:
                between[bisect_right(self.turns, first) - 1].append((measure, candidate, first, end))
        for (first, end), several in zip(pairwise(self.turns), between, strict=False):
            yield first, end, [one[1:] for one in sorted(several)]

    def at(self, minute: int) -> list[int]:
        """The candidates for a claim that starts then, best first."""
        measured = []
        for candidate, ones in enumerate(self.pieces):
            last = bisect_right(ones, minute, key=lambda piece: piece.first) - 1
            if last >= 0 and minute < ones[last].end:
                measured.append((ones[last].measure, candidate))
        return [candidate for _, candidate in sorted(measured)]


def part_of(mask: Mask, first: int, end: int) -> Mask:
    """The minutes of ``mask`` from ``first`` up to ``end``."""
    within = mask >> first & minutes(0, end - first)
    return within << first if within else 0
