"""What a process keeps of rules and offers takes what it is said to take."""

import gc
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from domain.open_hours import DAYS_KEPT_MAX, GRID_DAY_BYTES, OpenDays, grid_of_day
from domain.pool import POOL_MAX
from domain.possible_starts import Window
from domain.ranking import CALENDAR_BYTES, ORDER_BYTES, Dates, by_load, calendar_of, in_order
from domain.resource import Resource
from projections.availability_queries import ARRAY_BYTES, Rules, array_of, bytes_of_rules
from tests.desk import OFFICE_HOURS

FIRST_DAY = 20_000
WEEKS = Window(2_500, 2_509)
A_DAY = Dates(0, 1_440, 0, 1_440)
COPIES = 100
MEMOS = grid_of_day, calendar_of, in_order, array_of


def bytes_taken(made: Callable[[], Any]) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        kept = made()
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept is not None
    return taken


def rules() -> Rules:
    """As they are after the longest window has been asked for."""
    resource = Resource(
        id=uuid4(),
        organization_id=uuid4(),
        kind="room",
        location_id=None,
        time_zone="Europe/Berlin",
        capacity=1,
        shifts=OFFICE_HOURS,
    )
    open_days = OpenDays(resource)
    open_days.mask(FIRST_DAY, DAYS_KEPT_MAX)
    return Rules(1, open_days)


def an_order(number: int) -> object:
    """Of the largest pool on one day."""
    return in_order(tuple([by_load(place, ((1 << number) - 1,), [A_DAY])[0] for place in range(POOL_MAX)]))


def an_array(_: int) -> object:
    return array_of(tuple([uuid4() for _ in range(POOL_MAX)]))


def test_the_rules_of_a_resource_take_no_more_than_is_guessed_and_not_much_less() -> None:
    rules()  # what is made once is made now

    taken, guessed = bytes_taken(rules), bytes_of_rules(rules())

    assert 0.7 * guessed < taken < 1.1 * guessed


@pytest.mark.parametrize(
    ("made", "at_most"),
    [
        (lambda number: grid_of_day("Europe/Berlin", 15, FIRST_DAY + number), GRID_DAY_BYTES),
        (lambda number: calendar_of(frozenset({"Europe/Berlin"}), WEEKS, 60 + number), CALENDAR_BYTES),
        (an_order, ORDER_BYTES),
        (an_array, ARRAY_BYTES),
    ],
)
def test_what_is_worked_out_once_takes_no_more_than_is_told(made: Callable[[int], object], at_most: int) -> None:
    # What other tests have left makes the table grow at another place, and is charged to whoever is next.
    for memo in MEMOS:
        memo.cache_clear()
    made(COPIES)  # what is made once is made now

    taken = bytes_taken(lambda: [made(number) for number in range(COPIES)]) / COPIES

    assert 0.3 * at_most < taken < 1.1 * at_most


def test_the_window_is_as_long_as_any_that_is_asked_for() -> None:
    assert WEEKS.origin > datetime(2020, 1, 1, tzinfo=UTC)
    assert WEEKS.days == 80
