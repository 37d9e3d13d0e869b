"""``daybook real``: real appointments through a fresh stack, then judged by code that shares nothing with it."""

import asyncio
import signal
import sys
import time
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import msgspec

from infra.embedded import ServerFailed
from infra.progress_bar import progress
from infra.real.client import Client, Unanswered
from infra.real.clinics import set_up
from infra.real.judging import judge
from infra.real.replaying import STEPS_A_ROW, Replay, Tally
from infra.real.rows import BrokenRow, NotTheData, Row, read_rows
from infra.real.stack import FreshStack, fresh_stack
from infra.supervisor import NotReady

SETS_UP_BEFORE = timedelta(days=1)
CATCHES_UP_WITHIN_S = 120.0


def run(*, data: Path, data_dir: Path | None, limit: int | None) -> int:
    """0 if nothing was booked twice and every read model equals its replay; the last line has the figures."""
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # an exit that stops the stack, too
    try:
        rows, broken = _read(data, limit)
        with fresh_stack(data_dir, now=min(row.booked_at for row in rows) - SETS_UP_BEFORE) as stack:
            tally = asyncio.run(_replay(stack, rows))
            sys.stderr.write("judging: the journal by a sweep, the read models by a fresh replay\n")
            _catch_up(stack)
            verdict = judge(stack.settings)
    except NotTheData as problem:
        sys.stderr.write(f"daybook real: {problem}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("daybook real: stopped\n")
        return 128 + signal.SIGINT
    except (ServerFailed, NotReady, Unanswered) as failed:
        sys.stderr.write(f"daybook real: {failed}\n")
        return 1
    for line in (*broken, *tally.refused, *verdict.complaints):
        sys.stdout.write(f"real: {line}\n")
    sys.stdout.write(
        f"real: rows={len(rows) + len(broken)} booked={tally.booked} refused={len(tally.refused) + len(broken)}"
        f" double_bookings={verdict.double_bookings} replay_equal={str(verdict.replay_equal).lower()}"
        f" seconds={time.monotonic() - began:.0f}\n"
    )
    return 0 if verdict.double_bookings == 0 and verdict.replay_equal else 1


def _read(data: Path, limit: int | None) -> tuple[list[Row], list[str]]:
    """The good rows, and a line for each broken one. Raises ``NotTheData``."""
    rows: list[Row] = []
    broken: list[str] = []
    for row in read_rows(data):
        if isinstance(row, BrokenRow):
            broken.append(f"line {row.line}: broken, {row.reason}")
        else:
            rows.append(row)
        if len(rows) == limit:
            break
    if not rows:
        raise NotTheData(f"{data}: no row could be read")
    return rows, broken


async def _replay(stack: FreshStack, rows: Sequence[Row]) -> Tally:
    async with Client(stack.url) as client:
        with progress("clinics") as tell:
            clinics = await set_up(client, rows, tell)
        with progress("bookings and visits") as tell:
            return await Replay(clinics, stack.clock, lambda done: tell(done, STEPS_A_ROW * len(rows))).run(rows)


def _catch_up(stack: FreshStack) -> None:
    """Wait for the read models. Raises ``NotReady`` if they do not reach the end of the journal."""
    deadline = time.monotonic() + CATCHES_UP_WITHIN_S
    while behind := _facts_behind(stack.url):
        if time.monotonic() > deadline:
            raise NotReady(f"the read models are still {behind} facts behind")
        time.sleep(0.5)


def _facts_behind(url: str) -> int:
    with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:  # noqa: S310  our own URL
        parts = msgspec.json.decode(answer.read())["parts"]
    details: dict[str, dict[str, int]] = parts["projections"]["details"]
    return max(lag["behind_facts"] for lag in details.values())
