"""When a resource is open and when its slot grid falls, as minute masks of UTC days."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.bit_planes import Mask, minutes
from domain.resource import Resource
from domain.wall_clock import A_DAY, MINUTE, MINUTES_PER_DAY, minute_of_day

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_BYTES = MINUTES_PER_DAY // 8
DAYS_KEPT_MAX = 96
"""Of each resource: the longest window of a query and the claims that reach out of it."""
KEPT_DAY_BYTES = 290
"""What each of them takes."""
GRID_DAYS_KEPT_MAX = 8_192
GRID_DAY_BYTES = 750


def day_number(moment: datetime) -> int:
    """The UTC day of an instant, counted from 1970-01-01."""
    return (moment - EPOCH) // A_DAY


def minute_after(origin_day: int, moment: datetime) -> int:
    """Whole minutes from the beginning of a UTC day; a minute that has begun does not count."""
    return (moment - EPOCH) // MINUTE - origin_day * MINUTES_PER_DAY


def minute_after_rounded_up(origin_day: int, moment: datetime) -> int:
    """Whole minutes from the beginning of a UTC day; a minute that has begun counts."""
    return -((EPOCH - moment) // MINUTE) - origin_day * MINUTES_PER_DAY


class OpenDays:
    """The open minutes of one state of a resource. Each UTC day is worked out once and kept, up to a limit."""

    __slots__ = ("_kept", "resource")

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._kept: dict[int, bytes] = {}

    def mask(self, first_day: int, days: int) -> Mask:
        """Working hours without closures, holidays and retirement, of ``days`` UTC days from ``first_day``."""
        wanted = range(first_day, first_day + days)
        missing = [day for day in wanted if day not in self._kept]
        if missing:
            if len(self._kept) + len(missing) > DAYS_KEPT_MAX:
                self._kept = {day: kept for day, kept in self._kept.items() if day in wanted}
            first = missing[0]
            worked_out = open_mask(self.resource, first, missing[-1] - first + 1)
            data = worked_out.to_bytes((missing[-1] - first + 1) * DAY_BYTES, "little")
            for day in missing:
                at = (day - first) * DAY_BYTES
                self._kept[day] = data[at : at + DAY_BYTES]
        kept = self._kept
        return int.from_bytes(b"".join([kept[day] for day in wanted]), "little")


def open_mask(resource: Resource, first_day: int, days: int) -> Mask:
    """The minutes of which all is open. A boundary within a minute, as a closure may have, closes that minute."""
    zone, width = resource.zone, days * MINUTES_PER_DAY
    start, end = EPOCH + first_day * A_DAY, EPOCH + (first_day + days) * A_DAY
    # A day more on either side: hours that begin the evening before, or that a jump put on another date.
    dates = start.astimezone(zone).date() - A_DAY, end.astimezone(zone).date() + A_DAY
    mask = 0
    for hours in resource.working_hours(*dates):
        opens, closes = minute_after_rounded_up(first_day, hours.start), minute_after(first_day, hours.end)
        mask |= minutes(max(opens, 0), min(closes, width))
    for closure in resource.closures:
        if closure.interval.start < end and start < closure.interval.end:
            shuts = max(minute_after(first_day, closure.interval.start), 0)
            mask &= ~minutes(shuts, min(minute_after_rounded_up(first_day, closure.interval.end), width))
    if resource.retired_at is not None:
        mask &= minutes(0, min(max(minute_after(first_day, resource.retired_at), 0), width))
    return mask


def grid_mask(time_zone: str, step_min: int, first_day: int, days: int) -> Mask:
    """The minutes at which the wall clock shows a multiple of the step since midnight (``Service.ensure_on_grid``)."""
    wanted = range(first_day, first_day + days)
    return int.from_bytes(b"".join(grid_of_day(time_zone, step_min, day) for day in wanted), "little")


@lru_cache(maxsize=GRID_DAYS_KEPT_MAX)
def grid_of_day(time_zone: str, step_min: int, day: int) -> bytes:
    mask, start = 0, EPOCH + day * A_DAY
    for first, end, wall in _even_stretches(start, ZoneInfo(time_zone)):
        while first < end:
            midnight = first + MINUTES_PER_DAY - wall
            for minute in range(first + -wall % step_min, min(end, midnight), step_min):
                mask |= 1 << minute
            first, wall = min(end, midnight), 0  # noqa: PLW2901  the rest of the stretch, on the next local date
    return mask.to_bytes(DAY_BYTES, "little")


def _even_stretches(start: datetime, zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
    """A UTC day in stretches within which the wall clock does not jump: from, to, and what it shows first."""
    # An hour holds at most one jump, so equal progress at both ends of a stretch means even progress between.
    unseen = [(hour * 60, hour * 60 + 60) for hour in range(24)]
    while unseen:
        first, end = unseen.pop()
        wall = minute_of_day(start + timedelta(minutes=first), zone)
        wall_last = minute_of_day(start + timedelta(minutes=end - 1), zone)
        if (wall_last - wall) % MINUTES_PER_DAY == end - 1 - first:
            yield first, end, wall
        else:
            middle = (first + end) // 2
            unseen += [(first, middle), (middle, end)]
