"""What changed, by topic and position: written with a read model's rows, read by the sockets."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from application.feed import partition_of
from application.hints import Hints
from projections.reads import Reads
from projections.table import Table

RETAINED_FOR = timedelta(days=30)

_CHANGE = Table(
    "change",
    {
        "partition": "integer NOT NULL",
        "position": "bigint NOT NULL",
        "organization_id": "uuid NOT NULL",
        "topic": "text NOT NULL",
        "at": "timestamptz NOT NULL",
        "data": "jsonb NOT NULL",
    },
    key=("topic", "position"),
)

TABLES = f"""
{_CHANGE.ddl}
CREATE INDEX change_by_age ON change (partition, at);
CREATE TABLE pruned (
    partition int PRIMARY KEY,
    position bigint NOT NULL,   -- the highest position of a change that is no longer held, 0: none is missing
    latest timestamptz NOT NULL -- the time of the latest change, from which age is counted
);
"""
"""To be made part of the ``TABLES`` of each read model that sockets follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the fact at ``position`` made of something on ``topic``. ``data`` is JSON without personal data."""

    position: int
    organization_id: UUID
    topic: str
    at: datetime
    data: bytes


class ChangeLog:
    """The writing end, one per read model: ``record`` with the rows, ``announce`` after the commit."""

    def __init__(self, partitions: int, hints: Hints | None = None) -> None:
        self._partitions = partitions
        self._hints = hints
        self._unannounced: Sequence[Change] = ()

    def record(self, cursor: Cursor[Any], changes: Sequence[Change]) -> None:
        """Keep a batch's changes, at most one per topic and position, and forget those that are too old.

        Age is counted from the latest change of the partition, never from a clock, so that a replay
        keeps and forgets the same. Call it for every batch, also with nothing: what an earlier batch
        left unannounced was then rolled back.
        """
        self._unannounced = changes
        if not changes:
            return
        rows = []
        latest: dict[int, datetime] = {}
        for change in changes:
            partition = partition_of(change.organization_id, self._partitions)
            latest[partition] = max(latest.get(partition, change.at), change.at)
            rows.append(
                (
                    partition,
                    change.position,
                    change.organization_id,
                    change.topic,
                    change.at,
                    msgspec.Raw(change.data),
                )
            )
        _CHANGE.insert(cursor, rows)
        _prune(cursor, latest)

    def announce(self) -> None:
        """Publish hints of what was recorded last; for ``after_commit``."""
        changes, self._unannounced = self._unannounced, ()
        if self._hints is None:
            return
        by_organization: defaultdict[UUID, list[Change]] = defaultdict(list)
        for change in changes:
            by_organization[change.organization_id].append(change)
        for organization_id, its in by_organization.items():
            topics = sorted({change.topic for change in its})
            self._hints.publish(organization_id, topics, max(change.position for change in its))


def _prune(cursor: Cursor[Any], latest: Mapping[int, datetime]) -> None:
    partitions, times = list(latest), list(latest.values())
    cursor.execute(
        "INSERT INTO pruned SELECT partition, 0, latest"
        " FROM unnest(%s::int[], %s::timestamptz[]) AS new (partition, latest)"
        " ON CONFLICT (partition) DO UPDATE SET latest = greatest(pruned.latest, excluded.latest)",
        (partitions, times),
        prepare=True,
    )
    # Only these partitions: another process may be writing the others.
    cursor.execute(
        "WITH gone AS (DELETE FROM change USING pruned"
        "  WHERE pruned.partition = ANY(%s) AND change.partition = pruned.partition"
        "  AND change.at < pruned.latest - make_interval(secs => %s)"
        "  RETURNING change.partition, change.position),"
        " highest AS (SELECT partition, max(position) AS position FROM gone GROUP BY partition)"
        " UPDATE pruned SET position = greatest(pruned.position, highest.position)"
        " FROM highest WHERE pruned.partition = highest.partition",
        (partitions, RETAINED_FOR.total_seconds()),
        prepare=True,
    )


async def since(pool: Reads, schema: str, topics: Mapping[str, int], limit: int) -> list[Change]:
    """The changes of each topic after its given position, in position order, the first ``limit`` of each topic.

    A topic that is answered with ``limit`` changes may have more. Whether history was held that far
    back is to be asked of ``pruned_through`` AFTER this call: pruning in between is then noticed.
    """
    statement = SQL(
        "SELECT change.position, change.organization_id, change.topic, change.at, change.data::text"
        " FROM unnest(%s::text[], %s::bigint[]) AS wanted (topic, after) CROSS JOIN LATERAL"
        "  (SELECT * FROM {} WHERE topic = wanted.topic AND position > wanted.after ORDER BY position LIMIT %s)"
        "  AS change ORDER BY change.position, change.topic"
    ).format(Identifier(schema, "change"))
    async with pool.connection() as connection:
        rows = await connection.execute(statement, (list(topics), list(topics.values()), limit))
        return [
            Change(position=position, organization_id=organization_id, topic=topic, at=at, data=data.encode())
            async for position, organization_id, topic, at, data in rows
        ]


async def pruned_through(pool: Reads, schema: str, partition: int) -> int:
    """Changes up to this position may be missing: who has seen less must read again over HTTP. 0: all are held."""
    statement = SQL("SELECT position FROM {} WHERE partition = %s").format(Identifier(schema, "pruned"))
    async with pool.connection() as connection:
        row = await (await connection.execute(statement, (partition,))).fetchone()
        return row[0] if row else 0
