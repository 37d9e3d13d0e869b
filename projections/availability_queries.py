"""Reads ``projections.availability`` for the API: the ports ``Offers`` and ``MaskSource``."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from application.feed import partition_of
from application.masks import Block, BlockKey
from application.slots import Offer
from domain.allocation import Choice
from domain.open_hours import OpenDays
from projections.availability_rows import RESOURCE_STATE, SERVICE_STATE

RESOURCES_KEPT_MAX = 2_000
"""States of resources that this process keeps, each with the open hours that were worked out for it."""

# One statement, so one snapshot: the position is that of the rules.
_OFFER = """
SELECT (SELECT position FROM availability.checkpoint WHERE partition = %(partition)s),
       service.state::text, candidate.ids, candidate.kinds, candidate.positions
  FROM availability.service CROSS JOIN LATERAL (
       SELECT array_agg(resource_id ORDER BY listing.position) AS ids,
              array_agg(listing.kind ORDER BY listing.position) AS kinds,
              array_agg(resource.position ORDER BY listing.position) AS positions
         FROM availability.listing JOIN availability.resource USING (resource_id)
        WHERE listing.organization_id = %(organization_id)s
          AND (listing.kind = ANY(service.kinds) OR listing.resource_id = ANY(service.resource_ids))
       ) AS candidate
 WHERE service.service_id = %(service_id)s AND service.organization_id = %(organization_id)s
"""


class AvailabilityQueries:
    """One for each API process. What it keeps in memory is only ever used at the position that PostgreSQL names."""

    def __init__(self, pool: AsyncConnectionPool, partitions: int) -> None:
        self._pool = pool
        self._partitions = partitions
        self._kept: dict[UUID, tuple[int, OpenDays]] = {}

    async def offer(self, organization_id: UUID, service_id: UUID) -> Offer | None:
        wanted = {
            "partition": partition_of(organization_id, self._partitions),
            "organization_id": organization_id,
            "service_id": service_id,
        }
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_OFFER, wanted)).fetchone()
            if row is None:
                return None
            position, state, ids, kinds, positions = row
            ids, kinds, positions = ids or (), kinds or (), positions or ()
            days = await self._open_days(connection, dict(zip(ids, positions, strict=True)))
        service = SERVICE_STATE.decode(state)
        choices = [
            Choice(
                tuple(
                    days[resource_id]
                    for resource_id, kind in zip(ids, kinds, strict=True)
                    if requirement.kind == kind or requirement.resource_id == resource_id
                )
            )
            for requirement in service.terms.requirements
        ]
        return Offer(service, choices, position or 0)

    async def versions(self, resource_ids: Sequence[UUID], first: int, last: int) -> Mapping[BlockKey, int]:
        async with self._pool.connection() as connection:
            # Ordinals instead of ids in the answer: reading a thousand UUIDs costs more than all the rest.
            cursor = await connection.execute(
                "SELECT ordinal::int, number, position"
                "  FROM unnest(%s::uuid[]) WITH ORDINALITY AS wanted (resource_id, ordinal)"
                "  JOIN availability.block USING (resource_id) WHERE number BETWEEN %s AND %s",
                (list(resource_ids), first, last),
                binary=True,
            )
            rows = await cursor.fetchall()
        return {BlockKey(resource_ids[ordinal - 1], number): position for ordinal, number, position in rows}

    async def read(self, keys: Sequence[BlockKey]) -> Mapping[BlockKey, Block]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT ordinal::int, position, planes"
                "  FROM unnest(%s::uuid[], %s::int[]) WITH ORDINALITY AS wanted (resource_id, number, ordinal)"
                "  JOIN availability.block USING (resource_id, number)",
                ([key.resource_id for key in keys], [key.number for key in keys]),
                binary=True,
            )
            rows = await cursor.fetchall()
        return {keys[ordinal - 1]: Block(position, planes) for ordinal, position, planes in rows}

    async def _open_days(self, connection: AsyncConnection, positions: Mapping[UUID, int]) -> Mapping[UUID, OpenDays]:
        stale = [key for key, position in positions.items() if self._kept.get(key, (0, None))[0] < position]
        found = {key: kept for key in positions if (kept := self._kept.get(key))}
        if stale:
            found.update(await _resources(connection, stale))
        for key, kept in found.items():
            self._kept.pop(key, None)  # the most recently used are last
            self._kept[key] = kept
        for key in list(self._kept)[: max(0, len(self._kept) - RESOURCES_KEPT_MAX)]:
            del self._kept[key]
        return {key: open_days for key, (_, open_days) in found.items()}


async def _resources(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, tuple[int, OpenDays]]:
    cursor = await connection.execute(
        "SELECT resource_id, position, state::text FROM availability.resource WHERE resource_id = ANY(%s)",
        (list(ids),),
    )
    return {key: (position, OpenDays(RESOURCE_STATE.decode(state))) for key, position, state in await cursor.fetchall()}
