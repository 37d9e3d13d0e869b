"""The application's ``Ledger`` on the tables of ``deliveries``: rows are taken with SKIP LOCKED, so several may work.

Every statement that settles a delivery names the attempt it settles: a process that was believed dead and comes
back cannot overwrite what another one has found out since. Times are the database's own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool

from application.ledger import Doubt
from application.notifying import Channel, Delivery, Notice, Template

RECONCILE_AFTER = timedelta(minutes=2)
"""Far above a provider call's time-out: who was going to settle a delivery in doubt has had the time to."""

_NOTICE = "position, organization_id, about_id, stream_id, version, at"
_DELIVERY = f"id, template, channel, recipient_id, attempts, {_NOTICE}"

_TAKE_NOTICES = f"SELECT {_NOTICE} FROM deliveries.notice ORDER BY position LIMIT %s FOR UPDATE SKIP LOCKED"  # noqa: S608
_SPREAD = f"""
INSERT INTO deliveries.delivery (id, template, channel, recipient_id, {_NOTICE}, state)
SELECT *, 'intent' FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::uuid[], %s::bigint[], %s::uuid[], %s::uuid[],
    %s::uuid[], %s::int[], %s::timestamptz[])
ON CONFLICT DO NOTHING
"""  # noqa: S608
_DROP_NOTICES = "DELETE FROM deliveries.notice WHERE position = ANY(%s)"
_TAKE = f"""
SELECT {_DELIVERY} FROM deliveries.delivery WHERE state = 'intent' AND due_at <= now()
ORDER BY due_at, position LIMIT %s FOR UPDATE SKIP LOCKED
"""  # noqa: S608
_DOUBT = """
UPDATE deliveries.delivery SET state = 'in_doubt', reason = NULL, attempts = attempts + 1,
    attempted_at = clock_timestamp(), changed_at = clock_timestamp(), due_at = clock_timestamp() + %s
WHERE id = ANY(%s)
"""
_SKIP = """
UPDATE deliveries.delivery SET state = 'skipped', reason = %s, changed_at = clock_timestamp() WHERE id = %s
"""
_TAKE_DOUBTS = f"""
UPDATE deliveries.delivery SET due_at = now() + %s
WHERE id IN (
    SELECT id FROM deliveries.delivery WHERE state = 'in_doubt' AND due_at <= now()
    ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING {_DELIVERY}, attempted_at, now() - attempted_at AS age
"""  # noqa: S608
_SETTLE = """
UPDATE deliveries.delivery SET state = %s, reason = %s, provider_id = %s, changed_at = clock_timestamp(),
    due_at = clock_timestamp() + %s
WHERE id = %s AND state = 'in_doubt' AND attempts = %s
"""


@dataclass(slots=True)
class TakenNotices:
    """The ledger's ``FanOut``."""

    cursor: Cursor[DictRow]
    notices: Sequence[Notice]

    def spread(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            of = [delivery.notice for delivery in deliveries]
            columns: tuple[Sequence[object], ...] = (
                [delivery.id for delivery in deliveries],
                [str(delivery.template) for delivery in deliveries],
                [str(delivery.channel) for delivery in deliveries],
                [delivery.recipient_id for delivery in deliveries],
                [notice.position for notice in of],
                [notice.organization_id for notice in of],
                [notice.about_id for notice in of],
                [notice.stream_id for notice in of],
                [notice.version for notice in of],
                [notice.at for notice in of],
            )
            self.cursor.execute(_SPREAD, columns)
        self.cursor.execute(_DROP_NOTICES, ([notice.position for notice in self.notices],))


@dataclass(slots=True)
class TakenDeliveries:
    """The ledger's ``Taking``."""

    cursor: Cursor[DictRow]
    deliveries: Sequence[Delivery]
    reconcile_after: timedelta

    def doubt(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        if deliveries:
            self.cursor.execute(_DOUBT, (self.reconcile_after, [delivery.id for delivery in deliveries]))
        return [replace(delivery, attempt=delivery.attempt + 1) for delivery in deliveries]

    def skip(self, delivery: Delivery, reason: str) -> None:
        self.cursor.execute(_SKIP, (reason, delivery.id))


@dataclass(slots=True)
class PostgresLedger:
    """``reconcile_after``: how long a delivery is in doubt before someone asks its provider. Thread-safe."""

    pool: ConnectionPool[Connection[Any]]
    reconcile_after: timedelta = field(default=RECONCILE_AFTER)

    @contextmanager
    def fan_out(self, limit: int) -> Iterator[TakenNotices]:
        with self._cursor() as cursor:
            rows = cursor.execute(_TAKE_NOTICES, (limit,)).fetchall()
            yield TakenNotices(cursor, [_notice(row) for row in rows])

    @contextmanager
    def take(self, limit: int) -> Iterator[TakenDeliveries]:
        with self._cursor() as cursor:
            rows = cursor.execute(_TAKE, (limit,)).fetchall()
            yield TakenDeliveries(cursor, [_delivery(row) for row in rows], self.reconcile_after)

    def doubts(self, limit: int) -> Sequence[Doubt]:
        with self._cursor() as cursor:
            rows = cursor.execute(_TAKE_DOUBTS, (self.reconcile_after, limit)).fetchall()
        return [Doubt(_delivery(row), row["attempted_at"], row["age"]) for row in rows]

    def sent(self, delivery: Delivery, provider_id: str) -> None:
        self._settle(delivery, "sent", None, provider_id)

    def failed(self, delivery: Delivery, reason: str) -> None:
        self._settle(delivery, "failed", reason)

    def again(self, delivery: Delivery, reason: str, after: timedelta) -> None:
        self._settle(delivery, "intent", reason, after=after)

    def ask_later(self, delivery: Delivery, reason: str, after: timedelta) -> None:
        self._settle(delivery, "in_doubt", reason, after=after)

    def park(self, delivery: Delivery, reason: str) -> None:
        self._settle(delivery, "unknown", reason)

    def _settle(
        self,
        delivery: Delivery,
        state: str,
        reason: str | None,
        provider_id: str | None = None,
        after: timedelta = timedelta(),
    ) -> None:
        with self._cursor() as cursor:
            cursor.execute(_SETTLE, (state, reason, provider_id, after, delivery.id, delivery.attempt))

    @contextmanager
    def _cursor(self) -> Iterator[Cursor[DictRow]]:
        with (
            self.pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            yield cursor


def _notice(row: DictRow) -> Notice:
    return Notice(
        position=row["position"],
        organization_id=row["organization_id"],
        about_id=row["about_id"],
        stream_id=row["stream_id"],
        version=row["version"],
        at=row["at"],
    )


def _delivery(row: DictRow) -> Delivery:
    return Delivery(
        id=row["id"],
        notice=_notice(row),
        template=Template(row["template"]),
        channel=Channel(row["channel"]),
        recipient_id=row["recipient_id"],
        attempt=row["attempts"],
    )
