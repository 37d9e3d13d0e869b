"""Recurrence rules by python-dateutil (before 3): the port ``application.recurrences.Recurrences``.

dateutil cannot be told where to stop looking: a rule that never matches is searched until the year 9999, for seconds.
So it is asked for one calendar year at a time, which days of it the BY… parts name; the periods (FREQ, INTERVAL),
BYSETPOS, the times of day and the bounds are here. So is what dateutil 2.9 takes for something else than RFC 5545 does:

- ``BYDAY=MO,1FR`` is every Monday and the first Friday; dateutil finds no day that is both.
- ``BYSETPOS`` of a week counts from the week's first day; dateutil begins the first week at the start.
- ``BYWEEKNO`` without days is the start's weekday; dateutil takes all seven.
- Days around New Year are in the week of the year that has most of it; dateutil takes 2011-01-01 for week 53.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby, islice
from zoneinfo import ZoneInfo

from dateutil import rrule as dateutil_rules

from adapters.recurrence_text import WEEKS_OF_MONTH, WEEKS_OF_YEAR, Rule, WeekdayOf, invalid, read
from application.catalogue import ensure_zone
from application.recurrences import EXDATES_MAX, WINDOW_MAX, Expansion
from domain.refusals import InvalidValue
from domain.series import OCCURRENCES_MAX, start_of
from domain.wall_clock import A_DAY, WEEKDAYS, local_day

START_YEAR_MIN, START_YEAR_MAX = 1970, 2999
EVERY_WEEKDAY = tuple(WeekdayOf(weekday, 0) for weekday in range(len(WEEKDAYS)))
EVERY_MONTH = tuple(range(1, 13))


class RecurrenceRules:
    """The port ``application.recurrences.Recurrences``. Pure: no clock, no state."""

    def expand(self, rrule: str, start_local: datetime, time_zone: str, exdates: Sequence[datetime] = ()) -> Expansion:
        rule = read(rrule)
        ensure_zone(time_zone)
        _ensure_local(start_local, exdates)
        starts = _bounded(rule, start_local, ZoneInfo(time_zone))
        taken_out = set(exdates)
        kept = tuple(start for start in starts if start not in taken_out)
        if not kept:
            raise InvalidValue("exdates", "not every occurrence")
        return Expansion(rule.text, kept)


def _ensure_local(start_local: datetime, exdates: Sequence[datetime]) -> None:
    if start_local.tzinfo or start_local.second or start_local.microsecond:
        raise InvalidValue("start_local", "a whole minute in wall-clock time, without an offset")
    if not START_YEAR_MIN <= start_local.year <= START_YEAR_MAX:
        raise InvalidValue("start_local", f"from {START_YEAR_MIN} to {START_YEAR_MAX}")
    if len(exdates) > EXDATES_MAX:
        raise InvalidValue("exdates", f"at most {EXDATES_MAX}")
    if any(exdate.tzinfo for exdate in exdates):
        raise InvalidValue("exdates", "wall-clock times, without an offset")


def _bounded(rule: Rule, start: datetime, zone: ZoneInfo) -> list[datetime]:
    """Raises ``InvalidValue`` if there are none, too many, or if they reach too far."""
    last = start + WINDOW_MAX
    if rule.until:
        # A UTC time is taken for a local one here: the limit is in days, and near the year 9999 no zone can be asked.
        until = rule.until.replace(tzinfo=None)
        if until > last:
            raise invalid(f"UNTIL lies at most {WINDOW_MAX.days} days after the start")
        last = min(last, until + A_DAY if rule.until.tzinfo else until)
    found = (one for one in _occurrences(rule, start, last, zone) if _by_until(rule, one, zone))
    starts = list(islice(found, rule.count or OCCURRENCES_MAX + 1))
    if len(starts) > OCCURRENCES_MAX:
        raise invalid(f"at most {OCCURRENCES_MAX} occurrences: UNTIL lies beyond them")
    if not starts:
        where = "between the start and UNTIL" if rule.until else f"within {WINDOW_MAX.days} days of the start"
        raise invalid(f"no occurrence lies {where}")
    if rule.count and len(starts) < rule.count:
        raise invalid(f"only {len(starts)} of COUNT={rule.count} occurrences lie within {WINDOW_MAX.days} days")
    return starts


def _by_until(rule: Rule, start: datetime, zone: ZoneInfo) -> bool:
    if not rule.until or not rule.until.tzinfo:
        return True  # the search ends at a local UNTIL by itself
    return start_of(start, zone).astimezone(UTC) <= rule.until


def _occurrences(rule: Rule, start: datetime, last: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The starts from ``start`` to ``last``, both included, ascending."""
    hours, minutes = rule.byhour or (start.hour,), rule.byminute or (start.minute,)
    times = [time(hour, minute) for hour in hours for minute in minutes]
    first = _period(rule, start.date())
    for period, days in groupby(_days(rule, start.date(), last.date()), key=lambda day: _period(rule, day)):
        if period < first or (period - first) % rule.interval:
            continue
        # Before BYSETPOS chooses: the last weekday of December 2011 was the 29th in Apia, which had no 30th.
        exist = [day for day in days if local_day(day, zone)]
        size = len(exist) * len(times)
        # A year may have a start in each of its minutes: those before the first date are not even looked at.
        reached = range(bisect_left(exist, start.date()) * len(times), size)
        for at in _positions(rule.bysetpos, size) if rule.bysetpos else reached:
            one = datetime.combine(exist[at // len(times)], times[at % len(times)])
            if one > last:
                return
            if one >= start:
                yield one


@lru_cache(maxsize=64)  # the days of a rule, and most of its months, are of one size
def _positions(bysetpos: tuple[int, ...], size: int) -> Sequence[int]:
    """Which of a period's ``size`` starts BYSETPOS chooses, as ascending indices."""
    positions = {at - 1 if at > 0 else size + at for at in bysetpos}
    return sorted(at for at in positions if 0 <= at < size)


def _period(rule: Rule, day: date) -> int:
    """The number of the day, week, month or year, counted from anywhere, that INTERVAL steps over."""
    match rule.freq:
        case "DAILY":
            return day.toordinal()
        case "WEEKLY":
            return (day.toordinal() - 1 - rule.week_start) // 7  # day 1 was a Monday
        case "MONTHLY":
            return day.year * 12 + day.month
    return _week(day, rule.week_start)[0] if rule.byweekno else day.year


def _week(day: date, week_start: int) -> tuple[int, int]:
    """The year of a day's week, which is the one that has at least four days of it, and the week's number there."""
    fourth = day - timedelta(days=(day.weekday() - week_start) % 7 - 3)
    return fourth.year, (fourth.timetuple().tm_yday - 1) // 7 + 1


def _days(rule: Rule, first: date, last: date) -> Iterator[date]:
    """The days that the BY… parts name, of every period that ``first`` … ``last`` touches, and some around."""
    named = _completed(rule, first)
    weekdays = [dateutil_rules.weekday(one.weekday, one.nth or None) for one in named.byday]
    # A year more at both ends: a week may reach into it, and BYSETPOS counts whole periods.
    for year in range(first.year - 1, last.year + 2):
        for found in dateutil_rules.rrule(
            dateutil_rules.YEARLY,
            dtstart=datetime(year, 1, 1),  # noqa: DTZ001  a local date
            interval=MAXYEAR,  # ends the search with this year
            bymonth=named.bymonth or None,
            bymonthday=named.bymonthday or None,
            byyearday=named.byyearday or None,
            byweekday=weekdays or None,
        ):
            day = found.date()
            if not rule.byweekno or _in_weeks(rule, day):
                yield day


def _in_weeks(rule: Rule, day: date) -> bool:
    year, number = _week(day, rule.week_start)
    weeks = _week(date(year, 12, 28), rule.week_start)[1]  # always in the last one
    return number in rule.byweekno or number - weeks - 1 in rule.byweekno


def _completed(rule: Rule, start: date) -> Rule:
    """With what RFC 5545 takes from the start where the rule does not say it, for a search of whole years."""
    weekdays, months, month_days = rule.byday, rule.bymonth, rule.bymonthday
    if not (weekdays or month_days or rule.byyearday):
        if rule.freq == "DAILY":
            weekdays = EVERY_WEEKDAY
        elif rule.freq == "WEEKLY" or rule.byweekno:
            weekdays = (WeekdayOf(start.weekday(), 0),)
        else:
            month_days = (start.day,)
            months = months or ((start.month,) if rule.freq == "YEARLY" else ())
    if rule.freq == "MONTHLY":
        months = months or EVERY_MONTH  # with months, dateutil counts the weekdays of each
    if any(one.nth for one in weekdays):
        numbers = range(1, (WEEKS_OF_MONTH if months else WEEKS_OF_YEAR) + 1)
        weekdays = tuple(WeekdayOf(one.weekday, n) for one in weekdays for n in ([one.nth] if one.nth else numbers))
    return replace(rule, byday=weekdays, bymonth=months, bymonthday=month_days)
