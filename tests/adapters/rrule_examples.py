"""The examples of RFC 5545, 3.8.5.3, each with the starts that it gives there, at nine in New York.

``beyond`` bounds those that do not end, or not within the window, so that they end where the RFC's list does, or the
window: as they stand they are refused. Friday the 13th is without its EXDATE, which takes out a start that is no
Friday. What recurs by HOURLY or MINUTELY is ``REFUSED``; every 20 minutes of the day is kept in its DAILY spelling.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta


@dataclass(frozen=True, slots=True)
class Example:
    name: str
    rrule: str
    start: datetime
    starts: tuple[datetime, ...]
    beyond: str = ""


NINE = time(9)
EACH_WORKING_QUARTER = "BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40"


def days(*months: str) -> tuple[datetime, ...]:
    """``1997-09 2 11`` are two days of September 1997, at nine."""
    return tuple(
        datetime.combine(date.fromisoformat(f"{month.split()[0]}-{int(day):02}"), NINE)
        for month in months
        for day in month.split()[1:]
    )


def every(step: int, first: str, last: str) -> tuple[datetime, ...]:
    start, end = (datetime.combine(date.fromisoformat(day), NINE) for day in (first, last))
    return tuple(start + timedelta(days=n) for n in range(0, (end - start).days + 1, step))


def example(name: str, rrule: str, *starts: datetime, first: str = "", beyond: str = "") -> Example:
    start = datetime.combine(date.fromisoformat(first), NINE) if first else starts[0]
    return Example(name, rrule, start, starts, beyond)


def _daily() -> Iterator[Example]:
    yield example("daily for 10", "FREQ=DAILY;COUNT=10", *every(1, "1997-09-02", "1997-09-11"))
    until = "FREQ=DAILY;UNTIL=19971224T000000Z"
    yield example("daily until December 24", until, *every(1, "1997-09-02", "1997-12-23"))
    every_other = days("1997-09 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30", "1997-10 2 4 6")
    yield example("every other day", "FREQ=DAILY;INTERVAL=2", *every_other, beyond="COUNT=18")
    yield example("every 10 days", "FREQ=DAILY;INTERVAL=10;COUNT=5", *days("1997-09 2 12 22", "1997-10 2 12"))
    januaries = tuple(one for y in (1998, 1999, 2000) for one in every(1, f"{y}-01-01", f"{y}-01-31"))
    by_year = "FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA"
    yield example("every day in January, yearly", by_year, *januaries)
    yield example("every day in January, daily", "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", *januaries)


def _weekly() -> Iterator[Example]:
    yield example("weekly for 10", "FREQ=WEEKLY;COUNT=10", *every(7, "1997-09-02", "1997-11-04"))
    until = "FREQ=WEEKLY;UNTIL=19971224T000000Z"
    yield example("weekly until December 24", until, *every(7, "1997-09-02", "1997-12-23"))
    fortnights = every(14, "1997-09-02", "1998-02-17")
    yield example("every other week", "FREQ=WEEKLY;INTERVAL=2;WKST=SU", *fortnights, beyond="COUNT=13")
    five_weeks = days("1997-09 2 4 9 11 16 18 23 25 30", "1997-10 2")
    yield example("TU and TH until", "FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", *five_weeks)
    yield example("TU and TH for 10", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", *five_weeks)
    yield example(
        "every other week MO, WE, FR",
        "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",
        *days("1997-09 1 3 5 15 17 19 29", "1997-10 1 3 13 15 17 27 29 31", "1997-11 10 12 14 24 26 28"),
        *days("1997-12 8 10 12 22"),
    )
    every_other = "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH"
    yield example("every other week TU, TH", every_other, *days("1997-09 2 4 16 18 30", "1997-10 2 14 16"))
    monday = "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO"
    yield example("a week from Monday", monday, *days("1997-08 5 10 19 24"))
    yield example("a week from Sunday", monday.replace("WKST=MO", "WKST=SU"), *days("1997-08 5 17 19 31"))


def _monthly_by_weekday() -> Iterator[Example]:
    fridays = days("1997-09 5", "1997-10 3", "1997-11 7", "1997-12 5")
    later = days("1998-01 2", "1998-02 6", "1998-03 6", "1998-04 3", "1998-05 1", "1998-06 5")
    yield example("first Friday for 10", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR", *fridays, *later)
    yield example("first Friday until", "FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", *fridays)
    yield example(
        "first and last Sunday of every other month",
        "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",
        *days("1997-09 7 28", "1997-11 2 30", "1998-01 4 25", "1998-03 1 29", "1998-05 3 31"),
    )
    mondays = days("1997-09 22", "1997-10 20", "1997-11 17", "1997-12 22", "1998-01 19", "1998-02 16")
    yield example("last Monday but one", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", *mondays)
    tuesdays = days("1997-09 2 9 16 23 30", "1997-11 4 11 18 25", "1998-01 6 13 20 27", "1998-03 3 10 17 24 31")
    yield example("Tuesdays of every other month", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", *tuesdays, beyond="COUNT=18")
    saturdays = days("1997-09 13", "1997-10 11", "1997-11 8", "1997-12 13", "1998-01 10", "1998-02 7", "1998-03 7")
    after_sunday = "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13"
    later = days("1998-04 11", "1998-05 9", "1998-06 13")
    yield example("Saturday after the first Sunday", after_sunday, *saturdays, *later, beyond="COUNT=10")
    third = "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3"
    yield example("third of TU, WE, TH", third, *days("1997-09 4", "1997-10 7", "1997-11 6"))
    workdays = days("1997-09 29", "1997-10 30", "1997-11 27", "1997-12 30", "1998-01 29", "1998-02 26", "1998-03 30")
    last_but_one = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2"
    yield example("last weekday but one", last_but_one, *workdays, beyond="COUNT=7")


def _monthly_by_date() -> Iterator[Example]:
    third_last = days("1997-09 28", "1997-10 29", "1997-11 28", "1997-12 29", "1998-01 29", "1998-02 26")
    yield example("last day but two", "FREQ=MONTHLY;BYMONTHDAY=-3", *third_last, beyond="COUNT=6")
    second = days("1997-09 2 15", "1997-10 2 15", "1997-11 2 15", "1997-12 2 15", "1998-01 2 15")
    yield example("2nd and 15th", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", *second)
    ends = days("1997-09 30", "1997-10 1 31", "1997-11 1 30", "1997-12 1 31", "1998-01 1 31", "1998-02 1")
    yield example("first and last day", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", *ends)
    tenth = "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15"
    yield example("10th to 15th", tenth, *days("1997-09 10 11 12 13 14 15", "1999-03 10 11 12 13"))
    no_30th = days("2007-01 15 30", "2007-02 15", "2007-03 15 30")
    yield example("a February 30 is ignored", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", *no_30th)


def _yearly() -> Iterator[Example]:
    summers = days("1997-06 10", "1997-07 10", "1998-06 10", "1998-07 10", "1999-06 10", "1999-07 10")
    yield example("June and July", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7", *summers, beyond="COUNT=6")
    winters = days("1997-03 10", "1999-01 10", "1999-02 10", "1999-03 10")
    every_other = "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3"
    yield example("winters of every other year", every_other, *winters, beyond="COUNT=4")
    year_days = days("1997-01 1", "1997-04 10", "1997-07 19", "2000-01 1")
    third_year = "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200"
    yield example("1st, 100th, 200th day", third_year, *year_days, beyond="COUNT=4")
    twentieth = days("1997-05 19", "1998-05 18", "1999-05 17")
    yield example("20th Monday", "FREQ=YEARLY;BYDAY=20MO", *twentieth, beyond="COUNT=3")
    week_20 = days("1997-05 12", "1998-05 11", "1999-05 17")
    yield example("Monday of week 20", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", *week_20, beyond="COUNT=3")
    march = days("1997-03 13 20 27", "1998-03 5 12 19 26", "1999-03 4 11 18 25")
    yield example("Thursdays in March", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", *march, beyond="COUNT=11")
    thursdays = (
        *days("1997-06 5 12 19 26", "1997-07 3 10 17 24 31", "1997-08 7 14 21 28"),
        *days("1998-06 4 11 18 25", "1998-07 2 9 16 23 30", "1998-08 6 13 20 27"),
        *days("1999-06 3 10 17 24", "1999-07 1 8 15 22 29", "1999-08 5 12 19 26"),
    )
    yield example("Thursdays in summer", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", *thursdays, beyond="COUNT=39")
    elections = "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8"
    yield example("Election Day", elections, *days("1996-11 5"), beyond="COUNT=1")
    thirteenth = days("1998-02 13", "1998-03 13", "1998-11 13", "1999-08 13")
    black = "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"
    yield example("Friday the 13th", black, *thirteenth, first="1997-09-02", beyond="COUNT=4")


def _within_days() -> Iterator[Example]:
    start = days("1997-09 2")[0]
    starts = tuple(start + timedelta(days=day, minutes=20 * n) for day in range(2) for n in range(24))
    rrule = f"FREQ=DAILY;{EACH_WORKING_QUARTER}"
    yield Example("every 20 minutes of two days", rrule, start, starts, beyond="COUNT=48")


EXAMPLES = tuple(
    one
    for some in (_daily(), _weekly(), _monthly_by_weekday(), _monthly_by_date(), _yearly(), _within_days())
    for one in some
)
REFUSED = (
    "FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000Z",
    "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
    "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
    "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
)
