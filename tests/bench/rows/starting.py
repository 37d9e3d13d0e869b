"""How soon ``daybook serve`` is ready: from its start as a program to the first 200 of ``/readyz``, servers running."""

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from statistics import median

import psutil

from infra.program import Program, free_port, stop
from tests.bench.bench import Bench
from tests.bench.figures import Figure
from tests.running import RunningStack

KEYS = ("start_s",)
LOOK_EVERY_S = 0.005
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""As pip leaves what it installs. Where that was not done, the first start does it, which is not counted."""


def measure(bench: Bench) -> Iterator[Figure]:
    with bench.database() as database, bench.daybook(database, others=("relay", "project")) as daybook:
        starts = [_start(daybook) for _ in range(bench.rounds + 1)][1:]
    bench.say("ready after " + ", ".join(f"{wall_s:.2f} s" for wall_s, _, _ in starts))
    details = {"CPU s": median(cpu for _, cpu, _ in starts), "MB when ready": median(mb for _, _, mb in starts)}
    yield Figure("start_s", [wall_s for wall_s, _, _ in starts], details)


def _start(daybook: RunningStack) -> tuple[float, float, float]:
    """Seconds until it was ready, of CPU until then, and its resident megabytes."""
    port = free_port()
    argv = (sys.executable, "-m", "infra.cli", "serve")
    program = Program("started", argv, env={**daybook.environment, **COMPILED, "DAYBOOK_API_PORT": str(port)})
    with daybook.log_of(program.name).open("ab") as log:
        began = time.perf_counter()
        process = program.start(log)
    try:
        while not _is_ready(port):
            assert process.poll() is None, daybook.log_of(program.name).read_text()[-4_000:]
            assert time.perf_counter() - began < READY_WITHIN_S
            time.sleep(LOOK_EVERY_S)
        wall_s = time.perf_counter() - began
        used = psutil.Process(process.pid)
        return wall_s, sum(used.cpu_times()[:2]), used.memory_info().rss / 2**20
    finally:
        stop(process, program.stop_with, within_s=STOP_WITHIN_S)


def _is_ready(port: int) -> bool:
    # Its socket takes connections before it is ready to answer: then this waits, and has to look no more.
    with suppress(urllib.error.URLError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as told:
        return bool(told.status == 200)
    return False
