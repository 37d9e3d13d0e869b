"""The changes of all read models that sockets follow, as one feed: which read model a topic lives in is known here."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg.sql import SQL, Identifier
from psycopg_pool import PoolTimeout

from application.feed import partition_of
from projections import changes
from projections.changes import Change
from projections.reads import WalledReads

SCHEMAS = {
    "resource": "resource_calendars",
    "customer": "customer_calendars",
    "service": "availability",
    "organization": "waitlist_queue",
}
"""The read model that writes a topic's changes, by the topic's first word."""


class ChangesUnavailable(Exception):  # noqa: N818
    """The read models cannot be asked just now. Nothing is lost: ask again."""


def schema_of(topic: str) -> str:
    return SCHEMAS[topic.partition(":")[0]]


@dataclass(frozen=True, slots=True)
class ChangeFeed:
    """Every call raises ``ChangesUnavailable``."""

    reads: WalledReads
    partitions: int

    async def since(self, topics: Mapping[str, int], organization_ids: Collection[UUID], limit: int) -> list[Change]:
        """The changes of each topic after its position, in order, at most ``limit`` of each; of these organizations."""
        by_schema: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for topic, position in topics.items():
            by_schema[schema_of(topic)][topic] = position
        found: list[Change] = []
        try:
            for schema, its in by_schema.items():
                found += await changes.since(self.reads.of(*organization_ids), schema, its, limit)
        except (psycopg.Error, PoolTimeout) as error:
            raise ChangesUnavailable from error
        return found

    async def applied_through(self, topic: str, organization_id: UUID) -> int:
        """Every change up to this position can be read; 0 before the read model's first fact."""
        statement = SQL("SELECT position FROM {} WHERE partition = %s").format(
            Identifier(schema_of(topic), "checkpoint")
        )
        partition = partition_of(organization_id, self.partitions)
        try:
            async with self.reads.connection() as connection:
                row = await (await connection.execute(statement, (partition,))).fetchone()
        except (psycopg.Error, PoolTimeout) as error:
            raise ChangesUnavailable from error
        return row[0] if row else 0

    async def pruned_through(self, topic: str, organization_id: UUID) -> int:
        """Changes up to this position may be missing. To be asked after what it guards was read."""
        partition = partition_of(organization_id, self.partitions)
        try:
            return await changes.pruned_through(self.reads, schema_of(topic), partition)
        except (psycopg.Error, PoolTimeout) as error:
            raise ChangesUnavailable from error
