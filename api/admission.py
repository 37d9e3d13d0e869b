"""How many requests may be under way at once: as many as are answered in time, told by two delays, not by a guess.

A process that takes in more than it can answer answers everything late, and at last nothing in time. Beyond the limit
a request is refused before anything is made of it. What this costs a request is a comparison and a count. How late the
event loop is, is measured by a task that wants to be woken every so often; how long answers take for any other reason,
a slow PostgreSQL, say, by one request at a time, the same task's sample.
"""

import asyncio
import random
from collections.abc import Callable, Iterator

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from api.problem_kinds import REJECTIONS
from api.safe_headers import SAFE_HEADERS

LIMIT_MIN, LIMIT_MAX, LIMIT_FIRST = 64, 1_024, 512
"""Below the least nothing is ever refused: a loop that is late with so few is late for another reason."""
LOOK_EVERY_S = 0.05
LATE_S = 0.1
"""The loop is congested when it comes so much later than asked: a request waits for it several times."""
SLOW_S = 1.0
"""So are we when a request takes so long while more than half of what may be is under way: the others queue with it."""
LOOKS_BEFORE_LESS = 3
"""A burst is no overload: the loop has to be late so often, one time after the other."""
LESS, MORE = 0.8, 16
RETRY_AFTER_S = 1
NEVER_REFUSED = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
"""Whoever looks whether a process lives must not learn from a refusal that it does not."""

_KIND = REJECTIONS["overloaded"]
_HEAD = b"".join(
    (
        b"HTTP/1.1 503 Service Unavailable\r\n",
        *(b"%b: %b\r\n" % header for header in SAFE_HEADERS),
        b"content-type: application/problem+json\r\nretry-after: %d\r\ncontent-length: %%d\r\n\r\n%%b" % RETRY_AFTER_S,
    )
)


class Admission:
    """Of one process. The server tells which requests ``began`` and ``ended``: the first to know, and the last."""

    def __init__(self) -> None:
        self.limit = LIMIT_FIRST
        self.in_flight = 0
        self.refused = 0
        self.late_s = 0.0
        self._sample: tuple[object, float] | None = None
        self._most = 0
        self._late_looks = 0

    def refuses(self, path: str) -> bool:
        """Whether a request must be turned away now; counts it if so."""
        if self.in_flight < self.limit or path in NEVER_REFUSED:
            return False
        self._most = self.in_flight
        self.refused += 1
        return True

    def began(self, request: object, now: float) -> None:
        self.in_flight += 1
        if self._sample is None:
            self._sample = request, now

    def ended(self, request: object) -> None:
        self.in_flight -= 1
        if self._sample is not None and self._sample[0] is request:
            self._sample = None

    async def run(self, clock: Callable[[], float] | None = None) -> None:
        """Look again and again how late the loop is. Until cancelled."""
        now = clock or asyncio.get_running_loop().time
        while True:
            asked = now()
            await asyncio.sleep(LOOK_EVERY_S)
            self.looked(max(0.0, now() - asked - LOOK_EVERY_S), now())

    def looked(self, late_s: float, now: float) -> None:
        """Less by a share while all is late time after time; more, little by little, where it was all needed."""
        self.late_s = late_s
        most, self._most = max(self._most, self.in_flight), 0
        is_slow = self._sample is not None and now - self._sample[1] > SLOW_S
        if is_slow:
            self._sample = None  # whatever kept it, the next to begin tells whether it keeps others
        self._late_looks = self._late_looks + 1 if late_s >= LATE_S else 0
        if is_slow or self._late_looks >= LOOKS_BEFORE_LESS:
            # No further than what is under way: a limit that nothing comes near says nothing about what we can do.
            self.limit = max(LIMIT_MIN, round(LESS * self.limit)) if most * 2 > self.limit else self.limit
        elif not self._late_looks and most >= self.limit:
            self.limit = min(LIMIT_MAX, self.limit + MORE)

    def reading(self) -> Iterator[Metric]:
        yield CounterMetricFamily("daybook_admission_refused", "Requests turned away at the door", self.refused)
        yield GaugeMetricFamily("daybook_admission_limit", "Requests that may be under way at once", self.limit)
        yield GaugeMetricFamily("daybook_admission_in_flight", "Requests under way", self.in_flight)
        yield GaugeMetricFamily("daybook_loop_late_seconds", "How late the event loop was, last time", self.late_s)


def refusal(path: str) -> bytes:
    """The whole answer, ready to be sent."""
    document = {
        "type": f"/problems/{_KIND.slug}",
        "title": _KIND.title,
        "status": _KIND.status,
        "detail": _KIND.title,
        "instance": path,
        "trace_id": f"{random.getrandbits(128):032x}",
    }
    body = msgspec.json.encode(document)
    return _HEAD % (len(body), body)
