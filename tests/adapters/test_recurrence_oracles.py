"""Recurrence rules on generated rules against two judges: python-dateutil with the rule whole, and a naive calendar.

dateutil is asked only what it is known to get right and to end: no BYSETPOS of weeks, no week numbers, no numbered and
plain weekdays in one rule (see ``adapters.recurrence_rules``), and nothing that never happens. The naive calendar
looks at each day of the window and at nothing else, and is asked the rest as well.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice, takewhile
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.recurrence_rules import RecurrenceRules
from adapters.recurrence_text import read
from application.recurrences import WINDOW_MAX
from domain.refusals import InvalidValue
from domain.wall_clock import WEEKDAYS

RULES = RecurrenceRules()
MOST = 366
ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham", "Africa/Casablanca"]
STARTS = st.builds(
    lambda day, minute: datetime.combine(day, time(minute // 60, minute % 60)),
    st.dates(date(2019, 12, 20), date(2030, 1, 10)),
    st.integers(0, 95).map(lambda quarter: quarter * 15),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule without its bound. Numbered weekdays are ``(n, weekday)``; n is 0 without number."""

    freq: str
    interval: int = 1
    week_start: int = 0
    weekdays: tuple[tuple[int, int], ...] = ()
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    weeks: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()

    def __str__(self) -> str:
        lists = {
            "BYMONTH": self.months,
            "BYWEEKNO": self.weeks,
            "BYYEARDAY": self.year_days,
            "BYMONTHDAY": self.month_days,
            "BYHOUR": self.hours,
            "BYMINUTE": self.minutes,
            "BYSETPOS": self.positions,
            "BYDAY": [f"{n or ''}{WEEKDAYS[weekday]}" for n, weekday in self.weekdays],
        }
        given_lists = [f"{name}={','.join(map(str, members))}" for name, members in lists.items() if members]
        return ";".join([f"FREQ={self.freq};INTERVAL={self.interval};WKST={WEEKDAYS[self.week_start]}", *given_lists])


def some(members: st.SearchStrategy[int], most: int = 3) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(members, max_size=most, unique=True).map(tuple)


@st.composite
def drafts(draw: st.DrawFn, *, hard: bool) -> Draft:
    """``hard``: with all that only the naive calendar is asked; else nothing that dateutil would search for in vain."""
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    yearly, weekly = freq == "YEARLY", freq == "WEEKLY"
    numbers = [n for n in range(-4, 5) if n] if freq in {"MONTHLY", "YEARLY"} else []
    weeks = (
        draw(some(st.sampled_from([1, 2, 20, 51, 52, 53, -1, -2, -53])))
        if hard and yearly and draw(st.booleans())
        else ()
    )
    numbered = bool(numbers) and not weeks and draw(st.booleans())
    nth = st.sampled_from([0, *numbers] if hard else numbers) if numbered else st.just(0)
    weekdays = draw(st.lists(st.tuples(nth, st.integers(0, 6)), max_size=4, unique=True).map(tuple))
    free = hard or not numbered
    day = st.integers(1, 31) | st.integers(-31, -1) if hard else st.integers(1, 28)
    month_days = draw(some(day)) if not weekly and free and (not weekdays or draw(st.booleans())) else ()
    year_day = st.integers(1, 366) | st.integers(-366, -1)
    year_days = draw(some(year_day)) if yearly and not (month_days or (weekdays and not hard)) else ()
    months = draw(some(st.integers(1, 12))) if hard or not year_days else ()
    hours, minutes = draw(some(st.integers(0, 23), 2)), draw(some(st.integers(0, 59), 2))
    chosen = any((weekdays, month_days, year_days, months, weeks, hours, minutes)) and (hard or not weekly)
    position = st.sampled_from([1, 2, 3, 5, -1, -2, -4] if hard else [1, -1])
    return Draft(
        freq=freq,
        interval=draw(st.integers(1, 4 if hard else 3)),
        week_start=draw(st.integers(0, 6)),
        weekdays=weekdays,
        months=months,
        month_days=month_days,
        year_days=year_days,
        weeks=weeks,
        hours=hours,
        minutes=minutes,
        positions=draw(some(position, 2)) if chosen else (),
    )


