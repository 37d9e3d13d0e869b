"""The journal as the application sees it: streams of facts with one global order."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.fact import Fact
from domain.value import value


@value(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a fact came from. ``at`` is the decision's ``now``; ``traceparent`` is W3C trace context."""

    organization_id: UUID
    actor_id: UUID
    at: datetime
    command_id: UUID
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A fact in its place: ``position`` in the global order, ``version`` in its stream (the first is 1)."""

    position: int
    stream_id: UUID
    version: int
    fact: Fact
    provenance: Provenance


@value(frozen=True, slots=True)
class Draft:
    """Facts to append to a stream, the first as version ``expected_version + 1``; 0 begins the stream."""

    stream_id: UUID
    expected_version: int
    facts: tuple[Fact, ...]


@value(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decided command, of a batch that is appended in one transaction.

    ``reads`` are the versions of all streams that the decision read or writes, as they were before
    this batch. An earlier entry of the same batch may have written to them: its drafts then come first,
    and if that entry falls, so does this one. ``answer`` is what a retry of the command is told,
    JSON without personal data; a refusal has neither drafts nor answer and only asks whether its reads
    still hold.
    """

    command_id: UUID
    fingerprint: bytes
    provenance: Provenance
    reads: Mapping[UUID, int]
    drafts: tuple[Draft, ...] = ()
    answer: bytes | None = None


@value(frozen=True, slots=True)
class Appended:
    """The facts are durable; ``position`` is that of the entry's last one. Of a refusal: its reads hold."""

    position: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The command was appended before, now or in another process; this is what it was told then."""

    fingerprint: bytes
    answer: bytes
    position: int


@dataclass(frozen=True, slots=True)
class StaleDecision:
    """Something that the decision read has changed: decide again."""


Outcome = Appended | Receipt | StaleDecision


@value(frozen=True, slots=True)
class Appending:
    """``outcomes`` in the order of the entries; ``news`` is what had changed on the streams they read."""

    outcomes: Sequence[Outcome]
    news: Mapping[UUID, Sequence[Recorded]]


class JournalUnavailable(Exception):  # noqa: N818  reads as what it says
    """The journal cannot be reached, or not in time: nothing can be decided. Answered as 503."""


class Journal(Protocol):
    """The port of the command side. Asynchronous; adapters: PostgreSQL, memory."""

    async def load(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Recorded]]:
        """All facts of the streams, in one round trip; a stream that does not exist is an empty sequence."""

    async def append(self, entries: Sequence[Entry]) -> Appending:
        """Append what still holds, all in one transaction and one round trip.

        An entry whose command id has a receipt is answered by it and appends nothing. An entry whose
        reads have changed, or that builds on one that fell, is ``StaleDecision``. All others are
        appended, in order. Raises ``JournalUnavailable``; then some later retry finds the receipts if the
        transaction was in fact committed.
        """

    def turn(self) -> AbstractAsyncContextManager["Turn"]:
        """The journal to oneself until the block ends: for commands that others were faster than.

        Two processes that write the same stream would otherwise starve one another: while one decides, the
        other appends. Within a turn a stale entry can be decided again and appended before anyone else
        appends. Leaving the block commits; an exception rolls all of it back.
        """


class Turn(Protocol):
    async def append(self, entries: Sequence[Entry]) -> Appending:
        """As ``Journal.append``, but nothing is durable before the turn ends and no one else appends meanwhile."""


class JournalReader(Protocol):
    """The port of those who follow the journal: relay, rebuilds, audits. Synchronous, in position order."""

    def read(
        self, *, after: int, limit: int, upto: int | None = None, besides: Collection[str] = ()
    ) -> Sequence[Recorded]:
        """The next ``limit`` facts with ``after < position (≤ upto)``, ``besides`` those of these topics."""

    def head(self) -> int:
        """The highest position, 0 when nothing has happened yet."""

    def organizations(self, *, after: int) -> Mapping[UUID, int]:
        """Those with facts after this position, and the position of each one's last: what reading them would tell."""
