"""``make torture``: everything of Daybook is killed, paused, cut off and starved while clients use it; then judged."""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import SystemRandom

from tests.torture.crowd import crowd, say
from tests.torture.evidence import Evidence, await_quiet, collect, run_jobs
from tests.torture.nemesis import BOUNDS_S, Nemesis, NotServing
from tests.torture.overload import allow_many_connections, holds_up
from tests.torture.schedule import PROFILES, Profile, schedule
from tests.torture.stack import TortureStack, torture_stack
from tests.torture.timeline import Verdict
from tests.torture.verdicts import judge
from tests.torture.world import World, made

WARM_S = 4.0
CALM_S = 4.0
SHOWN_MAX = 5
AFTERWARDS: Sequence[Callable[[TortureStack, World], Verdict]] = (holds_up,)
"""Phases on the healed stack, each a promise of its own."""


def main() -> int:
    asked = argparse.ArgumentParser(prog="make torture")
    asked.add_argument("--profile", choices=sorted(PROFILES), default="short")
    asked.add_argument("--seed", default="random")
    given = asked.parse_args()
    seed = SystemRandom().randrange(1_000_000) if given.seed == "random" else int(given.seed)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupted)
    allow_many_connections()
    directory = Path(tempfile.mkdtemp(prefix="daybook-torture-run-", dir="/tmp"))
    profile = PROFILES[given.profile]
    say(f"profile {profile.name}, SEED={seed}, histories in {directory}")
    began = time.monotonic()
    fatal: str | None = None
    verdicts: list[Verdict] = []
    with torture_stack(directory, disk_mb=profile.disk_mb) as (stack, small_disk):
        world = made(stack.urls[0])
        world.save(directory / "world.json")
        say(f"the stack runs ({time.monotonic() - began:.0f} s)")
        nemesis = Nemesis(stack, world, small_disk)
        evidence: Evidence | None = None
        try:
            with crowd(stack, directory, seed, profile):
                run_schedule(nemesis, seed, profile)
            say(f"healed; quiet after {await_quiet(stack):.1f} s")
            evidence = collect(stack, world, directory, wiped_at=nemesis.wiped_at)
            run_jobs(stack, evidence, directory)
            verdicts = judge(evidence) + [phase(stack, world) for phase in AFTERWARDS]
        except (NotServing, AssertionError, subprocess.SubprocessError) as failed:
            fatal = f"{type(failed).__name__}: {failed}"
    return report(seed, profile, directory, nemesis, evidence, verdicts, fatal, time.monotonic() - began)


def run_schedule(nemesis: Nemesis, seed: int, profile: Profile) -> None:
    faults = schedule(seed, profile)
    time.sleep(WARM_S)
    began = time.monotonic()
    for number, fault in enumerate(faults, 1):
        if time.monotonic() - began > profile.at_most_s:
            nemesis.left_out["time"] = f"the last {len(faults) - number + 1} faults, after {profile.at_most_s:g} s"
            break
        time.sleep(fault.after_s)
        took_s = nemesis.strike(fault)
        how = f"serves after {took_s:.1f} s" if took_s is not None else f"left out: {nemesis.left_out[fault.what]}"
        say(f"{number:>3}/{len(faults)} {fault.what} {fault.whom}: {how}")
    time.sleep(CALM_S)


def report(
    seed: int,
    profile: Profile,
    directory: Path,
    nemesis: Nemesis,
    evidence: Evidence | None,
    verdicts: list[Verdict],
    fatal: str | None,
    seconds: float,
) -> int:
    for verdict in verdicts:
        notes = "".join(f", {name} {figure}" for name, figure in verdict.notes.items())
        say(
            f"row {verdict.row:>2} {verdict.promise}: {len(verdict.violations)} of {verdict.looked_at} (bound 0){notes}"
        )
        for violation in verdict.violations[:SHOWN_MAX]:
            say(f"       {violation}")
    for what, bound_s in BOUNDS_S.items():
        if took := sorted(nemesis.recovery_s.get(what, [])):
            within = sum(one <= bound_s for one in took)
            say(
                f"row 11 {what} → serving: median {took[len(took) // 2]:.1f} s, at most {took[-1]:.1f} s;"
                f" {within} of {len(took)} within {bound_s:g} s"
            )
    for what, why in nemesis.left_out.items():
        say(f"left out: {what}: {why}")
    violations = sum(len(verdict.violations) for verdict in verdicts) + bool(fatal)
    calls = Counter(call.outcome for call in evidence.histories.calls) if evidence else Counter()
    if fatal:
        say(f"broken off: {fatal}")
    if violations:
        say(f"look further in {directory}; the same faults again: make torture PROFILE={profile.name} SEED={seed}")
    told = {
        "seed": seed,
        "profile": profile.name,
        "seconds": round(seconds),
        "calls": sum(calls.values()),
        "outcomes": dict(calls),
        "facts": len(evidence.journal) if evidence else 0,
        "faults": nemesis.done,
        "left_out": nemesis.left_out,
        "answers_lost": {
            "commit": nemesis.stack.database.cutter.lost,
            "provider": nemesis.stack.provider.cutter.lost,
        },
        "recovery_max_s": {what: round(max(took), 2) for what, took in nemesis.recovery_s.items()},
        "promises": {f"{v.row} {v.promise}": len(v.violations) for v in verdicts},
        "overload": next((v.notes for v in verdicts if v.row == 17), {}),
        "violations": violations,
    }
    sys.stdout.write(f"torture: {json.dumps(told)}\n")
    return 1 if violations else 0


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
