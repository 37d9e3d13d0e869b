"""Timers as rows: set and cleared by facts, taken when due. Not a read model, never rebuilt.

Due is what the database's clock says, so that no machine's own clock lets anything happen early; or an explicit
``now``, where a replay's clock is the measure of everything.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor, Cursor
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from application.journal import Recorded
from application.timekeeping import Timer, TimerKind, net_change, timer_changes
from domain.appointment import AppointmentFact

RETRY_FIRST = timedelta(milliseconds=250)
RETRY_LONGEST = timedelta(seconds=2)
"""What could not be done yet is tried again well within the five seconds by which a timer may be late."""

_TAKE = """
SELECT id, kind, organization_id, about_id, due_at, attempts FROM timers.timer
WHERE due_at <= coalesce(%s, clock_timestamp()) AND (retry_at IS NULL OR retry_at <= clock_timestamp())
ORDER BY due_at, kind DESC LIMIT %s FOR UPDATE SKIP LOCKED
"""
"""Of two that are due at the same moment the release comes before the mark of a no-show, which it makes needless."""
_NEXT = """
SELECT extract(epoch FROM min(greatest(due_at, retry_at)) - clock_timestamp())::float8 FROM timers.timer
"""


class Timers:
    """The sink."""

    NAME: ClassVar[str] = "timers"
    FACTS: ClassVar = AppointmentFact
    DURABLE: ClassVar[bool] = True
    TABLES: ClassVar[str] = ""
    """A migration makes them: rows that have fired must not come back with a rebuild."""

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        net = net_change(change for recorded in batch for change in timer_changes(recorded))
        if net.cleared:
            about_ids, kinds = zip(*net.cleared, strict=True)
            cursor.execute(
                "DELETE FROM timer USING unnest(%s::uuid[], %s::text[]) AS gone (about_id, kind)"
                " WHERE timer.about_id = gone.about_id AND timer.kind = gone.kind",
                (list(about_ids), [str(kind) for kind in kinds]),
            )
        if net.set:
            cursor.execute(
                "INSERT INTO timer (id, kind, organization_id, about_id, due_at)"
                " SELECT * FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::uuid[], %s::timestamptz[])"
                " ON CONFLICT DO NOTHING",
                (
                    [timer.id for timer in net.set],
                    [str(timer.kind) for timer in net.set],
                    [timer.organization_id for timer in net.set],
                    [timer.about_id for timer in net.set],
                    [timer.due_at for timer in net.set],
                ),
            )

    def after_commit(self, batch: Sequence[Recorded]) -> None:
        """The timekeeper finds timers by itself."""


@dataclass(slots=True)
class TakenTimers:
    """Timers that are due and ours alone until the block ends. One that is neither done nor put off fires again."""

    cursor: AsyncCursor[DictRow]
    timers: Sequence[Timer]
    attempts: dict[UUID, int]

    async def done(self, timers: Sequence[Timer]) -> None:
        if timers:
            await self.cursor.execute("DELETE FROM timers.timer WHERE id = ANY(%s)", ([timer.id for timer in timers],))

    async def put_off(self, timers: Sequence[Timer]) -> None:
        """Try again a little later, each time after a longer while."""
        for timer in timers:
            wait = min(RETRY_FIRST * 2 ** min(self.attempts[timer.id], 16), RETRY_LONGEST)
            await self.cursor.execute(
                "UPDATE timers.timer SET attempts = attempts + 1, retry_at = clock_timestamp() + %s WHERE id = %s",
                (wait, timer.id),
            )


@dataclass(slots=True)
class DueTimers:
    """The timekeeper's end. Several processes may take: none waits for another, and no two get the same timer."""

    pool: AsyncConnectionPool[AsyncConnection[Any]]

    @asynccontextmanager
    async def take(self, limit: int, now: datetime | None = None) -> AsyncIterator[TakenTimers]:
        """What is due at ``now``; None: by the database's clock. An exception in the block changes nothing."""
        async with (
            self.pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            rows = await (await cursor.execute(_TAKE, (now, limit))).fetchall()
            yield TakenTimers(cursor, [_timer(row) for row in rows], {row["id"]: row["attempts"] for row in rows})

    async def next_due_in_s(self) -> float | None:
        """Seconds until the next timer by the database's clock, below 0 if it is late; None: there is none."""
        async with self.pool.connection() as connection:
            row = await (await connection.execute(_NEXT)).fetchone()
        return None if row is None or row[0] is None else float(row[0])


def _timer(row: DictRow) -> Timer:
    return Timer(
        id=row["id"],
        kind=TimerKind(row["kind"]),
        organization_id=row["organization_id"],
        about_id=row["about_id"],
        due_at=row["due_at"],
    )
