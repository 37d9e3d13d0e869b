"""``python -m tests.simulation``: many seeds, or one again, line by line.

--seeds N   from --first on; --seed N   one, and its trace.
"""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.running import simulate


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    if asked.seed is not None:
        outcome = simulate(asked.seed, traced=True)
        sys.stdout.write("\n".join([*outcome.lines, *outcome.wrongs, outcome.trace]) + "\n")
        return 1 if outcome.wrongs else 0
    began, crashes, wrong = time.monotonic(), Counter[str](), 0
    for seed in range(asked.first, asked.first + asked.seeds):
        outcome = simulate(seed)
        crashes += outcome.crashes
        wrong += bool(outcome.wrongs)
        for found in outcome.wrongs[:3]:
            sys.stdout.write(f"seed {seed}: {found}\n")
        if sys.stderr.isatty() and seed % 100 == 0:
            sys.stderr.write(f"\r{seed - asked.first} of {asked.seeds}, {wrong} wrong ")
    for name, times in sorted(crashes.items()):
        sys.stdout.write(f"{times:>8} crashes at {name}\n")
    sys.stdout.write(f"simulation: seeds={asked.seeds} wrong={wrong} seconds={time.monotonic() - began:.0f}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
