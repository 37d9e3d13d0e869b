"""What changed, to all sockets of this node that follow it: one query for all topics, one encoding for all readers."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

import structlog

from api.stream_frames import change_tail
from application.hints import HintSource
from projections.change_feed import ChangeFeed, ChangesUnavailable
from projections.changes import Change

SWEEP_EVERY_S = 2.0
"""How late a change is if its hint was lost."""
TOPICS_PER_QUERY = 1_000
CHANGES_PER_TOPIC = 200
RETRY_AFTER_S = 0.5

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Subscription:
    """One reader of one topic. ``cursor``: every change up to it was handed over, and none after it."""

    organization_id: UUID
    topic: str
    cursor: int
    hand_over: Callable[[str | None], None]
    """Called with the tail of the next change's frame; None if it is too long to be sent."""


@dataclass(slots=True)
class Broadcast:
    """What the broadcaster has done, for metrics."""

    queries: int = 0
    changes: int = 0
    frames: int = 0
    failures: int = 0


@dataclass(slots=True)
class Broadcaster:
    """Follows the union of all subscriptions of this node; a ``HintReceiver``.

    Exactly once and in order needs no more than the cursors: a topic's changes become visible in the order of
    their positions, so what lies after the cursor is read until nothing does. Hints and sweeps only say when.
    """

    feed: ChangeFeed
    hints: HintSource
    sweep_every_s: float = SWEEP_EVERY_S
    tally: Broadcast = field(default_factory=Broadcast)
    _followed: defaultdict[str, set[Subscription]] = field(default_factory=lambda: defaultdict(set))
    _in_use: defaultdict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    _dirty: set[str] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def join(self, subscription: Subscription) -> None:
        """From now on every change after the cursor is handed over."""
        self._followed[subscription.topic].add(subscription)
        self._in_use[subscription.organization_id] += 1
        if self._in_use[subscription.organization_id] == 1:
            self.hints.listen(subscription.organization_id)
        # Something may have been committed between the reader's own last look and this line.
        self._mark((subscription.topic,))

    def leave(self, subscription: Subscription) -> None:
        """Idempotent."""
        readers = self._followed.get(subscription.topic)
        if not readers or subscription not in readers:
            return
        readers.remove(subscription)
        if not readers:
            del self._followed[subscription.topic]
        self._in_use[subscription.organization_id] -= 1
        if not self._in_use[subscription.organization_id]:
            del self._in_use[subscription.organization_id]
            self.hints.unlisten(subscription.organization_id)

    def changed(self, organization_id: UUID, topics: Collection[str], position: int) -> None:  # noqa: ARG002
        self._mark(topic for topic in topics if topic in self._followed)

    def missed(self) -> None:
        self._mark(self._followed)

    def _mark(self, topics: Iterable[str]) -> None:
        self._dirty.update(topics)
        if self._dirty:
            self._wake.set()

    async def run(self) -> None:
        """Read and hand over until cancelled."""
        sweeping = asyncio.create_task(self._sweep(), name="socket sweep")
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._read_dirty()
                except ChangesUnavailable as unavailable:
                    self.tally.failures += 1
                    _log.warning("stream.changes_unavailable", error=repr(unavailable.__cause__))
                    await asyncio.sleep(RETRY_AFTER_S)
                    self.missed()
        finally:
            sweeping.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.sweep_every_s)
            self.missed()

    async def _read_dirty(self) -> None:
        while self._dirty:
            topics = list(islice(self._dirty, TOPICS_PER_QUERY))
            self._dirty.difference_update(topics)
            wanted = {
                topic: min(reader.cursor for reader in readers)
                for topic in topics
                if (readers := self._followed.get(topic))
            }
            if not wanted:
                continue
            organizations = {reader.organization_id for topic in wanted for reader in self._followed[topic]}
            found = await self.feed.since(wanted, sorted(organizations), CHANGES_PER_TOPIC)
            self.tally.queries += 1
            counted: defaultdict[str, int] = defaultdict(int)
            for change in found:
                self._hand_over(change, read_after=wanted[change.topic])
                counted[change.topic] += 1
            self._dirty.update(topic for topic, count in counted.items() if count == CHANGES_PER_TOPIC)

    def _hand_over(self, change: Change, *, read_after: int) -> None:
        self.tally.changes += 1
        tail = change_tail(change)
        for reader in tuple(self._followed.get(change.topic, ())):
            # A reader that joined during the query with an older cursor waits for the next one: what it
            # misses lies before this answer. One with a newer cursor skips what it has.
            if read_after <= reader.cursor < change.position and reader.organization_id == change.organization_id:
                reader.cursor = change.position
                self.tally.frames += 1
                reader.hand_over(tail)
