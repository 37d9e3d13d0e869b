"""The journal in memory, for fast tests: the same answers as PostgreSQL's, encoding nothing."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from adapters.journal_batch import answer_of, ensure_continuous
from application.journal import Appended, Appending, Entry, Outcome, Receipt, Recorded, StaleDecision


class MemoryJournal:
    """Implements ``Journal`` and ``JournalReader``. Its appends never wait, so each is atomic on an event loop."""

    def __init__(self) -> None:
        self._facts: list[Recorded] = []
        self._streams: dict[UUID, list[Recorded]] = {}
        self._receipts: dict[UUID, Receipt] = {}
        self._epoch = uuid4()

    async def load(self, stream_ids: Sequence[UUID]) -> dict[UUID, list[Recorded]]:
        return {stream_id: list(self._streams.get(stream_id, ())) for stream_id in stream_ids}

    async def append(self, entries: Sequence[Entry]) -> Appending:
        """Raises ``ValueError`` for drafts that leave a gap in a stream."""
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

    def read(self, *, after: int, limit: int, upto: int | None = None) -> Sequence[Recorded]:
        # The fact at position n is the n-th.
        end = after + limit if upto is None else min(after + limit, upto)
        return self._facts[after:end]

    def head(self) -> int:
        return len(self._facts)

    def epoch(self) -> UUID:
        return self._epoch

    def _record(self, entry: Entry) -> Appended:
        for draft in entry.drafts:
            stream = self._streams.setdefault(draft.stream_id, [])
            for version, fact in enumerate(draft.facts, draft.expected_version + 1):
                recorded = Recorded(len(self._facts) + 1, draft.stream_id, version, fact, entry.provenance)
                self._facts.append(recorded)
                stream.append(recorded)
        answer = answer_of(entry)
        if answer is not None:
            self._receipts[entry.command_id] = Receipt(entry.fingerprint, answer, self.head())
        return Appended(self.head())


def _least_versions(entries: Sequence[Entry]) -> dict[UUID, int]:
    seen: dict[UUID, int] = {}
    for entry in entries:
        for stream_id, version in entry.reads.items():
            seen[stream_id] = min(seen.get(stream_id, version), version)
    return seen