@st.composite
def bounds(draw: st.DrawFn, start: datetime) -> str:
    if draw(st.booleans()):
        return f"COUNT={draw(st.integers(1, 12) | st.integers(1, MOST))}"
    until = start + draw(st.timedeltas(timedelta(0), timedelta(days=500)))
    return f"UNTIL={until:{draw(st.sampled_from(['%Y%m%d', '%Y%m%dT%H%M%S', '%Y%m%dT%H%M%SZ']))}}"


def bounded(unbounded: Sequence[datetime], bound: str, zone: ZoneInfo) -> tuple[datetime, ...]:
    """() where the rule is to be refused. ``unbounded`` are the starts within the window, or the first 367 of them."""
    name, value = bound.split("=")
    if name == "COUNT":
        return tuple(unbounded[: int(value)]) if len(unbounded) >= int(value) else ()
    if value.endswith("Z"):
        until = datetime.strptime(value, "%Y%m%dT%H%M%S%z")
        kept = tuple(one for one in unbounded if one.replace(tzinfo=zone).astimezone(UTC) <= until)
    else:
        end = datetime.fromisoformat(value if "T" in value else f"{value}T235959")
        kept = tuple(one for one in unbounded if one <= end)
    return kept if len(kept) <= MOST else ()


def expanded(rrule: str, start: datetime, zone: str, exdates: Sequence[datetime] = ()) -> tuple[datetime, ...]:
    try:
        return RULES.expand(rrule, start, zone, exdates).starts
    except InvalidValue:
        return ()


def by_dateutil(rrule: str, start: datetime) -> list[datetime]:
    found = takewhile(lambda one: one <= start + WINDOW_MAX, rrulestr(rrule, dtstart=start))
    return list(islice(found, MOST + 1))


