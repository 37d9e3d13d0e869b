"""``make torture-bites``: one bug at a time is planted in real processes; the run's own judges have to find it.

Only what they say counts. That the stack never comes to rest, or that something fails of itself, may be a planting that
does nothing but break things.
"""

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from tests.torture.bugs import Bug, altered
from tests.torture.crowd import crowd, say
from tests.torture.evidence import NeverQuiet, collect, run_jobs
from tests.torture.nemesis import Nemesis, NotServing
from tests.torture.planted import BUGS
from tests.torture.schedule import BITES, Fault
from tests.torture.stack import TortureStack, torture_stack
from tests.torture.timeline import Verdict
from tests.torture.verdicts import OF_JOBS, OF_WHAT_WAS_SEEN, judge
from tests.torture.world import made

CONTROL = Bug("nothing is", faults=[("kill", "serve:0"), ("kill", "project"), ("kill", "notify")], seconds=15.0)
AT_ONCE = 2
"""A run waits for its processes to start half of the time."""


@dataclass(frozen=True, slots=True)
class Bite:
    """``row`` of PROMISES.md that found it. 0: the stack did not come to rest, although no bug is in it."""

    row: int
    found: str


def main() -> int:
    asked = argparse.ArgumentParser(prog="make torture-bites")
    asked.add_argument("--bugs", default="", help="their names, with commas between them; all without")
    asked.add_argument("--seed", default="random")
    given = asked.parse_args()
    seed = SystemRandom().randrange(1_000_000) if given.seed == "random" else int(given.seed)
    wanted = [name.strip() for name in given.bugs.split(",") if name.strip()] or list(BUGS)
    if unknown := set(wanted) - BUGS.keys():
        asked.error(f"there is no bug {sorted(unknown)}; there are {sorted(BUGS)}")
    began = time.monotonic()
    say(f"{len(wanted)} bugs, SEED={seed}; first none")
    false_alarms = _bites("", CONTROL, seed)
    for bite in false_alarms:
        say(f"row {bite.row} is complained of where nothing is wrong: {bite.found}")
    missed = []
    with ThreadPoolExecutor(AT_ONCE) as runs:
        found = {runs.submit(_bites, name, BUGS[name], seed): name for name in wanted}
        for number, run in enumerate(as_completed(found), 1):
            name, failed = found[run], run.exception()
            bites = [] if failed else run.result()
            rows = sorted({bite.row for bite in bites})
            what = f"row {rows}: {bites[0].found[:160]}" if bites else f"MISSED {failed or ''}"
            say(f"{number:>3}/{len(wanted)} {name}: {what}")
            if not bites:
                missed.append(name)
    told = {
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "planted": len(wanted),
        "caught": len(wanted) - len(missed),
        "missed": missed,
        "false_alarms": len(false_alarms),
    }
    sys.stdout.write(f"torture-bites: {json.dumps(told)}\n")
    return 1 if missed or false_alarms else 0


def _bites(name: str, bug: Bug, seed: int) -> list[Bite]:
    """One run with the bug, until one check has found it; all of them where none has."""
    directory = Path(tempfile.mkdtemp(prefix="daybook-torture-bite-", dir="/tmp"))
    modules = dict.fromkeys(bug.verbs, ("tests.torture.planted", name))
    with torture_stack(directory, disk_mb=BITES.disk_mb, modules=modules) as (stack, small_disk):
        if bug.alter:
            with stack.connect() as connection:
                altered(connection, bug.alter)
        world = made(stack.urls[0])
        world.save(directory / "world.json")
        nemesis = Nemesis(stack, world, small_disk)
        try:
            with crowd(stack, directory, seed, BITES):
                _let_work(stack, nemesis, bug)
            evidence = collect(stack, world, directory, wiped_at=nemesis.wiped_at)
            bites = _bites_of(judge(evidence, OF_WHAT_WAS_SEEN))
            if not bites:
                run_jobs(stack, evidence, directory)
                bites = _bites_of(judge(evidence, OF_JOBS))
        except (NeverQuiet, NotServing) as never:
            say(f"    {name}: {never}")
            bites = [Bite(0, str(never))] if bug is CONTROL else []
    if not bites and name:
        say(f"    what was seen is in {directory}")
    return bites


def _let_work(stack: TortureStack, nemesis: Nemesis, bug: Bug) -> None:
    """Faults come in the midst of it; whatever dies is started again."""
    shares = len(bug.faults) + 1
    for what, whom in (*bug.faults, (None, "")):
        until = time.monotonic() + bug.seconds / shares
        while time.monotonic() < until:
            stack.revive()
            time.sleep(0.3)
        if what is not None:
            nemesis.strike(Fault(what, whom, 0.0))


def _bites_of(verdicts: list[Verdict]) -> list[Bite]:
    return [Bite(verdict.row, verdict.violations[0]) for verdict in verdicts if verdict.violations]


if __name__ == "__main__":
    sys.exit(main())
