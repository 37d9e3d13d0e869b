"""Windows that each process counts for itself and reconciles with the others beside."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from application.rate_limits import Limit, LimitsUnavailable, Tell, Window, Windows

TEN = Limit("account", 10, 10)
NOON = 1_800_000_000.0


class Shared:
    """What the processes of a test have counted together; ``is_away``: as Redis may be."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.is_away = False

    async def add(self, counted: Sequence[Tell]) -> Sequence[tuple[int, int]]:
        if self.is_away:
            raise LimitsUnavailable from ConnectionError()
        for one in counted:
            self.counts[one.key] += one.count
        return [(self.counts[one.key], self.counts[one.before]) for one in counted]


def taken(window: Window, tries: int, now: float) -> int:
    return sum(window.take(now) for _ in range(tries))


def test_no_more_than_the_limit_is_let_through_in_a_window_and_what_was_refused_does_not_count() -> None:
    window = Window(TEN, "account:a")

    assert taken(window, 100, NOON) == 10
    assert window.left(NOON) == 0
    assert taken(window, 5, NOON + 9) == 0
    # The next window begins full of the one before, and empties by a tenth of it each second.
    assert taken(window, 100, NOON + 10) == 0
    assert taken(window, 100, NOON + 12) == 2
    assert taken(window, 100, NOON + 40) == 10  # nobody asked for a whole window: nothing is left of it


@pytest.mark.parametrize("steady", [3, 7, 10])
def test_in_any_ten_seconds_of_a_steady_stream_little_more_than_the_limit_comes_through(steady: int) -> None:
    window, let_in = Window(TEN, "account:a"), []
    for tenth in range(1_000):
        now = NOON + tenth / 10
        let_in += [now] * taken(window, steady, now)

    busiest = max(sum(1 for at in let_in if first <= at < first + 10) for first in let_in)
    assert busiest <= 2 * TEN.count  # never the double that two plain windows let through at their seam, and mostly 11
    assert 90 <= len(let_in) <= 110


def test_who_is_refused_is_told_when_to_come_again_and_then_gets_in() -> None:
    for used_at in (0.0, 3.0, 9.5):
        window = Window(TEN, "account:a")
        taken(window, 10, NOON + used_at)
        later = NOON + used_at + window.again_in_s(NOON + used_at)
        assert window.take(later), used_at

    window = Window(TEN, "account:a")
    taken(window, 10, NOON + 9)
    taken(window, 10, NOON + 10.5)
    assert not window.take(NOON + 10.5)
    assert window.take(NOON + 10.5 + window.again_in_s(NOON + 10.5))


def test_processes_learn_of_each_other_and_let_no_more_through_together_than_the_limit() -> None:
    shared = Shared()
    nodes = [Windows(shared, clock=lambda: NOON) for _ in range(3)]
    windows = [node.open("account", "a", TEN) for node in nodes]

    for window in windows:
        assert taken(window, 3, NOON) == 3
    for node in nodes:
        asyncio.run(node.reconcile())

    assert [window.elsewhere for window in windows] == [0, 3, 6]  # who told last has learnt most
    assert taken(windows[2], 10, NOON + 1) == 1
    asyncio.run(nodes[2].reconcile())
    assert windows[0].take(NOON + 1)  # it could not know yet: that is the half second
    asyncio.run(nodes[0].reconcile())
    assert taken(windows[0], 10, NOON + 1) == 0


def test_a_process_that_begins_learns_what_was_counted_in_the_window_before() -> None:
    shared = Shared()
    old, new = Windows(shared), Windows(shared)
    taken(old.open("account", "a", TEN), 10, NOON)
    asyncio.run(old.reconcile())

    window = new.open("account", "a", TEN)
    assert window.take(NOON + 10)
    asyncio.run(new.reconcile())

    assert taken(window, 10, NOON + 11) == 0


def test_alone_a_process_goes_on_counting_by_itself_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    shared = Shared()
    node = Windows(shared)
    window = node.open("account", "a", TEN)
    shared.is_away = True

    for _ in range(3):
        window.take(NOON)
        asyncio.run(node.reconcile())

    assert taken(window, 100, NOON) == 7
    assert node.tally.alone == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    shared.is_away = False
    asyncio.run(node.reconcile())
    assert shared.counts.total() == 10  # nothing was lost


def test_a_flood_of_clients_takes_no_more_memory_than_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("application.rate_limits.KEYS_MAX", 100)
    now = [NOON]
    node = Windows(Shared(), clock=lambda: now[0])
    for number in range(1_000):
        now[0] = NOON + number / 10
        node.open("address", number, TEN).take(now[0])
        assert len(node.kind("address")) <= 100
    assert 999 in node.kind("address")