class NaiveCalendar:
    """RFC 5545, 3.3.10, day by day: a day belongs to a rule if each part says so."""

    def __init__(self, draft: Draft, start: datetime) -> None:
        self.draft, self.start = draft, start

    def starts(self) -> list[datetime]:
        times = [
            time(hour, minute)
            for hour in sorted(self.draft.hours or [self.start.hour])
            for minute in sorted(self.draft.minutes or [self.start.minute])
        ]
        first = date(self.start.year - 1, 1, 1)
        whole_years = [first + timedelta(days=n) for n in range(366 * 7)]
        found: list[datetime] = []
        for period, days in groupby(whole_years, self.period):
            steps = self.steps(period)
            if steps >= 0 and steps % self.draft.interval == 0:
                every = [datetime.combine(day, at) for day in days if self.names(day) for at in times]
                found += self.chosen(every)
        return [one for one in found if self.start <= one <= self.start + WINDOW_MAX]

    def chosen(self, every: list[datetime]) -> list[datetime]:
        if not self.draft.positions:
            return every
        numbered = list(enumerate(every))
        wanted = {*self.draft.positions}
        return [one for n, one in numbered if n + 1 in wanted or n - len(every) in wanted]

    def period(self, day: date) -> date:
        """The first day of the day's period; for weeks of a year, of the fourth day of the week's."""
        match self.draft.freq:
            case "DAILY":
                return day
            case "WEEKLY":
                return self.week(day)
            case "MONTHLY":
                return day.replace(day=1)
        year = self.week(day) + timedelta(days=3) if self.draft.weeks else day
        return year.replace(month=1, day=1)

    def steps(self, period: date) -> int:
        first = self.period(self.start.date())
        match self.draft.freq:
            case "DAILY":
                return (period - first).days
            case "WEEKLY":
                return (period - first).days // 7
            case "MONTHLY":
                return (period.year - first.year) * 12 + period.month - first.month
        return period.year - first.year

    def week(self, day: date) -> date:
        while day.weekday() != self.draft.week_start:
            day -= timedelta(days=1)
        return day

    def names(self, day: date) -> bool:
        draft, start = self.draft, self.start
        length = monthrange(day.year, day.month)[1]
        year = date(day.year, 12, 31).timetuple().tm_yday
        nth_day = day.timetuple().tm_yday
        of_start = not (draft.weekdays or draft.month_days or draft.year_days)
        monthly = draft.freq in {"MONTHLY", "YEARLY"} and not draft.weeks
        return (
            (not draft.months or day.month in draft.months)
            and (not draft.month_days or bool({day.day, day.day - length - 1} & {*draft.month_days}))
            and (not draft.year_days or bool({nth_day, nth_day - year - 1} & {*draft.year_days}))
            and (not draft.weeks or bool(self.numbers_of_week(day) & {*draft.weeks}))
            and (not draft.weekdays or any(self.is_nth(day, n, weekday) for n, weekday in draft.weekdays))
            and not (of_start and monthly and day.day != start.day)
            and not (of_start and monthly and draft.freq == "YEARLY" and not draft.months and day.month != start.month)
            and not (of_start and (draft.freq == "WEEKLY" or draft.weeks) and day.weekday() != start.weekday())
        )

    def numbers_of_week(self, day: date) -> set[int]:
        """Counted week by week, from either end of the year that has the week's fourth day."""
        fourth = self.week(day) + timedelta(days=3)
        return {(fourth.timetuple().tm_yday + 6) // 7, -((date(fourth.year, 12, 31) - fourth).days // 7) - 1}

    def is_nth(self, day: date, n: int, weekday: int) -> bool:
        """Counted within the month, or within the year for a YEARLY rule without months."""
        if day.weekday() != weekday or not n:
            return day.weekday() == weekday
        if self.draft.freq == "MONTHLY" or self.draft.months:
            before, after = day.day - 1, monthrange(day.year, day.month)[1] - day.day
        else:
            before, after = (day - date(day.year, 1, 1)).days, (date(day.year, 12, 31) - day).days
        return n in {before // 7 + 1, -(after // 7) - 1}


@settings(max_examples=250, deadline=None)
@given(data=st.data(), draft=drafts(hard=False), start=STARTS, zone=st.sampled_from(ZONES))
def test_a_generated_rule_gives_what_dateutil_gives(
    data: st.DataObject, draft: Draft, start: datetime, zone: str
) -> None:
    bound = data.draw(bounds(start))

    found = expanded(f"{draft};{bound}", start, zone)

    assert found == bounded(by_dateutil(str(draft), start), bound, ZoneInfo(zone))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), draft=drafts(hard=True), start=STARTS, zone=st.sampled_from(ZONES))
def test_a_generated_rule_gives_what_a_naive_calendar_gives(
    data: st.DataObject, draft: Draft, start: datetime, zone: str
) -> None:
    bound = data.draw(bounds(start))

    found = expanded(f"{draft};{bound}", start, zone)

    assert found == bounded(NaiveCalendar(draft, start).starts(), bound, ZoneInfo(zone))


@settings(max_examples=50, deadline=None)
@given(data=st.data(), draft=drafts(hard=True), start=STARTS)
def test_exdates_take_out_what_they_match_and_nothing_else(data: st.DataObject, draft: Draft, start: datetime) -> None:
    rrule = f"{draft};{data.draw(bounds(start))}"
    whole = expanded(rrule, start, "UTC")
    match = st.sampled_from(whole) if whole else STARTS
    exdates = data.draw(st.lists(match | STARTS, max_size=20))

    found = expanded(rrule, start, "UTC", exdates)

    assert found == tuple(one for one in whole if one not in exdates)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), draft=drafts(hard=True), start=STARTS)
def test_the_form_that_is_kept_means_the_same(data: st.DataObject, draft: Draft, start: datetime) -> None:
    rrule = f"{draft};{data.draw(bounds(start))}"

    kept = read(rrule).text

    assert read(kept).text == kept
    assert expanded(kept, start, "UTC") == expanded(rrule, start, "UTC")
