"""Recurrence rules: the examples of RFC 5545, and what the clocks of real zones do to them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from adapters.recurrence_rules import RecurrenceRules
from application.recurrences import Recurrences
from domain.refusals import InvalidValue
from domain.series import start_of
from domain.wall_clock import WEEKDAYS
from tests.adapters.rrule_examples import EXAMPLES, REFUSED, Example

RULES: Recurrences = RecurrenceRules()
NEW_YORK, LORD_HOWE, APIA = "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def starts(rrule: str, start: str, zone: str = NEW_YORK, *exdates: str) -> list[str]:
    """Each as ``2026-03-08 09:00``."""
    found = RULES.expand(rrule, at(start), zone, [at(one) for one in exdates]).starts
    return [f"{one:%Y-%m-%d %H:%M}" for one in found]


def refused(rrule: str, start: str = "2026-03-04T09:00", zone: str = NEW_YORK) -> str:
    with pytest.raises(InvalidValue) as refusal:
        RULES.expand(rrule, at(start), zone)
    assert refusal.value.field == "rrule"
    return refusal.value.reason


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_of_the_rfc_gives_its_dates(example: Example) -> None:
    parts = [part for part in example.rrule.split(";") if not (example.beyond and part.startswith("COUNT="))]
    bounded = ";".join(filter(None, [*parts, example.beyond]))

    found = RULES.expand(bounded, example.start, NEW_YORK).starts

    assert found == example.starts


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.beyond], ids=lambda example: example.name)
def test_an_example_of_the_rfc_that_goes_on_too_long_is_refused(example: Example) -> None:
    with pytest.raises(InvalidValue) as refusal:
        RULES.expand(example.rrule, example.start, NEW_YORK)

    why = "lie within 1099 days" if "COUNT" in example.rrule else "needs COUNT or UNTIL"
    assert why in refusal.value.reason


@pytest.mark.parametrize("rrule", REFUSED)
def test_an_example_of_the_rfc_that_recurs_within_a_day_is_refused(rrule: str) -> None:
    assert refused(rrule, "1997-09-02T09:00") == "needs FREQ, one of DAILY, WEEKLY, MONTHLY, YEARLY"


def test_exdates_take_out_what_they_match_after_count_has_counted() -> None:
    rule = "FREQ=DAILY;COUNT=3"

    found = starts(rule, "2026-03-04T09:00", NEW_YORK, "2026-03-05T09:00", "2026-03-06T10:00")

    assert found == ["2026-03-04 09:00", "2026-03-06 09:00"]


@pytest.mark.parametrize("zone", [NEW_YORK, LORD_HOWE])
@pytest.mark.parametrize("day", ["2026-03-06", "2026-10-02", "2026-10-30"])
def test_nine_oclock_stays_nine_oclock_when_the_clocks_change(zone: str, day: str) -> None:
    found = RULES.expand("FREQ=DAILY;COUNT=5", at(f"{day}T09:00"), zone).starts

    shown = [start_of(one, ZoneInfo(zone)).astimezone(ZoneInfo(zone)) for one in found]
    assert [(one.hour, one.minute) for one in shown] == [(9, 0)] * 5
    assert [one.date() for one in shown] == [at(day).date() + timedelta(days=n) for n in range(5)]


def test_the_instants_move_where_the_wall_clock_does_not() -> None:
    found = RULES.expand("FREQ=DAILY;COUNT=2", at("2026-03-07T09:00"), NEW_YORK).starts
    half_an_hour = RULES.expand("FREQ=DAILY;COUNT=2", at("2026-10-03T09:00"), LORD_HOWE).starts

    assert [start_of(one, ZoneInfo(NEW_YORK)).hour for one in found] == [14, 13]
    one, other = (start_of(one, ZoneInfo(LORD_HOWE)) for one in half_an_hour)
    assert other - one == timedelta(hours=23, minutes=30)


def test_a_start_in_a_gap_is_kept_and_may_happen_at_once_with_another() -> None:
    found = RULES.expand("FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0;COUNT=4", at("2026-03-07T02:00"), NEW_YORK).starts

    assert [one.hour for one in found] == [2, 3, 2, 3]
    assert [start_of(one, ZoneInfo(NEW_YORK)).hour for one in found] == [7, 8, 7, 7]


@pytest.mark.parametrize(
    ("zone", "before", "after"),
    [
        (APIA, "2011-12-29", "2011-12-31"),
        ("Pacific/Kwajalein", "1993-08-20", "1993-08-22"),
        ("Pacific/Kiritimati", "1994-12-30", "1995-01-01"),
    ],
)
def test_a_date_that_the_zone_skipped_has_no_occurrence_and_is_not_counted(zone: str, before: str, after: str) -> None:
    assert starts("FREQ=DAILY;COUNT=2", f"{before}T09:00", zone) == [f"{before} 09:00", f"{after} 09:00"]


def test_a_start_on_a_date_that_the_zone_skipped_is_no_occurrence() -> None:
    assert starts("FREQ=WEEKLY;COUNT=2", "2011-12-30T09:00", APIA) == ["2012-01-06 09:00", "2012-01-13 09:00"]
    assert "no occurrence lies" in refused("FREQ=DAILY;UNTIL=20111230", "2011-12-30T09:00", APIA)


def test_the_last_weekday_of_a_month_is_one_that_the_zone_had() -> None:
    last_weekday = "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2"

    assert starts(last_weekday, "2011-12-01T09:00", APIA) == ["2011-12-29 09:00", "2012-01-31 09:00"]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260307", "2026-03-07 09:00"),
        ("20260307T090000", "2026-03-07 09:00"),
        ("20260307T085959", "2026-03-06 09:00"),
        ("20260307T140000Z", "2026-03-07 09:00"),
        ("20260307T135959Z", "2026-03-06 09:00"),
        ("20260308T130000Z", "2026-03-08 09:00"),  # an hour earlier since the clocks went forward
        ("20260308T125959Z", "2026-03-07 09:00"),
    ],
)
def test_until_is_a_date_a_local_time_or_an_instant_and_includes_its_moment(until: str, last: str) -> None:
    assert starts(f"FREQ=DAILY;UNTIL={until}", "2026-03-04T09:00")[-1] == last


def test_until_in_utc_includes_a_morning_whose_date_is_later_than_its_own() -> None:
    assert starts("FREQ=DAILY;UNTIL=20260706T223000Z", "2026-07-04T09:00", LORD_HOWE)[-1] == "2026-07-07 09:00"
    assert starts("FREQ=DAILY;UNTIL=20260706T222959Z", "2026-07-04T09:00", LORD_HOWE)[-1] == "2026-07-06 09:00"


def test_a_start_in_a_gap_is_measured_against_until_by_the_instant_at_which_it_happens() -> None:
    # 02:30 happens at 03:30 (07:30 UTC) on the day of the gap, after three o'clock has been.
    early = "FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30;UNTIL=20260308T070000Z"

    found = starts(early, "2026-03-08T00:00")

    assert found == ["2026-03-08 02:00", "2026-03-08 03:00"]


def test_of_a_repeated_hour_the_first_is_measured_against_until() -> None:
    assert starts("FREQ=DAILY;UNTIL=20261101T053000Z", "2026-10-31T01:30")[-1] == "2026-11-01 01:30"
    assert starts("FREQ=DAILY;UNTIL=20261101T052959Z", "2026-10-31T01:30")[-1] == "2026-10-31 01:30"


def test_a_start_that_does_not_fit_the_rule_is_no_occurrence() -> None:
    wednesday = "2026-03-04T09:00"
    assert starts("FREQ=WEEKLY;BYDAY=MO;COUNT=1", wednesday) == ["2026-03-09 09:00"]


def test_weekdays_with_and_without_number_are_both_meant() -> None:
    assert starts("FREQ=MONTHLY;BYDAY=MO,1FR;UNTIL=20260331", "2026-03-01T09:00") == [
        f"2026-03-{day} 09:00" for day in ("02", "06", "09", "16", "23", "30")
    ]
    assert starts("FREQ=YEARLY;BYDAY=SU,1MO;UNTIL=20260118", "2026-01-01T09:00") == [
        f"2026-01-{day} 09:00" for day in ("04", "05", "11", "18")
    ]
    assert len(starts("FREQ=YEARLY;BYDAY=SU,1MO;UNTIL=20261231", "2026-01-01T09:00")) == 52 + 1


def test_bysetpos_of_a_week_counts_from_its_first_day_though_the_series_starts_later() -> None:
    first_of_week = "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1;COUNT=2"

    assert starts(first_of_week, "2026-03-04T09:00") == ["2026-03-09 09:00", "2026-03-16 09:00"]


def test_bysetpos_of_a_week_over_new_year_sees_all_of_it() -> None:
    assert starts("FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=-1;UNTIL=20251231", "2025-12-22T09:00") == ["2025-12-26 09:00"]
    assert starts("FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=2;COUNT=1", "2025-12-29T09:00") == ["2026-01-02 09:00"]
    assert starts("FREQ=WEEKLY;BYDAY=WE,FR;BYSETPOS=2;COUNT=1", "2026-01-01T09:00") == ["2026-01-02 09:00"]


def test_a_week_number_without_days_is_the_weekday_of_the_start() -> None:
    assert starts("FREQ=YEARLY;BYWEEKNO=20;COUNT=2", "2026-03-04T09:00") == ["2026-05-13 09:00", "2027-05-19 09:00"]


@pytest.mark.parametrize("weekday", range(7), ids=WEEKDAYS)
def test_week_numbers_are_those_of_the_iso_calendar(weekday: int) -> None:
    """Of all three years in turn: 2009 has 53 weeks, and 2011 begins in the last week of 2010."""
    first = at("2008-12-29T09:00") + timedelta(days=weekday)
    same_weekdays = [first + timedelta(weeks=n) for n in range(157)]
    for number in (1, 2, 51, 52, 53, -1, -2, -52, -53):
        expected = []
        for one in same_weekdays:
            year, week, _ = one.isocalendar()
            weeks = datetime(year, 12, 28, tzinfo=UTC).isocalendar().week
            if number in (week, week - weeks - 1):
                expected.append(one)

        found = RULES.expand(f"FREQ=YEARLY;BYWEEKNO={number};UNTIL={same_weekdays[-1]:%Y%m%d}", first, NEW_YORK)

        assert list(found.starts) == expected, number


def test_every_other_year_of_week_one_is_the_year_that_has_most_of_the_week() -> None:
    assert starts("FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=MO;COUNT=2", "2024-01-01T09:00") == [
        "2024-01-01 09:00",
        "2025-12-29 09:00",
    ]
