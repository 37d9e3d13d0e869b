import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.interval import Interval
from domain.wall_clock import instant, local_day, local_days, reached

NEW_YORK = ZoneInfo("America/New_York")
APIA = ZoneInfo("Pacific/Apia")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


def test_nine_oclock_stays_nine_oclock_when_the_clocks_change() -> None:
    before, after = date(2026, 3, 7), date(2026, 3, 8)
    assert instant(before, 13 * 60, NEW_YORK) == datetime(2026, 3, 7, 18, tzinfo=UTC)
    assert instant(after, 13 * 60, NEW_YORK) == datetime(2026, 3, 8, 17, tzinfo=UTC)


def test_a_time_in_a_spring_gap_is_moved_forward_by_the_gap() -> None:
    moved = instant(date(2026, 3, 8), 2 * 60 + 30, NEW_YORK).astimezone(NEW_YORK)
    assert (moved.hour, moved.minute) == (3, 30)


@pytest.mark.parametrize(
    ("zone", "day", "minute", "expected"),
    [
        (NEW_YORK, date(2026, 3, 8), 2 * 60, datetime(2026, 3, 8, 7, tzinfo=UTC)),
        (NEW_YORK, date(2026, 3, 8), 2 * 60 + 59, datetime(2026, 3, 8, 7, tzinfo=UTC)),
        (NEW_YORK, date(2026, 3, 8), 3 * 60, datetime(2026, 3, 8, 7, tzinfo=UTC)),
        (NEW_YORK, date(2026, 3, 8), 3 * 60 + 1, datetime(2026, 3, 8, 7, 1, tzinfo=UTC)),
        (NEW_YORK, date(2026, 11, 1), 60, datetime(2026, 11, 1, 5, tzinfo=UTC)),
        (LORD_HOWE, date(2026, 10, 4), 2 * 60 + 15, datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        (APIA, date(2011, 12, 30), 12 * 60, datetime(2011, 12, 30, 10, tzinfo=UTC)),
        (APIA, date(2011, 12, 30), 24 * 60, datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_a_time_that_was_skipped_is_reached_when_the_gap_is_over(
    zone: ZoneInfo, day: date, minute: int, expected: datetime
) -> None:
    assert reached(day, minute, zone) == expected


def test_of_a_repeated_autumn_hour_the_first_is_meant() -> None:
    assert instant(date(2026, 11, 1), 60 + 30, NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_minute_1440_is_the_midnight_that_ends_the_day() -> None:
    assert instant(date(2026, 3, 8), 1440, NEW_YORK) == instant(date(2026, 3, 9), 0, NEW_YORK)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 3, 8), NEW_YORK, 23),
        (date(2026, 11, 1), NEW_YORK, 25),
        (date(2026, 4, 5), LORD_HOWE, 24.5),
        (date(2026, 7, 1), LORD_HOWE, 24),
    ],
)
def test_a_local_day_has_as_many_hours_as_its_clock_shows(day: date, zone: ZoneInfo, hours: float) -> None:
    whole = local_day(day, zone)
    assert whole
    assert whole.end - whole.start == timedelta(hours=hours)


def test_a_date_that_the_zone_skipped_has_no_instants() -> None:
    assert local_day(date(2011, 12, 30), APIA) is None


@given(
    zone=st.sampled_from([NEW_YORK, APIA, LORD_HOWE, ZoneInfo("UTC"), ZoneInfo("America/Sao_Paulo")]),
    start=st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    length_min=st.integers(1, 4 * 24 * 60),
)
def test_the_parts_of_an_interval_by_local_date_add_up_to_it(zone: ZoneInfo, start: datetime, length_min: int) -> None:
    whole = Interval(start, start + timedelta(minutes=length_min))
    parts = [part for _, part in local_days(whole, zone)]
    assert parts[0].start == whole.start
    assert parts[-1].end == whole.end
    assert all(one.end == other.start for one, other in itertools.pairwise(parts))
    for day, part in local_days(whole, zone):
        assert part.start.astimezone(zone).date() == day


def test_an_evening_that_is_repeated_after_midnight_is_on_the_next_date() -> None:
    st_johns = ZoneInfo("America/St_Johns")
    midnight = datetime(2010, 11, 7, 2, 30, tzinfo=UTC)  # at 00:01 it became 23:01 again
    repeated = Interval(midnight + timedelta(minutes=10), midnight + timedelta(minutes=40))
    assert list(local_days(repeated, st_johns)) == [(date(2010, 11, 7), repeated)]
    around = Interval(midnight - timedelta(hours=1), midnight + timedelta(minutes=40))
    assert [part for _, part in local_days(around, st_johns)] == [
        Interval(around.start, midnight),
        Interval(midnight, around.end),
    ]
