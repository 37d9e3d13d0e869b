"""The group-commit loop: one task per process that decides commands in memory and appends them in batches.

While one batch is being committed the next one gathers; no timer, no threads. A command's latency is one
or two commits. Decisions are pure, so a command whose reads have changed is simply decided again.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from application.clock import Clock
from application.decision import Decision, NotLoaded, Stream, UseCase, View
from application.journal import (
    Appended,
    Draft,
    Entry,
    Journal,
    JournalUnavailable,
    Provenance,
    Receipt,
    StaleDecision,
    Turn,
)
from application.stream_cache import Overlay, StreamCache
from domain.fact import Fact
from domain.permissions import Actor
from domain.refusals import KeyReused, Refusal
from domain.value import value

BATCH_COMMANDS_MAX = 256
QUEUE_COMMANDS_MAX = 4_096
DECISION_ATTEMPTS_MAX = 8
LOADS_MAX = 256
"""How often a use case may ask for more streams before it is taken for an endless one."""


class Busy(Exception):  # noqa: N818
    """The writer has more to do than it can soon do, or a command could not be settled: try again later."""


class InFlight(Exception):  # noqa: N818
    """The same command is being decided at this moment."""


@value(frozen=True, slots=True)
class Answer:
    """``body`` is JSON; ``position`` that of the command's last fact; ``replayed``: decided before, not now."""

    body: bytes
    position: int
    replayed: bool


@dataclass(slots=True, eq=False)
class _Job:
    use_case: UseCase[Any]
    command: object
    actor: Actor
    command_id: UUID
    fingerprint: bytes
    traceparent: str | None
    answered: asyncio.Future[Answer]
    is_settled: bool = False


@dataclass(slots=True)
class _Decided:
    """``after``: the streams of its drafts, as they are if it is appended."""

    job: _Job
    entry: Entry
    refusal: Refusal | None
    after: Sequence[Stream] = ()


_Verdict = tuple[_Job, Answer | Exception]


@dataclass(slots=True)
class Tally:
    """What the writer has done, for metrics."""

    commands: int = 0
    batches: int = 0
    refusals: int = 0
    replays: int = 0
    stale: int = 0
    turns: int = 0


