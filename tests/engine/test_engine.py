"""Whatever is done to it, the engine answers as the naive one does, and nothing is ever sold twice."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.engine.engine import EXAMPLES, SEARCH, Engine
from tests.engine.reached import REACHED

INTERESTING = {
    "groups": {
        "refused: SessionFull",
        "refused: SlotTaken",
        "refused: HoldLapsed",
        "refused: NothingOffered",
        "done: confirm",
        "done: decline",
        "done: lapse",
        "done: reschedule",
        "offered",
        "placed: in a session that is open",
        "placed: against a rule that was waived",
        "placed: while a hold is past its deadline",
        "asked: something is free",
        "explained: SlotTaken",
    },
    "people": {
        "refused: BookingLimitReached",
        "refused: CustomerElsewhere",
        "refused: ResourceRetired",
        "refused: OffGrid",
        "refused: TooSoon",
        "done: accept",
        "done: approve",
        "placed: by the best of each",
        "placed: for a hold of one's own",
    },
    "hours": {"refused: ClosedForHoliday", "refused: OutsideWorkingHours", "explained: OutsideWorkingHours"},
}
"""By the theme of a world."""

Engine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestEngine = Engine.TestCase


@pytest.mark.parametrize("theme", INTERESTING)
def test_what_is_interesting_is_reached(theme: str) -> None:
    """A model that never gets into a tight spot proves nothing."""

    class Themed(Engine):
        themes = (theme,)

    REACHED.clear()
    few = settings(SEARCH, max_examples=15, derandomize=False)
    for _ in range(20):
        run_state_machine_as_test(Themed, settings=few)
        if INTERESTING[theme] <= REACHED.keys():
            break
    assert INTERESTING[theme] - REACHED.keys() == set()
