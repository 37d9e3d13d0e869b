"""Bugs in what decides, appends, answers and reads: in the API processes, and in the journal's append."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

import adapters.redis_masks
import api.values
import application.booking
import application.visits
from adapters.postgres_journal import PostgresJournal
from adapters.redis_masks import RedisMaskSink
from api.broadcaster import Broadcaster, Subscription
from api.position import Fence
from api.stream_session import Session
from application.decision import View
from application.journal import Appended, Appending, Receipt, StaleDecision
from application.masks import Block
from application.writer import Answer, Writer
from domain.resource_day import Claim, ResourceDay
from projections.changes import Change
from projections.timers import DueTimers
from tests.torture.bugs import API, PROJECT, Bug, often, replaced

_PEAK, _REPLAY, _APPEND = ResourceDay.peak_quantity, Writer._replay, PostgresJournal._append
_HISTORY = Session._tell_history
_HAND_OVER, _PUT, _TAKE = Broadcaster._hand_over, RedisMaskSink.put, DueTimers.take
_BLOCK = adapters.redis_masks._block


def _one_too_many() -> None:
    replaced(ResourceDay, "peak_quantity", lambda *page, **at: max(0, _PEAK(*page, **at) - 1))


def _holds_block_nobody() -> None:
    replaced(Claim, "blocks_at", lambda claim, _now: claim.until is None)


def _holds_block_for_ever() -> None:
    """And nobody lets them lapse, which must not matter."""

    @asynccontextmanager
    async def nothing(timers: DueTimers, _limit: int, now: datetime | None = None) -> AsyncIterator[Any]:
        async with _TAKE(timers, 0, now) as taken:
            yield taken

    replaced(Claim, "blocks_at", lambda _claim, _now: True)
    replaced(DueTimers, "take", nothing)


def _whoever_asks() -> None:
    def replay(_: Writer, __: object, receipt: Receipt) -> Answer:
        return Answer(receipt.answer, receipt.position, replayed=True)

    replaced(Writer, "_replay", replay)


def _another_position() -> None:
    def replay(writer: Writer, job: Any, receipt: Receipt) -> Answer | Exception:
        told = _REPLAY(writer, job, receipt)
        return replace(told, position=told.position + 1) if isinstance(told, Answer) else told

    replaced(Writer, "_replay", replay)


def _stale_is_done() -> None:
    async def append(journal: PostgresJournal, connection: Any, entries: Any) -> Any:
        found = await _APPEND(journal, connection, entries)
        last = max((one.position for one in found.outcomes if isinstance(one, Appended)), default=1)
        outcomes = [Appended(last) if isinstance(one, StaleDecision) else one for one in found.outcomes]
        return Appending(outcomes, found.news)

    replaced(PostgresJournal, "_append", append)


def _any_version() -> None:
    replaced(View, "ensure_version", lambda *_: None)


def _never_left() -> None:
    replaced(application.booking, "leave", lambda *_, **__: None)


def _never_given_back() -> None:
    replaced(application.visits, "give_back", lambda *_, **__: None)


def _as_the_wall_shows() -> None:
    def naive(given: Any) -> datetime:
        return given if isinstance(given, datetime) else datetime.fromisoformat(given).replace(tzinfo=UTC)

    api.values._instant.__code__ = naive.__code__  # pydantic has the function already


def _no_fence() -> None:
    async def reached(*_: object, **__: object) -> bool:
        return True

    replaced(Fence, "reached", reached)


def _any_mask() -> None:
    """And now and then Redis does not hear of a change, which versions are there to survive."""
    is_lost = often(2)

    def put(sink: RedisMaskSink, blocks: Any) -> None:
        if not is_lost():
            _PUT(sink, blocks)

    def block(value: Any) -> Block | None:
        found = _BLOCK(value)
        return Block(1 << 60, found.planes) if found else None

    replaced(RedisMaskSink, "put", put)
    replaced(adapters.redis_masks, "_block", block)


def _resumes_too_early() -> None:
    async def tell(session: Session, wanted: Any, topic: str) -> int:
        return await _HISTORY(session, msgspec.structs.replace(wanted, since=wanted.since and wanted.since - 1), topic)

    replaced(Session, "_tell_history", tell)


def _resumes_at_the_end() -> None:
    async def tell(session: Session, wanted: Any, topic: str) -> int:
        return await _HISTORY(session, msgspec.structs.replace(wanted, since=None), topic)

    replaced(Session, "_tell_history", tell)


def _every_tenth_is_lost() -> None:
    due = often(10)

    def hand_over(caster: Broadcaster, change: Change, *, read_after: int) -> None:
        if due():
            readers: set[Subscription] = caster._followed.get(change.topic, set())
            for reader in readers:
                reader.cursor = max(reader.cursor, change.position)
        _HAND_OVER(caster, change, read_after=read_after)

    replaced(Broadcaster, "_hand_over", hand_over)


_SLOW = "IF positions IS NOT NULL THEN\n        PERFORM pg_sleep(random() * 0.05);\n"
"""The time between the insert and the commit is drawn out: on two idle cores hardly two appends meet."""

OF_COMMANDS = {
    "no lock before ids are drawn": Bug(
        "two appends at once: ids become visible out of order",
        alter=[
            ('LOCK TABLE "public".journal_epoch IN EXCLUSIVE MODE;', ""),
            ("IF positions IS NOT NULL THEN\n", _SLOW),
        ],
        seconds=15.0,
    ),
    "no receipts": Bug("a command leaves no receipt", alter=[("WHERE c.answer IS NOT NULL AND", "WHERE false AND")]),
    "a position too many": Bug(
        "the receipt's position and the answer's are not the fact's",
        alter=[("coalesce(positions[u.upto], head)", "coalesce(positions[u.upto], head) + 1")],
    ),
    "refusals of the past": Bug(
        "whether what a refusal has read is still so is not looked at",
        alter=[
            (
                "EXIT WHEN falls;",
                "EXIT WHEN falls OR facts_upto[i] = coalesce(facts_upto[i - 1], 0);",
            )
        ],
        seconds=15.0,
    ),
    "capacity off by one": Bug("one visit too many fits", [API], _one_too_many),
    "holds block nobody": Bug("what is held may be booked", [API], _holds_block_nobody),
    "an expired hold still blocks": Bug(
        "a hold keeps others out past its deadline", [API, "timekeeper"], _holds_block_for_ever, seconds=85.0
    ),
    "a key is anybody's": Bug("another body under a key gets the first's answer", [API], _whoever_asks),
    "a replay tells another position": Bug("asked again, the position is the next", [API], _another_position),
    "stale is done": Bug("a decision that came too late counts as appended", [API], _stale_is_done, seconds=15.0),
    "any version will do": Bug("If-Match is not looked at", [API], _any_version, seconds=25.0),
    "the old place is kept": Bug("a visit that is moved keeps its old place too", [API], _never_left),
    "nothing is given back": Bug("a visit that is cancelled keeps its place", [API, "timekeeper"], _never_given_back),
    "naive local time": Bug("the offset of a start is dropped", [API], _as_the_wall_shows),
    "no read fence": Bug("a read does not wait for its position", [API], _no_fence),
    "masks without a version": Bug("whatever Redis has counts as of now", [API, PROJECT], _any_mask, seconds=15.0),
    "resume off by one": Bug(
        "the last change that was seen is told again", [API], _resumes_too_early, faults=[("kill", "serve:0")]
    ),
    "resume forgets": Bug(
        "what came while nobody listened is not told", [API], _resumes_at_the_end, faults=[("kill", "serve:0")]
    ),
    "frames are lost": Bug("each tenth change moves the cursor and is not sent", [API], _every_tenth_is_lost),
}
