"""Which situations a run has reached: for Hypothesis' statistics, and for the test that none is missed."""

from collections import Counter

from hypothesis import event

REACHED: Counter[str] = Counter()


def tell(situation: str) -> None:
    event(situation)
    REACHED[situation] += 1
