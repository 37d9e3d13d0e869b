"""Wall-clock rules and the instants at which they happen (RFC 5545, 3.3.10)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.interval import Interval

MINUTES_PER_DAY = 24 * 60
A_SECOND = timedelta(seconds=1)
A_MOMENT = timedelta(microseconds=1)
"""The least there is: the last moment of an interval comes so long before its end."""
MINUTE = timedelta(minutes=1)
A_DAY = timedelta(days=1)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
"""RFC 5545 names, in the order of ``date.weekday()``."""
TIMES_KEPT = 4_096
"""A decision asks mostly when the same few dates begin and end, and the working hours on them."""
TIME_BYTES = 350
"""What one that is kept takes, with what it was worked out from."""


def instant(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The UTC instant at which the wall clock of ``zone`` shows ``minute`` (0…1440) of ``day``.

    A time that falls in a spring gap is moved forward by the gap; of a repeated autumn hour, the
    first. 1440 is the midnight that ends the day.
    """
    return _wall(day, minute, zone).astimezone(UTC)


def _wall(day: date, minute: int, zone: ZoneInfo) -> datetime:
    if minute == MINUTES_PER_DAY:
        day, minute = day + A_DAY, 0
    return datetime.combine(day, time(minute // 60, minute % 60), tzinfo=zone)


@lru_cache(TIMES_KEPT)
def reached(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The first UTC instant at which the wall clock of ``zone`` shows ``minute`` (0…1440) of ``day``, or a later time.

    A time that falls in a spring gap is reached when the gap is over; of a repeated autumn hour, the first counts.
    """
    wall = _wall(day, minute, zone)
    moment = wall.astimezone(UTC)
    if moment.astimezone(zone) == wall:  # with one zone on both sides Python compares what the wall clock shows
        return moment
    # In a gap: the clock jumped past it after ``early``, and not after ``moment``, which is later by the whole gap.
    early = wall.replace(fold=1).astimezone(UTC)
    while moment - early > A_SECOND:
        middle = early + (moment - early) // A_SECOND // 2 * A_SECOND
        if middle.astimezone(zone) < wall:
            early = middle
        else:
            moment = middle
    return moment


@lru_cache(TIMES_KEPT)
def local_day(day: date, zone: ZoneInfo) -> Interval | None:
    """All instants of one local date; None for a date that the zone skipped (Apia, 2011-12-30)."""
    start, end = instant(day, 0, zone), instant(day + A_DAY, 0, zone)
    return Interval(start, end) if start < end else None


def local_days(interval: Interval, zone: ZoneInfo) -> Iterator[tuple[date, Interval]]:
    """The local dates that ``interval`` touches, each with the part of it that lies on that date.

    Where the clock goes back over midnight (St. John's until 2011: from 00:01 to 23:01), the evening that is repeated
    comes after the midnight that began the next date, and lies on that one.
    """
    day = interval.start.astimezone(zone).date()
    last = (interval.end - A_MOMENT).astimezone(zone).date()
    reached = interval.start
    while day <= last or (reached < interval.end and day == last + A_DAY):
        whole = local_day(day, zone)
        part = interval.clipped_to(whole) if whole else None
        if part:
            yield day, part
            reached = part.end
        day += A_DAY


def minute_of_day(moment: datetime, zone: ZoneInfo) -> int:
    """What the wall clock shows at ``moment``, in minutes after midnight (seconds dropped)."""
    local = moment.astimezone(zone)
    return local.hour * 60 + local.minute
