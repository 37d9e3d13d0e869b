"""The relay: carries facts from the journal to the topic, in order, without keeping any state of its own."""

import logging
import time
from collections.abc import Callable, Mapping

from application.feed import Delivery, FactTooLarge, Topic, partition_of
from application.journal import JournalReader, Recorded

BATCH_SPAN_MAX = 500
"""Positions (not facts) that one batch may span: what a crash can leave half published, and so how far
a start must look back. Rolled-back appends leave gaps in the positions, so counting facts would not bound it."""

LOOK_BACK_MAX = 5_000
"""Positions that a start reads, at most, to learn the last fact of a quiet partition."""

TAIL_CHECK_EVERY_S = 2.0

logger = logging.getLogger(__name__)


class TopicAheadOfJournal(Exception):  # noqa: N818  reads as what it says
    """The topic carries positions of this journal's epoch that the journal does not have: one of them is the wrong one.

    Publishing on would hide new facts behind old positions. Give a restored journal a new epoch.
    """


class Relay:
    """One leader's work. ``step`` again and again; after any exception it resumes from the tail by itself.

    ``floor`` answers the lowest position that any projection still needs; from there an empty topic is
    filled again. What is published:

    - every fact, on its partition, in journal order; after a failure some again;
    - with ``previous`` as the *journal* has it, never as the topic had it, so that a follower sees whatever
      the topic has lost. For a partition that has been quiet for ``LOOK_BACK_MAX`` positions before a start it
      may be higher than the fact before: no fact of the partition lies between, so a follower that trusts
      it reads the journal once in vain and misses nothing.
    """

    def __init__(
        self,
        reader: JournalReader,
        topic: Topic,
        partitions: int,
        floor: Callable[[], int],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._topic = topic
        self._partitions = partitions
        self._floor = floor
        self._monotonic = monotonic
        self._resumed = False
        self._tails: dict[int, int] = {}
        self._known: dict[int, int] | None = None
        self._previous: dict[int, int] = {}
        self._tail_checked_at = 0.0
        self.position = 0
        """All facts up to here are on the topic."""
        self.oversized_total = 0
        """Facts too large for the topic: left out, found by every follower in the journal."""

    def resume(self) -> None:
        """Learn from the topic what is published. Raises ``TopicUnavailable``, ``TopicAheadOfJournal``."""
        self._resumed = False
        tails = self._read_tails()
        highest, head = max(tails.values()), self._reader.head()
        if highest > head:
            raise TopicAheadOfJournal(f"the topic ends at {highest}, the journal at {head}")
        start = max(0, highest - BATCH_SPAN_MAX)
        if not highest or self._has_shrunk(tails):
            start = min(self._floor(), head)
            logger.info("the topic is empty or was truncated: publishing from position %d", start)
        self._previous = self._last_positions(start)
        self._tails = tails
        self._known = dict(tails)
        self.position = start
        self._resumed = True

    def step(self) -> int:
        """Publish the next batch and answer how many facts that was. 0: the journal has no more at present.

        Raises ``TopicUnavailable``: step again later. An error of the journal's reader goes through.
        """
        if not self._resumed:
            self.resume()
        facts = self._next_batch()
        if not facts:
            self._check_tail_now_and_then()
            return 0
        deliveries = []
        for recorded in facts:
            partition = partition_of(recorded.provenance.organization_id, self._partitions)
            # The last batch before a crash may be on the topic in part: each partition's tail says which part.
            if recorded.position > self._tails[partition]:
                deliveries.append(Delivery(partition, self._previous[partition], recorded))
            self._previous[partition] = recorded.position
        self._publish(deliveries)
        self.position = facts[-1].position
        return len(facts)

    def _next_batch(self) -> list[Recorded]:
        facts = self._reader.read(after=self.position, limit=BATCH_SPAN_MAX)
        return [recorded for recorded in facts if recorded.position < facts[0].position + BATCH_SPAN_MAX]

    def _publish(self, deliveries: list[Delivery]) -> None:
        self._resumed = False  # until the broker has all of it: whatever happens, the tail is read again
        while deliveries:
            try:
                self._topic.publish(deliveries)
                break
            except FactTooLarge as refused:
                # The next fact's ``previous`` names it, so every follower sees the gap and reads the journal.
                logger.exception("a fact is left out of the topic")
                self.oversized_total += 1
                deliveries = [d for d in deliveries if d.recorded.position != refused.position]
        for delivery in deliveries:
            self._tails[delivery.partition] = delivery.recorded.position
        self._known = dict(self._tails)
        self._resumed = True

    def _check_tail_now_and_then(self) -> None:
        """A broker that was wiped says nothing while no one publishes: ask."""
        now = self._monotonic()
        if now - self._tail_checked_at < TAIL_CHECK_EVERY_S:
            return
        self._tail_checked_at = now
        if self._has_shrunk(self._read_tails()):
            self.resume()

    def _read_tails(self) -> dict[int, int]:
        tails = self._topic.tail()
        return {partition: tails.get(partition, 0) for partition in range(self._partitions)}

    def _has_shrunk(self, tails: Mapping[int, int]) -> bool:
        """Whether a partition ends before what this relay itself has seen on it."""
        known = self._known
        return known is not None and any(tails[partition] < position for partition, position in known.items())

    def _last_positions(self, upto: int) -> dict[int, int]:
        """By partition: its last fact at or below ``upto``, or a higher position with none in between."""
        found: dict[int, int] = {}
        lower = upto
        while lower > 0 and len(found) < self._partitions and upto - lower < LOOK_BACK_MAX:
            window_end, lower = lower, max(0, lower - BATCH_SPAN_MAX)
            for recorded in reversed(self._reader.read(after=lower, limit=BATCH_SPAN_MAX, upto=window_end)):
                found.setdefault(partition_of(recorded.provenance.organization_id, self._partitions), recorded.position)
        return {partition: found.get(partition, lower) for partition in range(self._partitions)}
