"""A batch of entries as the parallel arrays that ``journal_append`` takes."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from adapters.fact_codec import FactMapper
from adapters.postgres_arrays import BigintArray, BytesArray, IntegerArray, TextArray, UuidArray
from application.journal import Entry
from domain.fact import Fact

NO_ANSWER = b"null"
"""What the receipt of facts without an answer says: a retry must find one all the same."""


class Batch(NamedTuple):
    """In the order of the function's parameters; see ``journal_schema.APPEND``."""

    uniform: bool
    command_ids: UuidArray
    fingerprints: BytesArray
    answers: BytesArray
    reads_upto: IntegerArray
    facts_upto: IntegerArray
    streams: UuidArray
    seen: BigintArray
    read_streams: IntegerArray
    read_versions: BigintArray
    fact_streams: IntegerArray
    fact_versions: BigintArray
    topics: TextArray
    states: BytesArray


def pack(entries: Sequence[Entry], mapper: FactMapper) -> Batch:
    """Raises ``ValueError`` for drafts that do not continue what their entry read and earlier entries wrote."""
    ensure_continuous(entries)
    places: dict[int, int] = {}  # by the number of the stream's id, which is hashed at once
    streams: list[UUID] = []
    seen: list[int] = []
    uniform = len({entry.command_id for entry in entries}) == len(entries)
    reads_upto: list[int] = []
    facts_upto: list[int] = []
    read_streams: list[int] = []
    read_versions: list[int] = []
    fact_streams: list[int] = []
    fact_versions: list[int] = []
    topics: list[str] = []
    states: list[bytes] = []
    for entry in entries:
        for stream_id, version in entry.reads.items():
            place = places.get(stream_id.int)
            if place is None:
                streams.append(stream_id)
                seen.append(version)
                place = places[stream_id.int] = len(seen)
            elif seen[place - 1] != version:
                uniform = False
                seen[place - 1] = min(seen[place - 1], version)
            read_streams.append(place)
            read_versions.append(version)
        facts: list[Fact] = []
        for draft in entry.drafts:
            count = len(draft.facts)
            facts += draft.facts
            fact_streams += [places[draft.stream_id.int]] * count
            fact_versions += range(draft.expected_version + 1, draft.expected_version + 1 + count)
        topics += [fact.TOPIC for fact in facts]
        states += mapper.states(facts, entry.provenance)
        reads_upto.append(len(read_streams))
        facts_upto.append(len(topics))
    return Batch(
        uniform=uniform,
        command_ids=UuidArray.of([entry.command_id for entry in entries]),
        fingerprints=BytesArray.of([entry.fingerprint for entry in entries]),
        answers=BytesArray.of([answer_of(entry) for entry in entries]),
        reads_upto=IntegerArray.of(reads_upto),
        facts_upto=IntegerArray.of(facts_upto),
        streams=UuidArray.of(streams),
        seen=BigintArray.of(seen),
        read_streams=IntegerArray.of(read_streams),
        read_versions=BigintArray.of(read_versions),
        fact_streams=IntegerArray.of(fact_streams),
        fact_versions=BigintArray.of(fact_versions),
        topics=TextArray.of(topics),
        states=BytesArray.of(states),
    )


def answer_of(entry: Entry) -> bytes | None:
    """What the receipt will say; None for a refusal, which gets none."""
    return NO_ANSWER if entry.answer is None and entry.drafts else entry.answer


def ensure_continuous(entries: Sequence[Entry]) -> None:
    """Raises ``ValueError`` if a draft is not of a stream that was read, or would leave a gap in it."""
    written: dict[UUID, int] = {}
    for entry in entries:
        for draft in entry.drafts:
            stream_id, already = draft.stream_id, written.get(draft.stream_id, 0)
            read = entry.reads.get(stream_id)
            if read is None:
                raise ValueError(f"a draft writes to {stream_id}, which the decision has not read")
            if draft.expected_version != read + already:
                raise ValueError(
                    f"a draft expects version {draft.expected_version} of {stream_id}, not {read + already}"
                )
            written[stream_id] = already + len(draft.facts)
