"""The loop of everything that follows the facts: projectors, notifier, timekeeper.

Kafka brings speed, the journal brings certainty: what the feed repeats is skipped by position, what it
misses is read from the journal, and while it brings nothing the journal is asked whether that is right.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from prometheus_client import Gauge
from psycopg import Connection

from application.feed import Delivery, Feed, TopicUnavailable, partition_of
from application.journal import JournalReader, JournalUnavailable
from application.retrying import RECONNECT_LONGEST_S, retry_delay_s
from application.stopping import StopRequest
from projections.applying import Outlet
from projections.arriving import Run, runs
from projections.checkpoint import Sink

PAGE_FACTS_MAX = 2_000
POLL_S = 0.25
LOOK_EVERY_S = 1.0
"""How often a silent feed is compared with the journal: below the two seconds that a reader of its own writes waits."""
PARTITION_SILENT_S = 10.0
"""While others bring facts, a partition may be silent for so long before the journal is asked."""
JOINING_S = 15.0
"""A group may take so long to share out partitions, after a crash of a member; until then all are followed."""
ORPHANED_AFTER_S = 15.0
"""A partition of another follower that stood still for so long, although the journal went on, has none."""

LAG = Gauge("daybook_lag_positions", "The journal's head minus the sink's position", ["sink"])

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Told after each turn that applied something: sink, its position, the highest position known."""


