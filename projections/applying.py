"""One sink's end of a follower: applies facts exactly once, each batch and its checkpoint in one transaction."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import Counter, Gauge
from psycopg import Connection, Cursor, OperationalError

from application.feed import partition_of
from application.journal import Recorded
from application.retrying import RECONNECT_LONGEST_S, retry_delay_s
from projections.arriving import Run
from projections.checkpoint import Sink, besides, ensure_schema, is_durable, move_checkpoint, prepare

APPLIED = Counter("daybook_facts_applied_total", "Facts applied", ["sink"])
POSITION = Gauge("daybook_checkpoint_position", "Everything at or below is applied", ["sink", "partition"])
HALTED = Gauge("daybook_partition_halted", "1: a fact cannot be applied, the partition waits", ["sink", "partition"])

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Portion:
    """What one transaction applies of a partition. ``upto``: nothing more of it lies at or below."""

    upto: int
    facts: list[Recorded] = field(default_factory=list)


Work = Mapping[int, Portion]
"""By partition."""


class CheckpointMoved(Exception):  # noqa: N818
    """The checkpoint is lower than what this process has applied: the schema was replaced, or a crash undid it."""


class Outlet:
    """Applies to one sink. A partition is *live* (takes deliveries) or *behind* (is read from the journal).

    It is behind at first, after a gap, after any failure (then not before a back-off has passed), and
    when the journal turns out to have more. Nothing that happens to one sink concerns another.
    """

    def __init__(
        self,
        sink: Sink,
        connect: Callable[[], Connection[Any]],
        partitions: int,
        *,
        schema: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = schema or sink.NAME
        self._sink = sink
        self._others = besides(sink)
        self._connect = connect
        self._partitions = partitions
        self._monotonic = monotonic
        self._connection: Connection[Any] | None = None
        self._connect_at = 0.0
        self._connect_failures = 0
        self._owned: frozenset[int] = frozenset()
        self._seen: dict[int, int] = {}
        self._behind: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self.applied_total = 0

    # What the follower asks and tells

    def assign(self, partitions: frozenset[int]) -> None:
        """These are ours now; those that are new are behind until the journal says otherwise."""
        for gone in self._owned - partitions:
            self._seen.pop(gone, None)
            self._behind.pop(gone, None)
        self._owned = partitions

    def ready(self) -> bool:
        """Connected, and the checkpoints of all partitions read; else tries, at most as often as the back-off says."""
        now = self._monotonic()
        if self._connection is None:
            if now < self._connect_at:
                return False
            self._guarded(self._open)
        if self._connection is not None and self._owned - self._seen.keys():
            self._guarded(self._load)
        return self._connection is not None

    def reading_from(self) -> int | None:
        """The position after which the journal is to be read now; None if there is no need, or not yet."""
        now = self._monotonic()
        return min((self._seen[p] for p, at in self._behind.items() if at <= now), default=None)

    def is_behind(self) -> bool:
        """Whether something waits for the journal, be it now or after a back-off."""
        return self._connection is None or bool(self._behind) or bool(self._owned - self._seen.keys())

    def position(self) -> int:
        """All facts up to here are applied, of the partitions that it owns."""
        return min(self._seen.values(), default=0)

    def lag(self, head: int) -> int:
        """How far it is from ``head``, in positions. A live partition that is quiet does not count."""
        seen = [self._seen[partition] for partition in self._behind]
        return max(0, head - (min(seen) if seen else max(self._seen.values(), default=0)))

    def compare(self, head: int, partitions: frozenset[int], last_after: Callable[[int], Mapping[int, int]]) -> None:
        """Nothing has arrived from these partitions for a while: read the journal where it has more of one.

        ``last_after``: the last position of each that has facts after one. The others lack nothing up to ``head``.
        """
        seen = {p: self._seen[p] for p in partitions & self._seen.keys() - self._behind.keys() if self._seen[p] < head}
        last = last_after(min(seen.values())) if seen else {}
        self._behind |= {p: self._monotonic() for p, position in seen.items() if last.get(p, 0) > position}
        self._guarded_apply({p: Portion(head) for p in seen if p not in self._behind})

    def deliver(self, arrived: Sequence[Run]) -> int:
        """Apply what has arrived from the feed, in any state of repetition. How many facts were applied."""
        work: dict[int, Portion] = {}
        for run in arrived:
            partition = run.partition
            if partition in self._behind or partition not in self._seen:
                continue
            portion = work.get(partition)
            known = portion.upto if portion else self._seen[partition]
            if run.upto <= known:
                continue
            if run.previous > known:
                self._behind[partition] = self._monotonic()
                logger.info("%s: gap on partition %d after %d, reading the journal", self.name, partition, known)
                continue
            fresh = [recorded for recorded in run.facts if recorded.position > known]
            work[partition] = Portion(run.upto, portion.facts + fresh if portion else fresh)
        return self._guarded_apply(work)

    def refill(self, page: Sequence[Recorded], *, after: int, complete: bool) -> int:
        """Apply a page of what the journal has ``after`` a position. ``complete``: it had no more when it was read."""
        now = self._monotonic()
        # The back-off of one that lacks more may have ended while the page was read: its turn is the next.
        due = {p: self._seen[p] for p, at in self._behind.items() if at <= now and self._seen[p] >= after}
        reach = page[-1].position if page else 0
        work = {p: Portion(max(seen, reach)) for p, seen in due.items()}
        for recorded in page:
            partition = partition_of(recorded.provenance.organization_id, self._partitions)
            if partition in due and recorded.position > due[partition]:
                work[partition].facts.append(recorded)
        applied = self._guarded_apply({p: portion for p, portion in work.items() if portion.upto > due[p]})
        for partition, portion in work.items():
            if complete and self._seen.get(partition, -1) >= portion.upto:
                self._behind.pop(partition, None)
        return applied

    def checkpoints(self, partitions: frozenset[int]) -> dict[int, int]:
        """Of these partitions, whoever follows them; none if the database is lost."""
        found: dict[int, int] = {}
        if partitions:
            self._guarded(lambda: found.update(self._read_checkpoints()))
        return {partition: position for partition, position in found.items() if partition in partitions}

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # The connection

    def _open(self) -> None:
        connection = self._connect()
        try:
            connection.autocommit = True
            ensure_schema(connection, self._sink, self._partitions, schema=self.name)
            prepare(connection, self.name)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _load(self) -> None:
        now = self._monotonic()
        for partition, position in self._read_checkpoints().items():
            if partition in self._owned and partition not in self._seen:
                self._seen[partition] = position
                self._behind[partition] = now
        self._connect_failures = 0

    def _read_checkpoints(self) -> dict[int, int]:
        assert self._connection
        return dict(self._connection.execute("SELECT partition, position FROM checkpoint").fetchall())

    def _guarded(self, work: Callable[[], object]) -> None:
        """Whatever goes wrong here concerns the sink as a whole: start again, later."""
        try:
            work()
        except Exception as wrong:  # noqa: BLE001  it is logged, and tried again for ever
            self._start_again(wrong)

    def _start_again(self, wrong: Exception) -> None:
        self.close()
        self._seen.clear()
        self._behind.clear()
        self._connect_failures += 1
        delay_s = retry_delay_s(self._connect_failures, RECONNECT_LONGEST_S)
        self._connect_at = self._monotonic() + delay_s
        expected = isinstance(wrong, (OperationalError, CheckpointMoved))
        logger.warning(
            "%s: starts again in %.1f s: %s", self.name, delay_s, wrong, exc_info=None if expected else wrong
        )

    # The transactions

    def _guarded_apply(self, work: Work) -> int:
        before = self.applied_total
        if work:
            self._guarded(lambda: self._apply(work))
        return self.applied_total - before

    def _apply(self, work: Work) -> bool:
        """Apply all of it, or all that comes before a fact that cannot be applied. Whether that was all."""
        try:
            self._commit(work)
        except Exception as wrong:
            if self._connection is None or self._connection.closed or isinstance(wrong, CheckpointMoved):
                raise
            if len(work) > 1:
                return self._apply_each(work)
            ((partition, portion),) = work.items()
            if len(portion.facts) > 1:
                half = len(portion.facts) // 2
                first, second = portion.facts[:half], portion.facts[half:]
                return self._apply({partition: Portion(first[-1].position, first)}) and self._apply(
                    {partition: Portion(portion.upto, second)}
                )
            logger.exception("%s: the fact at position %d cannot be applied", self.name, portion.upto)
            self._halt(partition)
            return False
        return True

    def _apply_each(self, work: Work) -> bool:
        complete = True
        for partition, portion in work.items():
            complete = self._apply({partition: portion}) and complete
        return complete

    def _commit(self, work: Work) -> None:
        assert self._connection
        if any(one.fact.TOPIC not in self._others for portion in work.values() for one in portion.facts):
            with self._connection.transaction(), self._connection.cursor() as cursor:
                if is_durable(self._sink):
                    cursor.execute("SET LOCAL synchronous_commit = on")
                fresh, positions = self._moved(cursor, work)
                concerned = [recorded for recorded in fresh if recorded.fact.TOPIC not in self._others]
                if concerned:
                    self._sink.project(concerned, cursor)
        else:
            # Nothing of it concerns the sink: all there is to do is to tell those who wait that it has come so far.
            with self._connection.cursor() as cursor:
                fresh, positions = self._moved(cursor, work)
            concerned = []
        self._note(positions, len(fresh), concerned)

    def _moved(self, cursor: Cursor[Any], work: Work) -> tuple[list[Recorded], dict[int, int]]:
        """Move the checkpoint. The facts that it had not reached, in order, and where it stands now."""
        held = move_checkpoint(cursor, self.name, {p: work[p].upto for p in sorted(work)}, self._seen)
        if held.keys() != work.keys():
            raise CheckpointMoved(f"the checkpoint of {self.name} is lower than what was applied")
        fresh = [fact for p, portion in work.items() for fact in portion.facts if fact.position > held[p]]
        if len(work) > 1:
            fresh.sort(key=_position)
        return fresh, {p: max(held[p], portion.upto) for p, portion in work.items()}

    def _note(self, positions: Mapping[int, int], applied: int, concerned: Sequence[Recorded]) -> None:
        self._seen.update(positions)
        self.applied_total += applied
        APPLIED.labels(self.name).inc(applied)
        for partition, position in positions.items():
            POSITION.labels(self.name, partition).set(position)
            if self._failures.pop(partition, 0):
                HALTED.labels(self.name, partition).set(0)
        after_commit = getattr(self._sink, "after_commit", None)
        if concerned and after_commit is not None:
            try:
                after_commit(concerned)
            except Exception:
                logger.exception("%s: a hint after the commit failed; the rows are committed", self.name)

    def _halt(self, partition: int) -> None:
        """A fact cannot be applied. Later ones of the partition may build on it, so all of it waits."""
        self._failures[partition] = failures = self._failures.get(partition, 0) + 1
        delay_s = retry_delay_s(failures)
        self._behind[partition] = self._monotonic() + delay_s
        HALTED.labels(self.name, partition).set(1)
        logger.error("%s: partition %d waits %.1f s", self.name, partition, delay_s)


def _position(recorded: Recorded) -> int:
    return recorded.position
