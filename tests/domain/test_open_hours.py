"""What masks say is open is what the rules have no reason against, minute for minute."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from domain.bit_planes import minutes
from domain.interval import Interval
from domain.location import Holiday, Location
from domain.open_hours import EPOCH, OpenDays, day_number, open_mask
from domain.resource import Closure, Override, Resource, Shift, Span
from domain.wall_clock import A_DAY, MINUTE, MINUTES_PER_DAY, WEEKDAYS

FIRST = date(2026, 3, 6)  # New York's clock goes forward on the 8th, Lord Howe's back on 5 April
DAYS = [FIRST + n * A_DAY for n in range(5)]
START = datetime(2026, 3, 6, tzinfo=UTC)
WIDTH = 5 * MINUTES_PER_DAY

spans = st.sampled_from(
    [(), (Span(0, 1440),), (Span(540, 1020),), (Span(90, 150), Span(150, 300)), (Span(0, 150), Span(1200, 1440))]
)
instants = st.integers(0, WIDTH * 2).map(lambda halves: START + halves * timedelta(seconds=30))
intervals = st.tuples(instants, st.integers(1, 3 * MINUTES_PER_DAY)).map(lambda i: Interval(i[0], i[0] + i[1] * MINUTE))


@st.composite
def resources(draw: st.DrawFn) -> Resource:
    week = {weekday: draw(spans) for weekday in WEEKDAYS}
    resource = Resource(
        id=UUID(int=1),
        organization_id=UUID(int=2),
        kind="room",
        location_id=UUID(int=3),
        time_zone=draw(st.sampled_from(["America/New_York", "UTC", "Asia/Kathmandu", "Pacific/Apia"])),
        capacity=1,
        shifts=tuple(Shift(weekday, span) for weekday, ones in week.items() for span in ones),
        overrides=tuple(Override(day, draw(spans)) for day in draw(st.sets(st.sampled_from(DAYS), max_size=2))),
        closures=tuple(Closure(UUID(int=4), closed) for closed in draw(st.lists(intervals, max_size=1))),
        retired_at=draw(st.none() | instants),
    )
    return resource.observing(location(*draw(st.sets(st.sampled_from(DAYS), max_size=3))))


def location(*days: date) -> Location:
    return Location(
        id=UUID(int=3),
        organization_id=UUID(int=2),
        name="Centro",
        time_zone="UTC",
        address=None,
        holidays=tuple(Holiday(day, "A holiday") for day in sorted(days)),
        days=frozenset(days),
    )


@given(resource=resources(), start_min=st.integers(0, WIDTH - 1), length_min=st.sampled_from([1, 15, 60, 600]))
def test_a_stretch_is_open_in_the_mask_if_nothing_speaks_against_it(
    resource: Resource, start_min: int, length_min: int
) -> None:
    first_day = day_number(START)
    wanted = Interval(START + start_min * MINUTE, START + (start_min + length_min) * MINUTE)
    stretch = minutes(start_min, start_min + length_min)

    is_open = open_mask(resource, first_day, 7) & stretch == stretch

    assert is_open == (list(resource.reasons_against(wanted)) == [])


@given(resource=resources())
def test_the_mask_is_the_working_hours_less_closures_and_what_comes_after_the_retirement(resource: Resource) -> None:
    first_day = day_number(START)
    expected = 0
    for hours in resource.working_hours(FIRST - A_DAY, DAYS[-1] + 3 * A_DAY):
        opens, closes = (
            (moment - EPOCH) // MINUTE - first_day * MINUTES_PER_DAY for moment in (hours.start, hours.end)
        )
        for minute in range(max(opens, 0), min(closes, WIDTH)):
            moment = START + minute * MINUTE
            whole = Interval(moment, moment + MINUTE)
            is_closed = any(closure.interval.overlaps(whole) for closure in resource.closures)
            if not is_closed and (resource.retired_at is None or whole.end <= resource.retired_at):
                expected |= 1 << minute

    assert OpenDays(resource).mask(first_day, 5) == expected