class Follower:
    """Follows for several sinks, each in its own transactions. Not thread-safe, except for ``stop``.

    ``connect`` opens a new connection of the database where the sinks' schemas are. The reader and the
    feed are the follower's own from now on; the reader must open its connection again by itself.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        feed: Feed,
        reader: JournalReader,
        *,
        connect: Callable[[], Connection[Any]],
        partitions: int,
        progress: Progress | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outlets = [Outlet(sink, connect, partitions, monotonic=monotonic) for sink in sinks]
        self._threads = ThreadPoolExecutor(len(self._outlets), "outlet")
        self._feed = feed
        self._reader = reader
        self._all_partitions = frozenset(range(partitions))
        self._progress = progress
        self._monotonic = monotonic
        self._stop = StopRequest()
        self._fed: frozenset[int] = frozenset()
        self._fed_at = monotonic()
        self._adopted: frozenset[int] = frozenset()
        self._others: dict[tuple[str, int], int] = {}
        self._others_at = monotonic()
        self._others_head = 0
        self._heard_at: dict[int, float] = {}
        self._looked_at = monotonic()
        self._head = 0

    def run(self) -> None:
        """Follow until ``stop``. Nothing that can be tried again ends it."""
        failures = 0
        try:
            while not self._stop.made:
                try:
                    self.step()
                    failures = 0
                except Exception as wrong:
                    failures += 1
                    delay_s = retry_delay_s(failures, RECONNECT_LONGEST_S)
                    expected = isinstance(wrong, JournalUnavailable)
                    logger.warning(
                        "following goes on in %.1f s: %s", delay_s, wrong, exc_info=None if expected else wrong
                    )
                    self._stop.pause(delay_s)
        finally:
            self._threads.shutdown()
            self._feed.close()
            for outlet in self._outlets:
                outlet.close()

    def stop(self) -> None:
        """Let ``run`` return after the present turn; for signal handlers and other threads."""
        self._stop.make()

    def step(self, poll_s: float = POLL_S) -> int:
        """One turn: what arrived, then a page of the journal for each sink that is behind. Facts applied."""
        arrived = runs(self._poll(0.0 if any(o.reading_from() is not None for o in self._outlets) else poll_s))
        self._hear(arrived)
        able = [outlet for outlet in self._outlets if outlet.ready()]
        before = {outlet.name: outlet.applied_total for outlet in able}
        self._at_once([partial(outlet.deliver, arrived) for outlet in able])
        # Read after polling: what was polled and dropped for a partition that is behind is in this page, or before.
        self._refill(able)
        self._look_if_silent(able)
        self._look_for_orphans(able)
        self._tell(able, before)
        return sum(outlet.applied_total - before[outlet.name] for outlet in able)

    def caught_up(self) -> bool:
        """Whether every sink has all that the journal held at the last look, and nothing waits for a retry."""
        return all(not outlet.is_behind() for outlet in self._outlets)

    def _poll(self, timeout_s: float) -> Sequence[Delivery]:
        try:
            deliveries = self._feed.poll(timeout_s)
            fed = self._feed.partitions()
        except TopicUnavailable as lost:
            if self._fed != self._all_partitions:
                logger.warning("no feed (%s): following the journal", lost)
            deliveries, fed = (), self._all_partitions
            self._stop.pause(timeout_s)
        self._share(fed)
        return deliveries

    def _share(self, fed: frozenset[int]) -> None:
        """While there is no one to share the partitions out, follow all of them, in the journal.

        Another process that does the same only finds, under the checkpoint's lock, that the work is done.
        """
        now = self._monotonic()
        if fed:
            self._fed_at = now
        elif now - self._fed_at < JOINING_S:
            fed = self._all_partitions
        if fed != self._fed:
            self._fed, self._adopted = fed, frozenset()
            self._assign()

    def _assign(self) -> None:
        for outlet in self._outlets:
            outlet.assign(self._fed | self._adopted)

    def _hear(self, arrived: Sequence[Run]) -> None:
        now = self._monotonic()
        for run in arrived:
            self._heard_at[run.partition] = now
            self._head = max(self._head, run.upto)

    def _refill(self, outlets: Sequence[Outlet]) -> None:
        wanting = sorted(
            ((start, outlet) for outlet in outlets if (start := outlet.reading_from()) is not None),
            key=lambda pair: pair[0],
        )
        page, first, complete = None, 0, False
        refills = []
        for start, outlet in wanting:
            # Sinks that are about as far share a page; a new sink far behind does not hold the others up.
            if page is None or not (complete or start < page[-1].position):
                first = start
                page = self._reader.read(after=first, limit=PAGE_FACTS_MAX)
                complete = len(page) < PAGE_FACTS_MAX
                self._head = max(self._head, page[-1].position if page else first)
            refills.append(partial(outlet.refill, page, after=first, complete=complete))
        self._at_once(refills)

    def _at_once(self, work: Sequence[Callable[[], object]]) -> None:
        """Each outlet in a thread of its own: while PostgreSQL works for one, facts are made rows for another."""
        for done in [self._threads.submit(one) for one in work]:
            done.result()

    def _look_if_silent(self, outlets: Sequence[Outlet]) -> None:
        now = self._monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        all_silent = now - max(self._heard_at.values(), default=0.0) >= LOOK_EVERY_S
        patience_s = LOOK_EVERY_S if all_silent else PARTITION_SILENT_S
        silent = frozenset(p for p in self._fed | self._adopted if now - self._heard_at.get(p, 0.0) >= patience_s)
        self._head = head = max(self._head, self._reader.head())
        last_after = cache(self._last_positions)
        for outlet in outlets:
            outlet.compare(head, silent, last_after)

    def _last_positions(self, after: int) -> dict[int, int]:
        """Of each partition, as far as it has facts after this position."""
        last: dict[int, int] = {}
        for organization_id, position in self._reader.organizations(after=after).items():
            partition = partition_of(organization_id, len(self._all_partitions))
            last[partition] = max(position, last.get(partition, 0))
        return last

    def _look_for_orphans(self, outlets: Sequence[Outlet]) -> None:
        """Adopt partitions that no one moves, whatever the group believes, until partitions are shared out again."""
        now = self._monotonic()
        if now - self._others_at < ORPHANED_AFTER_S:
            return
        others = self._all_partitions - self._fed - self._adopted
        before, head_before = self._others, self._others_head
        self._others_at, self._others_head = now, self._reader.head() if others else 0
        self._others = {
            (outlet.name, partition): position
            for outlet in outlets
            for partition, position in outlet.checkpoints(others).items()
        }
        orphans = {p for (name, p), at in self._others.items() if at < head_before and before.get((name, p)) == at}
        if orphans:
            logger.warning("no one follows partitions %s: adopting them", sorted(orphans))
            self._adopted |= orphans
            self._assign()

    def _tell(self, outlets: Sequence[Outlet], before: dict[str, int]) -> None:
        for outlet in outlets:
            LAG.labels(outlet.name).set(outlet.lag(self._head))
            if self._progress is not None and outlet.applied_total > before[outlet.name]:
                self._progress(outlet.name, outlet.position(), self._head)
