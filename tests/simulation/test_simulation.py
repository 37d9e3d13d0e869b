"""Whatever dies at whatever write, in whatever order: nothing is sold twice, lost, done twice or told wrongly."""

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.simulation.fate import BOUNDARIES
from tests.simulation.running import simulate

SEEDS, AT_ONCE = 2_000, 200


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_all_comes_right_whatever_fate_decides(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        assert simulate(seed).wrongs == [], f"python -m tests.simulation --seed {seed}"


def test_every_write_is_cut_short_now_and_then() -> None:
    missing, seed = set(BOUNDARIES), 0
    while missing and seed < SEEDS:
        missing -= simulate(seed).crashes.keys()
        seed += 1

    assert not missing


def test_the_same_seed_is_the_same_run_and_another_seed_another() -> None:
    traces = [simulate(seed).trace for seed in (7, 7, 8)]

    assert traces[0] == traces[1]
    assert traces[0] != traces[2]


def test_a_seed_is_the_same_run_in_another_process() -> None:
    assert _traces_elsewhere("1") == _traces_elsewhere("2") == [simulate(seed).trace for seed in range(5)]


def _traces_elsewhere(hash_seed: str) -> Sequence[str]:
    script = "from tests.simulation.running import simulate\nfor seed in range(5): print(simulate(seed).trace)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()
