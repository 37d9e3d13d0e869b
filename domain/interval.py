"""Half-open intervals of absolute time."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Self

from domain.value import value


@value(frozen=True, slots=True, order=True)
class Interval:
    """The instants from ``start`` up to, but not including, ``end``; both UTC, never empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is not UTC or self.end.tzinfo is not UTC:
            # One representation of an instant keeps equality, hashing and the stored bytes the same.
            object.__setattr__(self, "start", self.start.astimezone(UTC))
            object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.end <= self.start:
            raise ValueError(f"an interval ends after it starts: {self.start} … {self.end}")

    def overlaps(self, other: Self) -> bool:
        return self.start < other.end and other.start < self.end

    def contains(self, other: Self) -> bool:
        return self.start <= other.start and other.end <= self.end

    def clipped_to(self, other: Self) -> Self | None:
        """What the two have in common, or None."""
        if other.contains(self):
            return self
        start, end = max(self.start, other.start), min(self.end, other.end)
        return type(self)(start, end) if start < end else None

    def widened(self, *, before: timedelta, after: timedelta) -> Self:
        return type(self)(self.start - before, self.end + after)


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """The same instants as ``intervals``, sorted, with touching and overlapping ones merged."""
    merged: list[Interval] = []
    for interval in sorted(intervals):
        if merged and interval.start <= merged[-1].end:
            if interval.end > merged[-1].end:
                merged[-1] = Interval(merged[-1].start, interval.end)
        else:
            merged.append(interval)
    return merged
