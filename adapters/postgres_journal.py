"""The journal on PostgreSQL: the ``eventsourcing`` library's table, appended to by one function call a batch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID
from weakref import WeakSet

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from adapters import postgres_arrays
from adapters.fact_codec import FactMapper
from adapters.journal_batch import pack
from adapters.postgres_arrays import UuidArray
from application.journal import (
    Appended,
    Appending,
    Entry,
    JournalUnavailable,
    Outcome,
    Receipt,
    Recorded,
    StaleDecision,
    Turn,
)

LOCK_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 15.0
CONNECTION_TIMEOUT_S = 5.0
TURN_IDLE_TIMEOUT_S = 5.0
"""How long a turn may keep everyone waiting between two of its appends, before the server ends it."""


APPENDED, RECEIPT, STALE, NEWS = range(4)
"""What a row of ``journal_append`` tells."""

_APPEND = "SELECT * FROM journal_append(%b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)"
_LOAD = """
SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
WHERE originator_id = ANY (%b) ORDER BY originator_id, originator_version
"""

_TURN_IDLE_TIMEOUT_MS = round(TURN_IDLE_TIMEOUT_S * 1000)

# What the server or the way to it can do to us; a fault of ours (a missing table, a broken constraint) passes.
_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    TimeoutError,
)


class PostgresJournal:
    """Implements ``application.journal.Journal``. Safe for any number of processes on one database.

    ``lock_timeout_s``: how long an append waits for those of other processes. ``answer_timeout_s``: how long
    any call waits for the server before it counts as unreachable.
    """

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        mapper: FactMapper | None = None,
        *,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._pool = pool
        self._mapper = mapper or FactMapper()
        self._lock_timeout_ms = round(lock_timeout_s * 1000)
        self._answer_timeout_s = answer_timeout_s
        self._prepared: WeakSet[AsyncConnection[Any]] = WeakSet()

    async def load(self, stream_ids: Sequence[UUID]) -> dict[UUID, list[Recorded]]:
        streams: dict[UUID, list[Recorded]] = {stream_id: [] for stream_id in stream_ids}
        recorded = self._mapper.recorded
        async with self._connection() as connection:
            rows = await _rows(connection, _LOAD, (UuidArray.of(list(streams)),))
        for position, stream_id, version, topic, state in rows:
            streams[stream_id].append(recorded(position, stream_id, version, topic, state))
        return streams

    async def append(self, entries: Sequence[Entry]) -> Appending:
        """Raises ``ValueError`` for a batch that no honest decision makes: drafts that leave a gap in a stream."""
        # One statement, so one transaction and one round trip. If its answer is lost we cannot know whether it
        # was committed; the command's retry will, by the receipt.
        async with self._connection() as connection:
            return await self._append(connection, entries)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """The lock is taken by the first append. Meanwhile ``load`` needs a second connection of the pool."""
        async with self._connection() as connection, connection.transaction():
            yield _PostgresTurn(lambda entries: self._append(connection, entries))

    async def _append(self, connection: AsyncConnection[Any], entries: Sequence[Entry]) -> Appending:
        batch = pack(entries, self._mapper)
        rows = await _rows(connection, _APPEND, (self._lock_timeout_ms, _TURN_IDLE_TIMEOUT_MS, *batch))
        outcomes: list[Outcome] = [StaleDecision()] * len(entries)
        news: dict[UUID, list[Recorded]] = {}
        for kind, entry, position, stream_id, version, topic, state, fingerprint in rows:
            if kind == APPENDED:
                outcomes[entry - 1] = Appended(position)
            elif kind == RECEIPT:
                outcomes[entry - 1] = Receipt(fingerprint, state, position)
            elif kind == NEWS:
                known = news.setdefault(stream_id, [])
                if position is not None:
                    known.append(self._mapper.recorded(position, stream_id, version, topic, state))
        return Appending(outcomes, news)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """In autocommit. Raises ``JournalUnavailable``, also for what happens within."""
        with _available():
            async with asyncio.timeout(self._answer_timeout_s), self._pool.connection(CONNECTION_TIMEOUT_S) as taken:
                if taken not in self._prepared:
                    postgres_arrays.register(taken)
                    self._prepared.add(taken)
                was_autocommit = taken.autocommit
                if not was_autocommit:
                    await taken.set_autocommit(True)
                try:
                    yield taken
                finally:
                    if not was_autocommit and not taken.closed:
                        await taken.set_autocommit(False)


@dataclass(frozen=True, slots=True)
class _PostgresTurn:
    append_within: Callable[[Sequence[Entry]], Awaitable[Appending]]

    async def append(self, entries: Sequence[Entry]) -> Appending:
        with _available():
            return await self.append_within(entries)


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except _UNAVAILABLE as failure:
        raise JournalUnavailable(str(failure)) from failure


async def _rows(
    connection: AsyncConnection[Any], statement: LiteralString, parameters: tuple[Any, ...]
) -> list[tuple[Any, ...]]:
    async with connection.cursor(binary=True, row_factory=tuple_row) as cursor:
        await cursor.execute(statement, parameters, prepare=True)
        return await cursor.fetchall()