@dataclass(slots=True)
class Writer:
    """Decides and appends. ``encode`` makes the JSON of an answer."""

    journal: Journal
    clock: Clock
    encode: Callable[[object], bytes]
    cache: StreamCache = field(default_factory=StreamCache)
    tally: Tally = field(default_factory=Tally)
    _queue: asyncio.Queue[_Job] = field(default_factory=lambda: asyncio.Queue(QUEUE_COMMANDS_MAX))
    _in_flight: set[UUID] = field(default_factory=set)

    async def submit(
        self,
        use_case: UseCase[Any],
        command: object,
        *,
        actor: Actor,
        command_id: UUID,
        fingerprint: bytes,
        traceparent: str | None = None,
    ) -> Answer:
        """Decide and append one command; returns when it is durable.

        Raises the ``Refusal`` of the use case; ``KeyReused`` if the command id has a receipt with another
        fingerprint; ``InFlight``; ``Busy`` or ``JournalUnavailable`` if its fate must be asked for again.
        """
        if command_id in self._in_flight:
            raise InFlight
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        job = _Job(use_case, command, actor, command_id, fingerprint, traceparent, answered)
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            raise Busy from None
        self._in_flight.add(command_id)
        # A client that goes away does not take its command back: it was handed over and will be settled.
        return await answered

    async def run(self) -> None:
        """Settle commands until cancelled."""
        while True:
            jobs = [await self._queue.get()]
            while len(jobs) < BATCH_COMMANDS_MAX and not self._queue.empty():
                jobs.append(self._queue.get_nowait())
            await self._settle_or_fail(jobs)

    async def _settle_or_fail(self, jobs: Sequence[_Job]) -> None:
        try:
            await self._settle(jobs)
        except JournalUnavailable as unavailable:
            # Whether the transaction was committed is unknown, so what is in memory may be behind the
            # journal or ahead of it. The receipts know; memory starts afresh.
            self.cache.clear()
            self._announce([(job, unavailable) for job in jobs])
        except asyncio.CancelledError:
            self._announce([(job, Busy()) for job in jobs])
            raise
        except Exception as bug:  # noqa: BLE001  a bug answers its batch and must not stop the writer
            self.cache.clear()
            self._announce([(job, bug) for job in jobs])
        self.cache.trim()

    async def _settle(self, jobs: Sequence[_Job]) -> None:
        self.tally.batches += 1
        verdicts: list[_Verdict] = []
        stale = await self._round(self.journal, jobs, verdicts)
        self._announce(verdicts)
        if not stale:
            return
        self.tally.turns += 1
        verdicts = []
        async with self.journal.turn() as turn:
            for _ in range(DECISION_ATTEMPTS_MAX - 1):
                stale = await self._round(turn, stale, verdicts)
                if not stale:
                    break
        # Only now are the turn's answers durable.
        self._announce([*verdicts, *((job, Busy()) for job in stale)])

    async def _round(self, journal: Journal | Turn, jobs: Sequence[_Job], verdicts: list[_Verdict]) -> list[_Job]:
        """Decide and append once; adds to ``verdicts`` and returns the commands that must be decided again."""
        decided = await self._decide(jobs, verdicts)
        if not decided:
            return []
        appending = await journal.append([one.entry for one in decided])
        for stream_id, recorded in appending.news.items():
            if recorded:
                self.cache.learn(stream_id, recorded)
            else:
                self.cache.forget(stream_id)  # the journal knows less than we do: it was restored to the past
        stale: list[_Job] = []
        for one, outcome in zip(decided, appending.outcomes, strict=True):
            match outcome:
                case StaleDecision():
                    stale.append(one.job)
                case Receipt():
                    verdicts.append((one.job, self._replay(one.job, outcome)))
                case Appended():
                    verdicts.append((one.job, self._conclude(one, outcome)))
        self.tally.stale += len(stale)
        return stale

    async def _decide(self, jobs: Sequence[_Job], verdicts: list[_Verdict]) -> list[_Decided]:
        """Decide each command on memory; what is missing is loaded for all of them in one round trip."""
        overlay = Overlay(self.cache)
        decided: list[_Decided] = []
        for _ in range(LOADS_MAX):
            missing: set[UUID] = set()
            waiting: list[_Job] = []
            now = self.clock.now()
            for job in jobs:
                view = View(overlay)
                try:
                    decision = job.use_case(view, job.command, job.actor, now)
                    decided.append(self._decided(job, decision, view, overlay, now))
                except NotLoaded as wanted:
                    missing.update(wanted.stream_ids)
                    waiting.append(job)
                except Refusal as refusal:
                    decided.append(_Decided(job, _entry(job, view, overlay, now), refusal))
                except Exception as bug:  # noqa: BLE001  it answers its command alone
                    verdicts.append((job, bug))
            if not waiting:
                return decided
            for stream_id, recorded in (await self.journal.load(tuple(missing))).items():
                self.cache.learn(stream_id, recorded)
            jobs = waiting
        raise RuntimeError(f"a use case asked for more streams {LOADS_MAX} times")

    def _decided(self, job: _Job, decision: Decision, view: View, overlay: Overlay, now: datetime) -> _Decided:
        by_stream: dict[UUID, list[Fact]] = {}
        for stream_id, fact in decision.facts:
            by_stream.setdefault(stream_id, []).append(fact)
        if not all(map(view.has_read, by_stream)):
            raise RuntimeError("a use case writes only to streams that it has read")
        answer = self.encode(decision.answer)
        drafts: list[Draft] = []
        after: list[Stream] = []
        for stream_id, facts in by_stream.items():
            stream = decision.after.get(stream_id.int) or overlay.folded(stream_id, facts)
            drafts.append(Draft(stream_id, stream.version - len(facts), tuple(facts)))
            after.append(stream)
            overlay.draft(stream_id, stream)
        return _Decided(job, _entry(job, view, overlay, now, tuple(drafts), answer), None, after)

    def _conclude(self, one: _Decided, outcome: Appended) -> Answer | Exception:
        if one.refusal is not None:
            self.tally.refusals += 1
            return one.refusal
        self.tally.commands += 1
        for draft, stream in zip(one.entry.drafts, one.after, strict=True):
            self.cache.absorb(draft.stream_id, draft.expected_version, stream)
        assert one.entry.answer is not None
        return Answer(one.entry.answer, outcome.position, replayed=False)

    def _announce(self, verdicts: Sequence[_Verdict]) -> None:
        """Answer those that have not been answered yet."""
        for job, verdict in verdicts:
            if job.is_settled:
                continue
            job.is_settled = True
            self._in_flight.discard(job.command_id)
            if job.answered.done():
                continue  # the client has gone away
            if isinstance(verdict, Answer):
                job.answered.set_result(verdict)
            else:
                job.answered.set_exception(verdict)

    def _replay(self, job: _Job, receipt: Receipt) -> Answer | Exception:
        self.tally.replays += 1
        if receipt.fingerprint != job.fingerprint:
            return KeyReused()
        return Answer(receipt.answer, receipt.position, replayed=True)


def _entry(
    job: _Job,
    view: View,
    overlay: Overlay,
    now: datetime,
    drafts: tuple[Draft, ...] = (),
    answer: bytes | None = None,
) -> Entry:
    return Entry(
        command_id=job.command_id,
        fingerprint=job.fingerprint,
        provenance=Provenance(
            organization_id=job.actor.organization_id,
            actor_id=job.actor.account_id,
            at=now,
            command_id=job.command_id,
            traceparent=job.traceparent,
        ),
        reads={stream_id: overlay.base_version(stream_id) for stream_id in view.read},
        drafts=drafts,
        answer=answer,
    )
