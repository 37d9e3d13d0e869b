from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from domain.interval import Interval
from domain.refusals import (
    ClosedForHoliday,
    HoursOverlap,
    InvalidValue,
    OutsideWorkingHours,
    Refusal,
    ResourceClosed,
    ResourceRetired,
)
from domain.resource import Closure, Override, Resource, Shift, Span, ensure_valid_hours
from domain.rules import Rule, ensure_besides
from tests.desk import HOUR, MINUTE, NINE, OFFICE_HOURS

CLOSURE = UUID(int=7)
A_DAY = 24 * HOUR
TODAY = date(2026, 11, 23)


def room(**changes: object) -> Resource:
    traits: dict[str, object] = {
        "id": UUID(int=1),
        "organization_id": UUID(int=2),
        "kind": "room",
        "location_id": None,
        "time_zone": "UTC",
        "capacity": 1,
        "shifts": OFFICE_HOURS,
    }
    return Resource(**{**traits, **changes})  # type: ignore[arg-type]


def reasons(resource: Resource, wanted: Interval) -> list[type[Refusal]]:
    return [type(reason) for reason in resource.reasons_against(wanted)]


def test_a_visit_within_working_hours_is_welcome() -> None:
    room().ensure_open(Interval(NINE, NINE + HOUR))


@pytest.mark.parametrize("start", [NINE - MINUTE, NINE + 7 * HOUR + MINUTE])
def test_a_visit_that_begins_before_or_ends_after_the_hours_is_refused(start: datetime) -> None:
    with pytest.raises(OutsideWorkingHours):
        room().ensure_open(Interval(start, start + HOUR))


def test_hours_that_meet_at_midnight_are_one_stretch() -> None:
    night = (Shift("MO", Span(22 * 60, 24 * 60)), Shift("TU", Span(0, 6 * 60)))
    start = NINE + 14 * HOUR
    room(shifts=night).ensure_open(Interval(start, start + 3 * HOUR))


def test_an_override_replaces_the_hours_of_its_date_alone() -> None:
    off = room(overrides=(Override(date(2026, 11, 23), ()),))
    with pytest.raises(OutsideWorkingHours):
        off.ensure_open(Interval(NINE, NINE + HOUR))
    off.ensure_open(Interval(NINE + 24 * HOUR, NINE + 25 * HOUR))


def test_a_closure_names_itself_when_it_refuses() -> None:
    closed = room(closures=(Closure(CLOSURE, Interval(NINE + 30 * MINUTE, NINE + 2 * HOUR)),))
    with pytest.raises(ResourceClosed) as refusal:
        closed.ensure_open(Interval(NINE, NINE + HOUR))
    assert refusal.value.closure_id == CLOSURE
    closed.ensure_open(Interval(NINE, NINE + 30 * MINUTE))


def test_on_a_holiday_of_its_location_the_usual_hours_are_none_and_the_refusal_names_the_day() -> None:
    resting = room(holidays=frozenset({TODAY}))
    with pytest.raises(ClosedForHoliday) as refusal:
        resting.ensure_open(Interval(NINE, NINE + HOUR))
    assert refusal.value.day == TODAY
    assert resting.spans_on(TODAY) == ()
    resting.ensure_open(Interval(NINE + A_DAY, NINE + A_DAY + HOUR))


def test_hours_that_were_set_for_a_date_hold_on_a_holiday_too() -> None:
    on_duty = room(holidays=frozenset({TODAY}), overrides=(Override(TODAY, (Span(600, 660),)),))
    on_duty.ensure_open(Interval(NINE + HOUR, NINE + 2 * HOUR))
    assert reasons(on_duty, Interval(NINE, NINE + HOUR)) == [OutsideWorkingHours]


def test_a_holiday_is_no_reason_where_the_resource_would_not_be_open_anyway() -> None:
    resting = room(holidays=frozenset({TODAY}))
    assert reasons(resting, Interval(NINE - HOUR, NINE)) == [OutsideWorkingHours]
    assert reasons(resting, Interval(NINE - HOUR, NINE + HOUR)) == [ClosedForHoliday, OutsideWorkingHours]


