import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.interval import Interval, joined

DAWN = datetime(2026, 1, 1, tzinfo=UTC)


def span(start: int, end: int) -> Interval:
    return Interval(DAWN + timedelta(minutes=start), DAWN + timedelta(minutes=end))


spans = st.tuples(st.integers(0, 200), st.integers(1, 60)).map(lambda at: span(at[0], at[0] + at[1]))


def minutes(interval: Interval) -> set[int]:
    return {
        int((interval.start - DAWN).total_seconds() // 60) + m
        for m in range(int((interval.end - interval.start).total_seconds() // 60))
    }


def test_an_interval_that_does_not_end_after_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        Interval(DAWN, DAWN)


def test_the_same_instants_in_two_zones_are_the_same_interval() -> None:
    here = timezone(timedelta(hours=-3))
    assert Interval(DAWN.astimezone(here), (DAWN + timedelta(hours=1)).astimezone(here)) == span(0, 60)


def test_touching_intervals_do_not_overlap() -> None:
    assert not span(0, 60).overlaps(span(60, 120))


@given(spans, spans)
def test_overlap_containment_and_clipping_agree_with_sets_of_minutes(one: Interval, other: Interval) -> None:
    assert one.overlaps(other) == bool(minutes(one) & minutes(other))
    assert one.contains(other) == (minutes(one) >= minutes(other))
    common = one.clipped_to(other)
    assert (minutes(common) if common else set()) == minutes(one) & minutes(other)


@given(st.lists(spans))
def test_joined_intervals_are_the_same_minutes_apart_from_one_another(intervals: list[Interval]) -> None:
    merged = joined(intervals)
    assert set().union(*map(minutes, merged)) == set().union(*map(minutes, intervals))
    assert all(before.end < after.start for before, after in itertools.pairwise(merged))
