"""``make bench``: what Daybook costs, beside programs that do less or do it as people usually do, all in one run.

python -m tests.bench [--rows key,key…] [--rounds N] [--seconds S] [--out DIRECTORY]
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from rich.console import Console

from infra.embedded import EmbeddedStack
from tests.bench import growth, report
from tests.bench.bench import Bench
from tests.bench.figures import BY_KEY, TARGETS, Figure
from tests.bench.load import CLIENT
from tests.bench.rows import appends, booking, contention, costs, flatness, following, live, memory, slots, starting

GROUPS: Sequence[ModuleType] = (starting, booking, contention, costs, appends, flatness, slots, following, live, memory)
"""In the order in which they are run: what is measured together is in one."""
ROUNDS, SECONDS = 3, 3.0


def main() -> int:
    """0 once all is measured, whatever came out of it: the table says what is not as it must be. 1 if a row failed."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    # Not the default place: PostgreSQL runs as another user where we are root, and has to get there.
    data_dir = Path(tempfile.mkdtemp(prefix="daybook-bench-", dir="/tmp"))
    try:
        with EmbeddedStack(data_dir) as servers:
            figures, failed = _measured(Bench(servers, asked.rounds, asked.seconds), asked.rows)
    finally:
        shutil.rmtree(data_dir)
    figures.sort(key=lambda figure: [target.key for target in TARGETS].index(figure.key))
    out = Path(asked.out)
    report.chart(figures, out / "bench.svg")
    (out / "bench.md").write_text(report.markdown(figures))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(report.table(figures))
    console.print(
        f"{os.cpu_count()} cores, load by {CLIENT}, {asked.rounds} rounds of {asked.seconds:g} s, fsync on,"
        f" {time.monotonic() - began:.0f} s; chart: {out / 'bench.svg'}"
    )
    if costs := growth.costs_of({figure.key: figure for figure in figures}):
        growth.chart(costs, out / "growth.svg")
        console.print(growth.table(costs))
    if failed:
        console.print(f"failed, as told above: {', '.join(failed)}", style="red")
    sys.stdout.write(report.last_line(figures) + "\n")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Daybook beside what it is compared with.")
    parser.add_argument("--rows", default="", help="only these keys, separated by commas")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a round, for each of what is compared")
    parser.add_argument("--out", default="build/bench", help="where the chart goes")
    asked = parser.parse_args()
    asked.rows = frozenset(filter(None, asked.rows.split(",")))
    if unknown := asked.rows - BY_KEY.keys():
        parser.error(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(BY_KEY)}")
    return asked


def _measured(bench: Bench, wanted: frozenset[str]) -> tuple[list[Figure], list[str]]:
    """The figures, and the keys of those that could not be measured: they do not take the others along."""
    figures: list[Figure] = []
    failed: list[str] = []
    for group in GROUPS:
        if wanted and not wanted & set(group.KEYS):
            continue
        bench.say(f"{', '.join(group.KEYS)} …")
        try:
            figures += group.measure(bench)
        except Exception:  # noqa: BLE001  told here, and by the exit code
            traceback.print_exc()
            failed += group.KEYS
    return [figure for figure in figures if not wanted or figure.key in wanted], failed


if __name__ == "__main__":
    sys.exit(main())
