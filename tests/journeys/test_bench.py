"""The bench itself: a short run of some of its rows, from servers to the last line."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.bench.figures import BY_KEY

ROWS = {"book_vs_noop", "append_max", "start_s"}


def test_the_bench_prints_a_table_draws_it_and_ends_with_its_figures(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.bench", "--rows", ",".join(ROWS), "--rounds", "1", "--seconds", "1"]

    done = subprocess.run([*argv, "--out", str(tmp_path)], capture_output=True, text=True, check=False, env=os.environ)

    assert done.returncode == 0, done.stderr[-4_000:]
    *told, last = done.stdout.splitlines()
    name, _, figures = last.partition(": ")
    assert name == "bench"
    assert json.loads(figures).keys() == ROWS
    assert all(value > 0 for value in json.loads(figures).values())
    assert all(any(key in line for line in told) for key in ROWS)
    drawn = (tmp_path / "bench.svg").read_text()
    assert all(f"<!-- {key} -->" in drawn for key in ROWS if BY_KEY[key].has_bound)  # as matplotlib labels its paths
    table = (tmp_path / "bench.md").read_text()
    assert all(f"| `{key}` | {BY_KEY[key].meaning} |" in table for key in ROWS)
