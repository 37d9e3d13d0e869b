from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.interval import Interval
from domain.refusals import SlotTaken
from domain.resource_day import Claim, ClaimReleased, ResourceDay, claim, evolve, release
from tests.desk import HOUR, MINUTE, MONDAY, NINE

ROOM = UUID(int=1)
PAGE = ResourceDay(resource_id=ROOM, day=date(2026, 11, 23))


def visit(number: int, start: int = 0, length: int = 60, quantity: int = 1, until: object = None) -> Claim:
    at = NINE + start * MINUTE
    return Claim(UUID(int=number), Interval(at, at + length * MINUTE), quantity, until)  # type: ignore[arg-type]


def page_with(*claims: Claim) -> ResourceDay:
    return ResourceDay(resource_id=ROOM, day=PAGE.day, claim_by_appointment={one.appointment_id: one for one in claims})


def test_a_free_page_takes_a_claim() -> None:
    happened = claim(PAGE, visit(1), capacity=1, now=MONDAY)
    assert list(evolve(PAGE, happened).claims) == [visit(1)]


def test_two_claims_on_one_room_at_one_time_are_refused() -> None:
    with pytest.raises(SlotTaken) as refusal:
        claim(page_with(visit(1)), visit(2, start=30), capacity=1, now=MONDAY)
    assert refusal.value.resource_id == ROOM


def test_claims_that_touch_do_not_conflict() -> None:
    claim(page_with(visit(1)), visit(2, start=60), capacity=1, now=MONDAY)


def test_capacity_counts_the_peak_and_not_the_number_of_overlapping_claims() -> None:
    page = page_with(visit(1, 0, 30), visit(2, 30, 30))
    claim(page, visit(3, 0, 60), capacity=2, now=MONDAY)


def test_an_expired_hold_blocks_no_one_even_before_it_is_swept_away() -> None:
    page = page_with(visit(1, until=NINE - HOUR))
    claim(page, visit(2), capacity=1, now=NINE - HOUR)
    with pytest.raises(SlotTaken):
        claim(page, visit(2), capacity=1, now=NINE - HOUR - timedelta(seconds=1))


def test_an_appointment_does_not_conflict_with_its_own_claim() -> None:
    page = page_with(visit(1))
    happened = claim(page, visit(1, start=30), capacity=1, now=MONDAY)
    assert list(evolve(page, happened).claims) == [visit(1, start=30)]


def test_a_release_gives_the_slot_back() -> None:
    page = page_with(visit(1), visit(2, start=60))
    happened = release(page, UUID(int=1))
    assert isinstance(happened, ClaimReleased)
    assert list(evolve(page, happened).claims) == [visit(2, start=60)]


claims = st.builds(
    visit,
    number=st.integers(1, 30),
    start=st.integers(0, 120),
    length=st.integers(1, 90),
    quantity=st.integers(1, 3),
)


@given(st.lists(claims, max_size=12, unique_by=lambda c: c.appointment_id), claims)
def test_the_peak_is_the_greatest_count_over_the_minutes(present: list[Claim], wanted: Claim) -> None:
    page = page_with(*present)
    minute, expected = wanted.interval.start, 0
    while minute < wanted.interval.end:
        expected = max(expected, sum(c.quantity for c in present if c.interval.start <= minute < c.interval.end))
        minute += MINUTE
    assert page.peak_quantity(wanted.interval, now=MONDAY) == expected
