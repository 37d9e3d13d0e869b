"""Row 17: three times what can be done is asked for, and nearly as much is done as before; the rest is told so at once.

python -m tests.torture.overload [--seconds S]   prints one JSON object.

Arrivals do not wait for answers: each request is sent when its time has come, on any connection that is free or on a
new one, up to as many as a machine in front would keep.
"""

import argparse
import asyncio
import json
import resource
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from infra.embedded import EmbeddedStack
from tests.bench.bench import Bench
from tests.bench.house import Bookings, open_house
from tests.bench.load import put_load
from tests.torture.stack import TortureStack
from tests.torture.timeline import Verdict
from tests.torture.world import World

CONNECTIONS_MAX = 2_000
PEAK_CONNECTIONS = 32
IN_TIME_S = 1.0
"""What is answered later than this nobody waits for: it is no goodput."""
REQUESTS_PER_S_MAX = 2_500
STEP_S = 0.005
LATE_MAX_S = 10.0
GOODPUT_MIN, COLLAPSED = 0.8, 0.5
"""What is promised; and what no neighbour on the machine explains."""
FILES_WANTED = 2 * CONNECTIONS_MAX


@dataclass
class Seen:
    """Times of answers in seconds, by what they were."""

    done: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    failed: int = 0
    done_by_the_end: int = 0
    """In time, and before the last request was due: what is answered after that is no goodput of the load."""
    ends: float = 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, seen: Seen, free: "deque[_Connection]") -> None:
        self._seen, self._free = seen, free
        self._received = b""
        self._due = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, due: float, request: bytes) -> None:
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, body = self._received.partition(b"\r\n\r\n")
        if not complete:
            return
        lower = head.lower()
        _, _, length = lower.partition(b"\r\ncontent-length: ")
        if len(body) < int(length.partition(b"\r\n")[0]):
            return
        took, status, self._received = time.perf_counter() - self._due, head[9:12], b""
        if status == b"201":
            self._seen.done.append(took)
            self._seen.done_by_the_end += took <= IN_TIME_S and self._due + took <= self._seen.ends
        elif status == b"503":
            self._seen.refused.append(took)
            self._seen.without_retry_after += b"\r\nretry-after: " not in lower
        else:
            self._seen.failed += 1
        self._free.append(self)


async def _open_loop(url: str, requests: Sequence[bytes], per_s: float) -> Seen:
    """``requests`` at their times. Those for which no connection is left count as failed."""
    host, _, port = urlsplit(url).netloc.rpartition(":")
    seen, free = Seen(), deque[_Connection]()
    loop = asyncio.get_running_loop()
    for _ in range(min(CONNECTIONS_MAX, len(requests))):
        _, one = await loop.create_connection(lambda: _Connection(seen, free), host, int(port))
        free.append(one)
    everyone, began, sent = list(free), time.perf_counter(), 0
    seen.ends = began + len(requests) / per_s
    while sent < len(requests):
        due = min(len(requests), int((time.perf_counter() - began) * per_s) + 1)
        for number in range(sent, due):
            if free:
                free.popleft().send(began + number / per_s, requests[number])
            else:
                seen.failed += 1
        sent = due
        await asyncio.sleep(STEP_S)
    until = time.perf_counter() + LATE_MAX_S
    while len(free) < len(everyone) and time.perf_counter() < until:  # noqa: ASYNC110  no event: it is measured beside
        await asyncio.sleep(STEP_S)
    for one in everyone:
        one.transport.close()
    return seen


def overload(url: str, take: Callable[[int], Sequence[bytes]], *, seconds: float = 6.0) -> dict[str, float]:
    """``take`` gives so many requests that each do something once (201). Peak first, then three times as many."""

    def at_best() -> float:
        requests = take(round(REQUESTS_PER_S_MAX * seconds / 2))
        return put_load(url, requests, seconds=seconds / 2, connections=PEAK_CONNECTIONS).per_second

    before = max(at_best(), at_best())
    offered = 3 * before
    seen = asyncio.run(_open_loop(url, take(round(offered * seconds)), offered))
    peak = max(before, at_best())  # on a machine that others use, the peak of before may not have been one
    in_time = sum(took <= IN_TIME_S for took in seen.done)
    refused = sorted(seen.refused)
    goodput = seen.done_by_the_end / seconds
    return {
        "offered_per_s": round(offered, 1),
        "peak_per_s": round(peak, 1),
        "goodput_at_3x_per_s": round(goodput, 1),
        "ratio": round(goodput / peak, 3),
        "done": len(seen.done),
        "done_late": len(seen.done) - in_time,
        "done_p99_ms": round(1_000 * sorted(seen.done)[len(seen.done) * 99 // 100], 1) if seen.done else 0.0,
        "refused": len(refused),
        "refusal_p99_ms": round(1_000 * refused[len(refused) * 99 // 100], 1) if refused else 0.0,
        "refused_without_retry_after": seen.without_retry_after,
        "failed": seen.failed,
    }


def holds_up(stack: TortureStack, _: World) -> Verdict:
    """A figure like those of recovery: only what no busy machine can be the reason of is a violation."""
    told = overload(stack.urls[0], Bookings(open_house(stack.urls[0])).take)
    verdict = Verdict(17, "three times the load is survived", int(told["done"] + told["refused"]))
    if told["refused_without_retry_after"]:
        verdict.found(f"{told['refused_without_retry_after']:.0f} refusals do not say when to come again")
    if told["ratio"] < COLLAPSED:
        verdict.found(f"of {told['peak_per_s']}/s at best {told['goodput_at_3x_per_s']}/s are left")
    verdict.notes |= {
        f"goodput ÷ peak (at least {GOODPUT_MIN})": told["ratio"],
        "refused": told["refused"],
        "refusals' p99 ms": told["refusal_p99_ms"],
    }
    return verdict


def allow_many_connections() -> None:
    """To this process and those that it starts from now on."""
    wanted, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, min(FILES_WANTED, most)), most))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=6.0)
    seconds = parser.parse_args().seconds
    allow_many_connections()
    data_dir = Path(tempfile.mkdtemp(prefix="daybook-overload-", dir="/tmp"))
    try:
        with EmbeddedStack(data_dir) as servers:
            bench = Bench(servers, 1, seconds)
            with bench.database() as database_url, bench.daybook(database_url) as stack:
                bookings = Bookings(open_house(stack.urls[0]))
                measured = overload(stack.urls[0], bookings.take, seconds=seconds)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    sys.stdout.write(json.dumps(measured) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
