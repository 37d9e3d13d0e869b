"""Whatever is done to it, the engine answers as the naive one does, and nothing is ever sold twice."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.engine.bookings import Bookings
from tests.engine.engine import EXAMPLES, SEARCH, Engine, EngineWithSeries, Queue, Slots, Standing
from tests.engine.reached import REACHED

INTERESTING: dict[tuple[str, type[Bookings]], set[str]] = {
    ("groups", Queue): {
        "refused: SessionFull",
        "refused: SlotTaken",
        "refused: HoldLapsed",
        "refused: NothingOffered",
        "done: confirm",
        "done: accept",
        "done: decline",
        "done: lapse",
        "done: reschedule",
        "offered",
        "placed: in a session that is open",
        "placed: against a rule that was waived",
        "placed: while a hold is past its deadline",
    },
    ("people", Queue): {
        "refused: BookingLimitReached",
        "refused: CustomerElsewhere",
        "refused: OffGrid",
        "refused: TooSoon",
        "done: approve",
        "placed: by the best of each",
        "placed: for a hold of one's own",
    },
    ("hours", Slots): {"asked: something is free", "explained: OutsideWorkingHours", "explained: SlotTaken"},
    ("anything", Standing): {
        "done: begin_series",
        "done: reschedule_series",
        "done: cancel_series",
        "refused: SeriesConflicts",
    },
}
"""By the theme of a world, and what is done in it."""

CROWDED = settings(
    max_examples=EXAMPLES,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
Engine.TestCase.settings = CROWDED
EngineWithSeries.TestCase.settings = settings(CROWDED, max_examples=EXAMPLES // 2)
TestEngine = Engine.TestCase
TestEngineWithSeries = EngineWithSeries.TestCase


@pytest.mark.parametrize(("theme", "machine"), INTERESTING, ids=lambda one: getattr(one, "__name__", one))
def test_what_is_interesting_is_reached(theme: str, machine: type[Bookings]) -> None:
    """A model that never gets into a tight spot proves nothing."""

    class Themed(machine):  # type: ignore[valid-type,misc]
        themes = (theme,)

    REACHED.clear()
    few = settings(SEARCH, max_examples=15, derandomize=False)
    for _ in range(20):
        run_state_machine_as_test(Themed, settings=few)
        if INTERESTING[theme, machine] <= REACHED.keys():
            break
    assert INTERESTING[theme, machine] - REACHED.keys() == set()
