"""Every change of every zone's clock from 2000 to 2037, and the clock itself, read minute by minute.

For the tests alone: nothing here uses the domain, so that the domain can be measured against it.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
STRIDE = timedelta(days=4)
"""How often the finder looks at the clock: within the shortest stay, a week (Boa Vista, October 2000)."""
MINUTE = timedelta(minutes=1)
WALKED_MIN = 48 * 60
"""How far the clock is followed to either side of a change: all of its date, the one before and the one after."""
QUARTER_MIN = 15


@dataclass(frozen=True, slots=True, order=True)
class Transition:
    """``at`` is the first UTC minute of the new offset; ``zone`` is the first by name that changes so."""

    at: datetime
    before: timedelta
    after: timedelta
    zone: str

    def __str__(self) -> str:
        return f"{self.zone} {self.at:%Y-%m-%d %H:%M}Z {self.before / MINUTE:+.0f} to {self.after / MINUTE:+.0f} min"


def transitions_of(zone: str) -> Iterator[Transition]:
    """The changes of one zone's offset from UTC, ascending, by bisection."""
    where = ZoneInfo(zone)
    offsets = [moment.astimezone(where).utcoffset() for moment in _strides()]
    for (start, before), (end, after) in pairwise(zip(_strides(), offsets, strict=True)):
        if before != after:
            assert before is not None
            assert after is not None
            old, new = start, end
            while new - old > MINUTE:
                middle = old + (new - old) // MINUTE // 2 * MINUTE
                old, new = (middle, new) if middle.astimezone(where).utcoffset() == before else (old, middle)
            yield Transition(new, before, after, zone)


@cache
def _strides() -> tuple[datetime, ...]:
    return tuple(FIRST + n * STRIDE for n in range((LAST - FIRST) // STRIDE + 1))


@cache
def transitions_by_zone() -> dict[str, tuple[Transition, ...]]:
    """All zones that this Python knows, links too: from the system's database, else from the package ``tzdata``."""
    return {zone: tuple(transitions_of(zone)) for zone in sorted(available_timezones())}


@cache
def every_transition() -> tuple[Transition, ...]:
    """One of each: where zones change at the same instant between the same offsets, their clocks show the same."""
    one_of_each: dict[tuple[datetime, timedelta, timedelta], Transition] = {}
    for found in transitions_by_zone().values():
        for one in found:
            one_of_each.setdefault((one.at, one.before, one.after), one)
    return tuple(sorted(one_of_each.values()))


@cache
def one_of_each_kind() -> tuple[Transition, ...]:
    """The latest change for each jump: from one time on the wall to another, at one minute of the UTC day."""
    kinds = {}
    for one in every_transition():
        utc = one.at.hour * 60 + one.at.minute
        kinds[utc, one.before, one.after] = one
    return tuple(kinds.values())


@dataclass(frozen=True, slots=True)
class WalkedClock:
    """What a zone's clock shows at each UTC minute from ``start``, in minutes since 0001-01-01 00:00 on the wall."""

    start: datetime
    shown: Sequence[int]

    def moment(self, minute: int) -> datetime:
        return self.start + minute * MINUTE

    def minute(self, moment: datetime) -> int:
        """The index of a whole minute; it may lie outside of what was walked."""
        return (moment - self.start) // MINUTE


@cache
def walked(transition: Transition) -> WalkedClock:
    """The clock around a change, read at each minute near a jump and each quarter of an hour elsewhere.

    A clock that is a quarter further after a quarter has shown each minute between: no zone jumps there and back.
    """
    where, start = ZoneInfo(transition.zone), transition.at - WALKED_MIN * MINUTE
    quarters = range(0, 2 * WALKED_MIN + QUARTER_MIN, QUARTER_MIN)
    reads = [read(start + minute * MINUTE, where) for minute in quarters]
    shown = array("i")  # four bytes a minute: all changes at once stay in memory
    for minute, (one, other) in zip(quarters, pairwise(reads), strict=False):
        if other - one == QUARTER_MIN:
            shown.extend(range(one, other))
        else:
            shown.extend(read(start + (minute + n) * MINUTE, where) for n in range(QUARTER_MIN))
    return WalkedClock(start, shown)


def read(moment: datetime, where: ZoneInfo) -> int:
    """The time on the wall at an instant, in minutes since 0001-01-01 00:00."""
    wall = moment.astimezone(where)
    assert wall.second == moment.second, "offsets are whole minutes in these years"
    return (wall.toordinal() - 1) * 1440 + wall.hour * 60 + wall.minute