def test_a_holiday_begins_and_ends_at_the_resources_own_midnight() -> None:
    always = tuple(Shift(weekday, Span(0, 1440)) for weekday in ("SU", "MO", "TU"))
    resting = room(time_zone="America/New_York", shifts=always, holidays=frozenset({TODAY}))
    midnight = datetime(2026, 11, 23, 5, tzinfo=UTC)
    assert reasons(resting, Interval(midnight - HOUR, midnight)) == []
    assert reasons(resting, Interval(midnight - HOUR, midnight + MINUTE)) == [ClosedForHoliday]
    assert reasons(resting, Interval(midnight + A_DAY - MINUTE, midnight + A_DAY + MINUTE)) == [ClosedForHoliday]
    assert reasons(resting, Interval(midnight + A_DAY, midnight + A_DAY + HOUR)) == []


def test_from_its_retirement_on_a_resource_is_not_to_be_had() -> None:
    leaving = room(retired_at=NINE + 2 * HOUR)
    leaving.ensure_open(Interval(NINE + HOUR, NINE + 2 * HOUR))
    with pytest.raises(ResourceRetired) as refusal:
        leaving.ensure_open(Interval(NINE + HOUR, NINE + 2 * HOUR + MINUTE))
    assert refusal.value.retired_at == NINE + 2 * HOUR


def test_every_rule_speaks_for_itself_the_most_final_first() -> None:
    closed = (Closure(CLOSURE, Interval(NINE, NINE + HOUR)),)
    gone = room(retired_at=NINE, closures=closed, holidays=frozenset({TODAY}))
    wanted = Interval(NINE - HOUR, NINE + HOUR)
    assert reasons(gone, wanted) == [ResourceRetired, ResourceClosed, ClosedForHoliday, OutsideWorkingHours]


def test_whoever_opens_on_a_holiday_knowingly_is_still_held_to_the_usual_hours() -> None:
    resting = room(holidays=frozenset({TODAY}))
    waived = frozenset({Rule.HOLIDAYS})
    assert ensure_besides(waived, resting.reasons_against(Interval(NINE, NINE + HOUR))) == waived
    with pytest.raises(OutsideWorkingHours):
        ensure_besides(waived, resting.reasons_against(Interval(NINE - HOUR, NINE + HOUR)))


def test_working_hours_are_kept_on_the_day_of_a_clock_change() -> None:
    afternoon = tuple(Shift(weekday, Span(13 * 60, 18 * 60)) for weekday in ("SA", "SU"))
    here = room(time_zone="America/New_York", shifts=afternoon)
    assert here.working_hours(date(2026, 3, 7), date(2026, 3, 8)) == [
        Interval(datetime(2026, 3, 7, 18, tzinfo=UTC), datetime(2026, 3, 7, 23, tzinfo=UTC)),
        Interval(datetime(2026, 3, 8, 17, tzinfo=UTC), datetime(2026, 3, 8, 22, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    ("span", "opens"),
    [
        (Span(2 * 60, 2 * 60 + 30), None),  # the clock goes from 02:00 to 03:00
        (Span(60, 2 * 60 + 30), (6, 7)),
        (Span(2 * 60 + 30, 4 * 60), (7, 8)),
        (Span(60, 4 * 60), (6, 8)),
    ],
    ids=["within the gap", "into the gap", "out of the gap", "over the gap"],
)
def test_on_the_day_of_a_spring_gap_it_is_open_exactly_when_the_wall_clock_shows_it(
    span: Span, opens: tuple[int, int] | None
) -> None:
    here = room(time_zone="America/New_York", shifts=(Shift("SU", span),))
    hours = here.working_hours(date(2026, 3, 8), date(2026, 3, 8))
    expected = [Interval(*(datetime(2026, 3, 8, hour, tzinfo=UTC) for hour in opens))] if opens else []
    assert hours == expected


def test_the_hours_of_a_date_that_the_zone_skipped_are_not_those_of_the_next() -> None:
    fridays = (Shift("FR", Span(9 * 60, 17 * 60)),)
    samoan = room(time_zone="Pacific/Apia", shifts=fridays)
    assert samoan.working_hours(date(2011, 12, 29), date(2011, 12, 31)) == []  # it went from Thursday to Saturday


def test_overlapping_spans_of_a_day_are_refused() -> None:
    with pytest.raises(HoursOverlap):
        ensure_valid_hours((Shift("MO", Span(540, 720)), Shift("MO", Span(700, 800))))
    with pytest.raises(HoursOverlap):
        ensure_valid_hours((), (Override(date(2026, 1, 1), ()), Override(date(2026, 1, 1), ())))


@pytest.mark.parametrize("span", [Span(600, 540), Span(-1, 60), Span(0, 1441), Span(60, 60)])
def test_spans_that_no_day_has_are_refused(span: Span) -> None:
    with pytest.raises(InvalidValue):
        ensure_valid_hours((Shift("MO", span),))
