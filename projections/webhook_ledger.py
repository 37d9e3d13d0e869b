"""The application's ``DeliveryLedger`` on the tables of ``webhooks``: several may work, by SKIP LOCKED.

What is taken is due again after a while: a process that dies with it loses nothing, and the receiver may hear of it
twice, under the same id. Every statement that settles names the attempt that it settles.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from application.delivering import rest
from application.parcels import Parcel

LEASE = timedelta(minutes=2)
"""Far above the time that a call may take."""
KEPT_FOR = timedelta(days=30)
PRUNED_MAX = 5_000

_TAKE = """
WITH taken AS (
    SELECT due.id FROM webhooks.endpoint AS e CROSS JOIN LATERAL (
        SELECT id, due_at, position FROM webhooks.delivery
        WHERE webhook_id = e.id AND state = 'pending' AND due_at <= now()
        ORDER BY due_at, position LIMIT CASE WHEN e.failures > 0 THEN 1 ELSE %s END FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE e.disabled IS NULL AND (e.rests_until IS NULL OR e.rests_until <= now()) AND e.id <> ALL(%s::uuid[])
    ORDER BY due.due_at, due.position LIMIT %s
)
UPDATE webhooks.delivery AS d SET attempts = attempts + 1, due_at = clock_timestamp() + %s
FROM taken, webhooks.endpoint AS e, public.stored_events AS s
WHERE d.id = taken.id AND e.id = d.webhook_id AND s.notification_id = d.position
RETURNING d.id, d.webhook_id, d.organization_id, d.position, d.attempts, e.url,
    s.topic, s.state, s.originator_id, s.originator_version
"""
_SETTLE = """
UPDATE webhooks.delivery SET state = %s, response_status = %s, reason = %s, changed_at = clock_timestamp(),
    due_at = clock_timestamp() + %s
WHERE id = %s AND attempts = %s AND state = 'pending'
"""
_WELL = (
    "UPDATE webhooks.endpoint SET failures = 0, failing_since = NULL, rests_until = NULL WHERE id = %s AND failures > 0"
)
_FAILS = """
UPDATE webhooks.endpoint SET failures = failures + 1, failing_since = coalesce(failing_since, clock_timestamp())
WHERE id = %s RETURNING failures, clock_timestamp() - failing_since AS failing_for
"""
_RESTS = "UPDATE webhooks.endpoint SET rests_until = clock_timestamp() + %s WHERE id = %s"
_PRUNE = """
DELETE FROM webhooks.delivery WHERE id IN (
    SELECT id FROM webhooks.delivery WHERE state <> 'pending' AND changed_at < now() - %s
    ORDER BY changed_at LIMIT %s FOR UPDATE SKIP LOCKED
)
"""


class _Meta(msgspec.Struct):
    actor: UUID
    at: datetime


class _Stored(msgspec.Struct):
    """The journal's form of a fact; ``data`` stays as it is."""

    meta: _Meta
    data: msgspec.Raw


_STORED = msgspec.json.Decoder(_Stored)


@dataclass(slots=True)
class PostgresDeliveryLedger:
    pool: AsyncConnectionPool[AsyncConnection[Any]]

    async def take(self, limit: int, *, per_endpoint: int, busy: Collection[UUID]) -> Sequence[Parcel]:
        async with self._cursor() as cursor:
            await cursor.execute(_TAKE, (per_endpoint, list(busy), limit, LEASE))
            rows = await cursor.fetchall()
        return sorted(map(_parcel, rows), key=lambda parcel: parcel.position)

    async def delivered(self, parcel: Parcel, status: int) -> None:
        async with self._cursor() as cursor:
            await cursor.execute(_SETTLE, ("delivered", status, None, timedelta(), parcel.id, parcel.attempt))
            await cursor.execute(_WELL, (parcel.webhook_id,))

    async def failed(
        self, parcel: Parcel, *, status: int | None, reason: str, again_after: timedelta | None
    ) -> timedelta:
        state = "failed" if again_after is None else "pending"
        async with self._cursor() as cursor:
            settled = (state, status, reason, again_after or timedelta(), parcel.id, parcel.attempt)
            await cursor.execute(_SETTLE, settled)
            found = await (await cursor.execute(_FAILS, (parcel.webhook_id,))).fetchone()
            if found is None:
                return timedelta()
            await cursor.execute(_RESTS, (rest(found["failures"]), parcel.webhook_id))
            failing_for: timedelta = found["failing_for"]
            return failing_for

    async def dropped(self, parcel: Parcel, reason: str) -> None:
        async with self._cursor() as cursor:
            await cursor.execute(_SETTLE, ("dropped", None, reason, timedelta(), parcel.id, parcel.attempt))

    async def prune(self) -> None:
        """Forget what was settled long ago, some of it."""
        async with self._cursor() as cursor:
            await cursor.execute(_PRUNE, (KEPT_FOR, PRUNED_MAX))

    @asynccontextmanager
    async def _cursor(self) -> AsyncIterator[AsyncCursor[DictRow]]:
        async with (
            self.pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            yield cursor


def _parcel(row: DictRow) -> Parcel:
    stored = _STORED.decode(row["state"])
    told = {
        "position": row["position"],
        "stream_id": row["originator_id"],
        "version": row["originator_version"],
        "topic": row["topic"],
        "at": stored.meta.at,
        "actor_id": stored.meta.actor,
        "data": stored.data,
    }
    return Parcel(
        id=row["id"],
        webhook_id=row["webhook_id"],
        organization_id=row["organization_id"],
        position=row["position"],
        topic=row["topic"],
        url=row["url"],
        attempt=row["attempts"],
        at=stored.meta.at,
        # The envelope of Standard Webhooks; in it the fact as the audit log shows it.
        body=msgspec.json.encode({"type": row["topic"], "timestamp": stored.meta.at, "data": told}),
    )
