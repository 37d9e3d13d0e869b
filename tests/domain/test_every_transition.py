"""Time is right wherever a clock changes: every zone of tzdata × every change of its clock from 2000 to 2037.

The reference looks at the wall clock of each UTC minute (``tests.transitions``) and knows no rule of time zones.

Exhaustive: every change, for working hours, series, diary pages and slot grids, at each minute of the two days before
it and the two after. Changes of several zones that are the same instant and the same two offsets count once: the clocks
show the same there, and no zone changes twice within a week. Sampled: free slots against the booking decision, and
pages of single minutes, for the latest change of each kind (same minute of the UTC day, same two offsets), because the
rest of its kind differs in nothing but the date.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, pairwise
from zoneinfo import ZoneInfo

import pytest

from adapters.recurrence_rules import RecurrenceRules
from domain.interval import Interval
from domain.open_hours import day_number, grid_mask
from domain.resource import Override, Resource, Shift, Span
from domain.series import start_of
from domain.wall_clock import A_DAY, MINUTE, MINUTES_PER_DAY, WEEKDAYS, local_days
from tests.clinic import Clinic, a_resource, a_service
from tests.transitions import (
    Transition,
    WalkedClock,
    every_transition,
    one_of_each_kind,
    transitions_by_zone,
    transitions_of,
    walked,
)

HOUR = timedelta(hours=1)
NINE_MIN, FIVE_MIN = 9 * 60, 17 * 60
OFFICE_HOURS = tuple(Shift(weekday, Span(NINE_MIN, FIVE_MIN)) for weekday in WEEKDAYS)

# ── The reference: what a person sees who looks at the clock every minute ────────────────────────────────────────────


def first_minute_of_each_time(clock: WalkedClock) -> dict[int, int]:
    """When the wall first showed a time."""
    first: dict[int, int] = {}
    for minute, wall in enumerate(clock.shown):
        first.setdefault(wall, minute)
    return first


def reached(wall: int, first: dict[int, int]) -> int:
    """When the wall first showed a time; one that it never showed, when it first showed a later one."""
    shown = wall
    while shown not in first:
        shown += 1
    return first[shown]


def whole_dates(clock: WalkedClock) -> range:
    """The dates of which the clock was walked from midnight to midnight, as days since 0001-01-01."""
    return range(clock.shown[0] // MINUTES_PER_DAY + 1, clock.shown[-1] // MINUTES_PER_DAY)


def page_of_each_minute(clock: WalkedClock) -> list[int]:
    """A new page begins when the wall first shows a new date, and no page is opened again."""
    pages: list[int] = []
    for wall in clock.shown:
        pages.append(max(wall // MINUTES_PER_DAY, pages[-1] if pages else 0))
    return pages


def as_date(day: int) -> date:
    return date.fromordinal(day + 1)


def seen_open(clock: WalkedClock, intervals: Sequence[Interval], within: slice) -> bytearray:
    """One byte a minute: 1 where an interval is."""
    marked = bytearray(len(clock.shown))
    for interval in intervals:
        start, end = (min(max(clock.minute(moment), 0), len(marked)) for moment in (interval.start, interval.end))
        marked[start:end] = b"\1" * (end - start)
    return marked[within]


def minutes_of_whole_dates(clock: WalkedClock) -> slice:
    """From the first whole date's first minute to the last one's last. No clock jumps at the edges of the walk."""
    days = whole_dates(clock)
    return slice(*(clock.shown.index(day * MINUTES_PER_DAY) for day in (days.start, days.stop)))


# ── The changes themselves ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("zone", "at", "before_min", "after_min"),
    [
        ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC), -300, -240),
        ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC), -240, -300),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC), 660, 630),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC), 630, 660),
        ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC), -600, 840),  # 30 December 2011 never was
        ("Africa/Casablanca", datetime(2026, 2, 15, 2, tzinfo=UTC), 60, 0),  # for Ramadan
        ("Africa/Casablanca", datetime(2026, 3, 22, 2, tzinfo=UTC), 0, 60),
        ("Antarctica/Casey", datetime(2010, 3, 4, 15, tzinfo=UTC), 660, 480),
        ("Europe/Dublin", datetime(2026, 3, 29, 1, tzinfo=UTC), 0, 60),  # its summer is standard, its winter is not
        ("Asia/Kathmandu", None, 0, 0),
    ],
)
def test_the_changes_are_those_that_are_known(zone: str, at: datetime | None, before_min: int, after_min: int) -> None:
    found = {(one.at, one.before / MINUTE, one.after / MINUTE) for one in transitions_of(zone)}
    assert (at, before_min, after_min) in found if at else not found


def test_each_summer_begins_and_ends_once() -> None:
    assert len(list(transitions_of("America/New_York"))) == 2 * 38


def test_no_zone_changes_twice_within_the_days_that_are_looked_at() -> None:
    """Were it so, a change could be overlooked, or stand for another with which it shares no more than an instant."""
    stays = [later.at - one.at for found in transitions_by_zone().values() for one, later in pairwise(found)]
    assert min(stays) > 6 * A_DAY
    assert len(every_transition()) > 2_500


# ── Working hours ────────────────────────────────────────────────────────────────────────────────────────────────────


def hours_around(resource: Resource, clock: WalkedClock) -> list[Interval]:
    days = whole_dates(clock)
    return resource.working_hours(as_date(days.start - 2), as_date(days.stop + 1))


def test_nine_to_five_is_what_the_wall_shows_on_every_day_on_which_a_clock_changes() -> None:
    wrong = []
    for transition in every_transition():
        clock = walked(transition)
        office = a_resource(time_zone=transition.zone, shifts=OFFICE_HOURS)
        within = minutes_of_whole_dates(clock)
        on_the_wall = bytearray(NINE_MIN <= wall % MINUTES_PER_DAY < FIVE_MIN for wall in clock.shown[within])
        if seen_open(clock, hours_around(office, clock), within) != on_the_wall:
            wrong.append(str(transition))
    assert wrong == []


def spans_about_the_jump(transition: Transition, clock: WalkedClock) -> Iterator[tuple[int, Span]]:
    """Hours that begin and end before, at, within and after the times that are skipped or repeated; with their date."""
    at = clock.minute(transition.at)
    lowest, highest = sorted((clock.shown[at - 1] + 1, clock.shown[at]))
    middle = (lowest + highest) // 2
    times = {lowest - 60, lowest - 1, lowest, middle, highest, highest + 1, highest + 60}
    for day in {time // MINUTES_PER_DAY for time in times}:
        midnight = day * MINUTES_PER_DAY
        bounds = {0, MINUTES_PER_DAY, *(time - midnight for time in times)}
        for bound in combinations(sorted(bounds & set(range(MINUTES_PER_DAY + 1))), 2):
            yield day, Span(*bound)


def test_hours_that_begin_or_end_in_a_jump_are_those_that_the_wall_shows() -> None:
    """What was skipped never was: no hours lie in a gap. Of a time that is repeated, the first begins and ends them."""
    wrong = []
    for transition in every_transition():
        clock = walked(transition)
        first = first_minute_of_each_time(clock)
        for day, span in spans_about_the_jump(transition, clock):
            resource = a_resource(time_zone=transition.zone, shifts=(), overrides=(Override(as_date(day), (span,)),))
            midnight, expected = day * MINUTES_PER_DAY, bytearray(len(clock.shown))
            opens, closes = (reached(midnight + minute, first) for minute in (span.start_min, span.end_min))
            expected[opens:closes] = b"\1" * (closes - opens)
            if seen_open(clock, hours_around(resource, clock), slice(None)) != expected:
                wrong.append(f"{transition} {as_date(day)} {span}")
    assert wrong == []


# ── Series ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def as_local(wall: int) -> datetime:
    return datetime(1, 1, 1) + wall * MINUTE  # noqa: DTZ001  wall-clock time


def test_a_start_is_when_the_wall_first_shows_it_and_one_in_a_gap_is_later_by_the_gap() -> None:
    wrong = []
    for transition in every_transition():
        clock, zone = walked(transition), ZoneInfo(transition.zone)
        first, at = first_minute_of_each_time(clock), clock.minute(transition.at)
        gap = (transition.after - transition.before) // MINUTE
        lowest, highest = sorted((clock.shown[at - 1] + 1, clock.shown[at]))
        wrong += [
            f"{transition} {as_local(wall)}"
            for wall in range(lowest - 10, highest + 11)
            if start_of(as_local(wall), zone) != clock.moment(first[wall] if wall in first else first[wall + gap])
        ]
    assert wrong == []


def test_nine_oclock_stays_nine_oclock_on_every_day_on_which_a_clock_changes() -> None:
    """A date that never was has no occurrence."""
    wrong, rules = [], RecurrenceRules()
    for transition in every_transition():
        clock, days = walked(transition), whole_dates(walked(transition))
        start_local = as_local(days.start * MINUTES_PER_DAY + NINE_MIN)
        until = as_local((days.stop - 1) * MINUTES_PER_DAY + NINE_MIN)
        rule = f"FREQ=DAILY;UNTIL={until:%Y%m%dT%H%M%S}"
        starts = rules.expand(rule, start_local, transition.zone).starts
        first = first_minute_of_each_time(clock)
        shown = [first[nine] for day in days if (nine := day * MINUTES_PER_DAY + NINE_MIN) in first]
        if [start_of(start, ZoneInfo(transition.zone)) for start in starts] != [clock.moment(one) for one in shown]:
            wrong.append(str(transition))
    assert wrong == []


# ── Diary pages ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_minute_is_on_one_page_and_the_pages_are_in_order() -> None:
    wrong = []
    for transition in every_transition():
        clock = walked(transition)
        expected = page_of_each_minute(clock)
        written: list[int] = []
        whole = Interval(clock.start, clock.moment(len(clock.shown)))
        for day, part in local_days(whole, ZoneInfo(transition.zone)):
            assert clock.minute(part.start) == len(written), f"{transition}: a hole or an overlap at {part.start}"
            written += [day.toordinal() - 1] * (clock.minute(part.end) - clock.minute(part.start))
        if written != expected:
            wrong.append(str(transition))
    assert wrong == []


def test_a_single_minute_is_on_the_same_page_as_in_any_longer_visit() -> None:
    wrong = []
    for transition in one_of_each_kind():
        clock, zone = walked(transition), ZoneInfo(transition.zone)
        expected = page_of_each_minute(clock)
        at = clock.minute(transition.at)
        for minute in range(at - 4 * 60, at + 4 * 60):
            start = clock.moment(minute)
            for length_min in (1, 2, 90):
                pages: list[int] = []
                for day, part in local_days(Interval(start, start + length_min * MINUTE), zone):
                    pages += [day.toordinal() - 1] * ((part.end - part.start) // MINUTE)
                if pages != expected[minute : minute + length_min]:
                    wrong.append(f"{transition} {start:%H:%M}Z + {length_min}")
    assert wrong == []


# ── Slots ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("step_min", [60, 7 * 60])
def test_the_grid_is_where_the_wall_shows_a_multiple_of_the_step(step_min: int) -> None:
    wrong = []
    for transition in every_transition():
        clock = walked(transition)
        first_day, days = day_number(clock.start), len(clock.shown) // MINUTES_PER_DAY + 2
        grid = grid_mask(transition.zone, step_min, first_day, days)
        begun = clock.minute(clock.start.replace(hour=0, minute=0))
        bits = f"{grid:b}"[::-1].ljust(days * MINUTES_PER_DAY, "0")[-begun : len(clock.shown) - begun]
        # Since midnight: 420 does not divide a day, so the count begins anew on each date.
        if bits != "".join("0" if wall % MINUTES_PER_DAY % step_min else "1" for wall in clock.shown):
            wrong.append(str(transition))
    assert wrong == []


def clinic_at(transition: Transition) -> tuple[Clinic, Interval]:
    """Open around the clock, visits of 30 minutes on every half hour, the hour that ends at the change is taken."""
    clinic = Clinic(a_service(duration_min=30, slot_step_min=30), [a_resource(time_zone=transition.zone)])
    clinic.claim(clinic.resources[0], Interval(transition.at - HOUR, transition.at))
    return clinic, Interval(transition.at - 4 * HOUR, transition.at + 4 * HOUR)


def test_a_slot_is_offered_once_for_each_time_that_the_wall_shows_it() -> None:
    """So none within a gap, and the two of a repeated hour are two: one may be taken and the other free."""
    wrong = []
    for transition in every_transition():
        clinic, around = clinic_at(transition)
        clock = walked(transition)
        at = clock.minute(transition.at)
        expected = [
            clock.moment(minute)
            for minute in range(at - 4 * 60, at + 4 * 60)
            if clock.shown[minute] % 30 == 0 and not at - 60 - 30 < minute < at
        ]
        if [start for start, _ in clinic.offered(around, transition.at - 30 * A_DAY)] != expected:
            wrong.append(str(transition))
    assert wrong == []


def test_what_is_offered_around_a_change_is_what_can_be_booked() -> None:
    wrong = []
    for transition in one_of_each_kind():
        clinic, around = clinic_at(transition)
        now = transition.at - 30 * A_DAY
        if clinic.offered(around, now) != clinic.bookable(around, now):
            wrong.append(str(transition))
    assert wrong == []
