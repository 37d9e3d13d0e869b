"""The journal in memory, for fast tests: the same answers as PostgreSQL's, encoding nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from adapters.journal_batch import answer_of, ensure_continuous
from application.journal import Appended, Appending, Entry, Outcome, Receipt, Recorded, StaleDecision, Turn


class MemoryJournal:
    """Implements ``Journal`` and ``JournalReader``."""

    def __init__(self) -> None:
        self._facts: list[Recorded] = []
        self._streams: dict[UUID, list[Recorded]] = {}
        self._receipts: dict[UUID, Receipt] = {}
        self._epoch = uuid4()
        self._lock = asyncio.Lock()
        self._committed = 0
        """Facts up to this position are durable; those of a turn that has not ended lie above it."""

    async def load(self, stream_ids: Sequence[UUID]) -> dict[UUID, list[Recorded]]:
        return {
            stream_id: [r for r in self._streams.get(stream_id, ()) if r.position <= self._committed]
            for stream_id in stream_ids
        }

    async def append(self, entries: Sequence[Entry]) -> Appending:
        """Raises ``ValueError`` for drafts that leave a gap in a stream."""
        async with self._transaction():
            return self._append(entries)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        async with self._transaction():
            yield _MemoryTurn(self._append)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with self._lock:
            receipts = dict(self._receipts)
            try:
                yield
            except BaseException:
                for undone in self._facts[self._committed :]:
                    self._streams[undone.stream_id].remove(undone)
                del self._facts[self._committed :]
                self._receipts = receipts
                raise
            self._committed = len(self._facts)

    def read(
        self, *, after: int, limit: int, upto: int | None = None, besides: Collection[str] = ()
    ) -> Sequence[Recorded]:
        # The fact at position n is the n-th.
        found = self._facts[after : self._committed if upto is None else min(self._committed, upto)]
        return [recorded for recorded in found if recorded.fact.TOPIC not in besides][:limit]

    def head(self) -> int:
        return self._committed

    def organizations(self, *, after: int) -> Mapping[UUID, int]:
        return {f.provenance.organization_id: f.position for f in self._facts[after : self._committed]}

    def epoch(self) -> UUID:
        return self._epoch

    def _append(self, entries: Sequence[Entry]) -> Appending:
        ensure_continuous(entries)
        seen = _least_versions(entries)
        is_at = {stream_id: len(self._streams.get(stream_id, ())) for stream_id in seen}
        news = {
            stream_id: self._streams.get(stream_id, [])[version:]
            for stream_id, version in seen.items()
            if is_at[stream_id] != version
        }
        had_receipt = {entry.command_id for entry in entries} & self._receipts.keys()
        outcomes: list[Outcome] = []
        begun: set[UUID] = set()
        dirty: set[UUID] = set()
        for entry in entries:
            holds = all(is_at[stream_id] == version for stream_id, version in entry.reads.items())
            if entry.command_id in had_receipt:
                outcome: Outcome = self._receipts[entry.command_id]
            elif entry.command_id in begun or not holds or not dirty.isdisjoint(entry.reads):
                outcome = StaleDecision()
            else:
                outcome = self._record(entry)
            if not isinstance(outcome, Appended):
                dirty.update(draft.stream_id for draft in entry.drafts if draft.facts)
            begun.add(entry.command_id)
            outcomes.append(outcome)
        return Appending(outcomes, news)

    def _record(self, entry: Entry) -> Appended:
        for draft in entry.drafts:
            stream = self._streams.setdefault(draft.stream_id, [])
            for version, fact in enumerate(draft.facts, draft.expected_version + 1):
                recorded = Recorded(len(self._facts) + 1, draft.stream_id, version, fact, entry.provenance)
                self._facts.append(recorded)
                stream.append(recorded)
        position = len(self._facts)
        answer = answer_of(entry)
        if answer is not None:
            self._receipts[entry.command_id] = Receipt(entry.fingerprint, answer, position)
        return Appended(position)


@dataclass(frozen=True, slots=True)
class _MemoryTurn:
    append_within: Callable[[Sequence[Entry]], Appending]

    async def append(self, entries: Sequence[Entry]) -> Appending:
        return self.append_within(entries)


def _least_versions(entries: Sequence[Entry]) -> dict[UUID, int]:
    seen: dict[UUID, int] = {}
    for entry in entries:
        for stream_id, version in entry.reads.items():
            seen[stream_id] = min(seen.get(stream_id, version), version)
    return seen
