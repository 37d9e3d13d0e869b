"""What is offered can be booked, what is not offered is refused: minute by minute, by the booking decision itself."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.allocation import Choice
from domain.interval import Interval
from domain.open_hours import OpenDays, day_number, grid_mask
from domain.pool import Strategy
from domain.possible_starts import BLOCK_DAYS
from domain.resource import Closure, Override, Resource, Shift, Span
from domain.service import Requirement
from domain.wall_clock import A_DAY, MINUTE, WEEKDAYS, minute_of_day
from tests.clinic import Clinic, a_resource, a_service

# ── Against the booking decision ─────────────────────────────────────────────────────────────────────────────────────

PLACES_AND_DAYS = [
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour back
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Pacific/Apia", date(2011, 12, 30)),  # a date that never was
    ("Pacific/Apia", date(2011, 12, 31)),
    ("America/Havana", date(2026, 11, 1)),  # midnight happens twice
    ("Africa/Cairo", date(2026, 4, 24)),  # midnight does not happen
    ("America/Nuuk", date(2026, 10, 24)),  # 23:00 happens twice
    ("Asia/Kathmandu", date(2026, 6, 1)),
    ("Europe/Lisbon", date(2026, 10, 25)),
    ("UTC", date(2026, 3, 1)),
]

spans = st.lists(st.integers(0, 1440), min_size=2, max_size=6, unique=True).map(
    lambda bounds: tuple(Span(*pair) for pair in zip(sorted(bounds)[::2], sorted(bounds)[1::2], strict=False))
)
hours = st.one_of(
    st.just((Span(0, 1440),)), st.just((Span(540, 1020),)), st.just((Span(0, 120), Span(1200, 1440))), spans
)
MOSTLY_OPEN = (Span(0, 1440), Span(0, 1440), Span(0, 1200), Span(420, 1440))
lengths = st.sampled_from([1, 5, 10, 30, 45, 90, 400, 1500])


@st.composite
def resources(draw: st.DrawFn, number: int, zone: str, day: date) -> Resource:
    around = [day + timedelta(days=n) for n in (-2, -1, 0, 1, 2)]
    noon = datetime.combine(day, time(12), UTC)
    closures = draw(st.lists(st.tuples(st.integers(-130_000, 130_000), st.integers(1, 30_000)), max_size=2))
    return a_resource(
        number,
        kind=draw(st.sampled_from(["room", "room", "person"])),
        time_zone=draw(st.sampled_from([zone, zone, "UTC", "Asia/Kolkata"])),
        capacity=draw(st.integers(1, 4)),
        shifts=tuple(Shift(weekday, span) for weekday in WEEKDAYS for span in draw(hours)),
        overrides=tuple(
            Override(d, draw(hours)) for d in draw(st.lists(st.sampled_from(around), unique=True, max_size=2))
        ),
        closures=tuple(
            Closure(UUID(int=n), Interval(noon + timedelta(seconds=at), noon + timedelta(seconds=at + seconds)))
            for n, (at, seconds) in enumerate(closures)
        ),
    )


@st.composite
def clinics(draw: st.DrawFn) -> tuple[Clinic, Interval, datetime]:
    zone, day = draw(st.sampled_from(PLACES_AND_DAYS))
    ones = [draw(resources(number, zone, day)) for number in range(draw(st.integers(1, 4)))]
    wanted = draw(st.lists(st.sampled_from(["room", "person", *ones]), min_size=1, max_size=3, unique_by=str))
    requirements = tuple(
        Requirement(resource_id=one.id, quantity=draw(st.integers(1, 3)))
        if isinstance(one, Resource)
        else Requirement(kind=str(one), quantity=draw(st.integers(1, 2)))
        for one in wanted
    )
    if draw(st.booleans()):  # two requirements that compete for the same candidates
        requirements += (Requirement(kind="room"),)
    service = a_service(
        *requirements,
        duration_min=draw(lengths),
        buffer_before_min=draw(st.sampled_from([0, 0, 5, 60])),
        buffer_after_min=draw(st.sampled_from([0, 0, 7, 60])),
        slot_step_min=draw(st.sampled_from([1, 5, 15, 50, 60, 420])),
        min_notice_min=draw(st.sampled_from([0, 0, 120])),
        max_advance_days=draw(st.sampled_from([1, 365])),
    )
    clinic = Clinic(service, ones)
    midnight = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    claims = st.tuples(st.sampled_from(ones), st.integers(-1500, 2500), st.integers(1, 900), st.integers(1, 3))
    for resource, at, length, quantity in draw(st.lists(claims, max_size=8)):
        begins = midnight + at * MINUTE
        clinic.claim(resource, Interval(begins, begins + length * MINUTE), quantity)
    first = midnight + draw(st.integers(-300, 600)) * MINUTE + timedelta(seconds=draw(st.sampled_from([0, 0, 17])))
    starts = Interval(first, first + draw(st.sampled_from([60, 700, 1500])) * MINUTE)
    now = first + timedelta(seconds=draw(st.sampled_from([-1_000_000, -80_000, -80_017, -3_600, 0, 1, 5_000])))
    return clinic, starts, now


@settings(max_examples=150, deadline=None)
@given(clinics())
def test_what_is_offered_is_exactly_what_can_be_booked(drawn: tuple[Clinic, Interval, datetime]) -> None:
    clinic, starts, now = drawn
    whole_minutes = Interval(
        starts.start.replace(second=0) + (MINUTE if starts.start.second else 0 * MINUTE), starts.end
    )
    assert clinic.offered(starts, now) == clinic.bookable(whole_minutes, now)


@st.composite
def pools_of(draw: st.DrawFn, ones: list[Resource], pool_id: UUID) -> Choice[Resource]:
    several = draw(st.lists(st.sampled_from(ones), min_size=min(2, len(ones)), unique_by=lambda one: one.id))
    return Choice(tuple(several), draw(st.sampled_from(Strategy)), pool_id)


@st.composite
def clinics_with_pools(draw: st.DrawFn) -> tuple[Clinic, Interval, datetime]:
    """Pools that share resources, most of which are open, and some of which are taken."""
    zone, day = draw(st.sampled_from(PLACES_AND_DAYS))
    ones = [
        a_resource(
            number,
            time_zone=draw(st.sampled_from([zone, zone, zone, "Asia/Kolkata"])),
            capacity=draw(st.sampled_from([1, 1, 2, 3])),
            shifts=tuple(Shift(weekday, draw(st.sampled_from(MOSTLY_OPEN))) for weekday in WEEKDAYS),
        )
        for number in range(draw(st.integers(2, 5)))
    ]
    pools: dict[UUID | None, Choice[Resource]] = {
        UUID(int=n): draw(pools_of(ones, UUID(int=n))) for n in range(draw(st.integers(1, 3)))
    }
    service = a_service(
        *(Requirement(pool_id=pool_id) for pool_id in pools),
        duration_min=draw(st.sampled_from([10, 45, 90, 300, 1500])),
        buffer_before_min=draw(st.sampled_from([0, 0, 20])),
        slot_step_min=draw(st.sampled_from([5, 15, 50])),
    )
    clinic = Clinic(service, ones, pools)
    midnight = datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    claims = st.tuples(st.sampled_from(ones), st.integers(-1500, 2500), st.sampled_from([15, 60, 300, 900]))
    for resource, at, length in draw(st.lists(claims, min_size=1, max_size=12)):
        begins = midnight + at * MINUTE
        clinic.claim(resource, Interval(begins, begins + length * MINUTE))
    first = midnight + draw(st.integers(-300, 600)) * MINUTE
    return clinic, Interval(first, first + 1500 * MINUTE), first


@settings(max_examples=100, deadline=None)
@given(clinics_with_pools())
def test_of_a_pool_the_one_is_named_that_a_booking_would_choose(drawn: tuple[Clinic, Interval, datetime]) -> None:
    clinic, starts, now = drawn
    assert clinic.offered(starts, now) == clinic.bookable(starts, now)


# ── Sentences ────────────────────────────────────────────────────────────────────────────────────────────────────────

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
LONG_AGO = MONDAY - 30 * A_DAY


def starts_of(visits: Sequence[tuple[datetime, tuple[UUID, ...]]]) -> list[str]:
    return [f"{start:%H:%M}" for start, _ in visits]


def test_a_claim_with_buffers_needs_its_buffers_free_but_shows_the_visit() -> None:
    nine_to_eleven = tuple(Shift(weekday, Span(540, 660)) for weekday in WEEKDAYS)
    clinic = Clinic(a_service(buffer_before_min=15, buffer_after_min=30), [a_resource(shifts=nine_to_eleven)])
    assert starts_of(clinic.offered(Interval(MONDAY, MONDAY + A_DAY), LONG_AGO)) == ["09:15", "09:30", "09:45", "10:00"]


def test_a_resource_with_capacity_is_free_until_its_peak_is_reached() -> None:
    room = a_resource(capacity=3)
    clinic = Clinic(a_service(Requirement(kind="room", quantity=2), duration_min=60, slot_step_min=60), [room])
    at = [MONDAY + timedelta(hours=hour) for hour in range(5)]
    clinic.claim(room, Interval(at[0], at[2]))  # 1 of 3: two more fit
    clinic.claim(room, Interval(at[1], at[3]))  # from 01:00 to 02:00 it is 2 of 3
    assert starts_of(clinic.offered(Interval(at[0], at[4]), LONG_AGO)) == ["00:00", "02:00", "03:00"]


def test_the_resource_that_is_named_is_the_first_that_is_free() -> None:
    first, second = a_resource(1), a_resource(2)
    clinic = Clinic(a_service(duration_min=60, slot_step_min=60), [first, second])
    clinic.claim(first, Interval(MONDAY + timedelta(hours=1), MONDAY + timedelta(hours=2)))
    visits = clinic.offered(Interval(MONDAY, MONDAY + timedelta(hours=3)), LONG_AGO)
    assert [chosen for _, chosen in visits] == [(first.id,), (second.id,), (first.id,)]


def test_one_resource_does_not_serve_two_requirements() -> None:
    clinic = Clinic(a_service(Requirement(kind="room"), Requirement(kind="room")), [a_resource(capacity=5)])
    assert clinic.offered(Interval(MONDAY, MONDAY + A_DAY), LONG_AGO) == []


def test_the_slot_grid_is_that_of_the_wall_clock_across_a_jump() -> None:
    lord_howe = a_resource(time_zone="Australia/Lord_Howe")
    clinic = Clinic(a_service(slot_step_min=60), [lord_howe])
    half_past_one = datetime(2026, 4, 4, 14, 30, tzinfo=UTC)  # 01:30, half an hour before the clock goes back
    visits = clinic.offered(Interval(half_past_one, half_past_one + timedelta(hours=3)), LONG_AGO)
    on_the_wall = [f"{start.astimezone(lord_howe.zone):%H:%M}" for start, _ in visits]
    assert on_the_wall == ["02:00", "03:00"]  # at 02:00 it becomes 01:30; the first 02:00 is not on any clock


@pytest.mark.parametrize("zone", ["America/St_Johns", "Africa/Casablanca", "Antarctica/Troll", "Asia/Gaza"])
@pytest.mark.parametrize("step_min", [7, 60])
def test_the_grid_of_a_whole_year_is_what_the_wall_clock_shows(zone: str, step_min: int) -> None:
    first_day = day_number(datetime(2026, 1, 1, tzinfo=UTC))
    start, days = datetime(2026, 1, 1, tzinfo=UTC), 365
    grid = grid_mask(zone, step_min, first_day, days)
    where = ZoneInfo(zone)
    for minute in range(0, days * 1440, 5):
        assert bool(grid >> minute & 1) == (minute_of_day(start + minute * MINUTE, where) % step_min == 0)


def test_open_days_that_are_kept_are_the_same_as_those_worked_out_anew() -> None:
    resource = a_resource(time_zone="America/New_York", shifts=(Shift("SU", Span(60, 300)), Shift("MO", Span(0, 1440))))
    kept = OpenDays(resource)
    first_day = day_number(datetime(2026, 3, 1, tzinfo=UTC))
    for offset, days in [(0, 3), (5, 10), (2, 6), (90, 40), (0, 80), (200, BLOCK_DAYS)]:
        assert kept.mask(first_day + offset, days) == OpenDays(resource).mask(first_day + offset, days)
