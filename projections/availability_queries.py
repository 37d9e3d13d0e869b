"""Reads ``projections.availability`` for the API: the ports ``Offers`` and ``MaskSource``."""

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from application.feed import partition_of
from application.masks import Block, BlockKey, Stamp
from application.occupancy import Running
from application.slots import Offer
from domain.allocation import Choice, in_turn
from domain.availability import minutes_in_block
from domain.bit_planes import packed, subtract, unpacked
from domain.interval import Interval
from domain.open_hours import OpenDays
from domain.pool import Pool, Strategy
from domain.possible_starts import BLOCK_MIN
from domain.service import Requirement
from projections.availability_rows import SESSION_STATE
from projections.availability_rules import LOCATION_STATE, POOL_STATE, RESOURCE_STATE, SERVICE_STATE
from projections.reads import WalledReads

RESOURCES_KEPT_MAX = 2_000
"""States of resources that this process keeps, each with the open hours that were worked out for it."""
OFFERS_KEPT_MAX = 1_000
IDS_KEPT_MAX = 256

# One statement, so one snapshot: the position is that of the rules. A resource is as of the later of its own last
# fact and its location's. Its kind is told by its place among the service's kinds, so that all of it is a few bytes.
_OFFER = """
SELECT (SELECT position FROM availability.checkpoint WHERE partition = %(partition)s),
       (SELECT time_zone FROM availability.organization WHERE organization_id = %(organization_id)s),
       service.state::text, service.kinds, pools.states, pools.lasts, candidate.stamps
  FROM availability.service CROSS JOIN LATERAL (
       SELECT array_agg(state::text ORDER BY pool_id) AS states, array_agg(last ORDER BY pool_id) AS lasts
         FROM availability.pool LEFT JOIN availability.turn USING (pool_id)
        WHERE pool_id = ANY(service.pool_ids) AND organization_id = %(organization_id)s
       ) AS pools CROSS JOIN LATERAL (
       SELECT string_agg(uuid_send(resource_id) || int8send(greatest(resource.position, location.position))
                         || int4send(coalesce(array_position(service.kinds, listing.kind), 0)),
                         '' ORDER BY listing.position) AS stamps
         FROM availability.listing JOIN availability.resource USING (resource_id)
         LEFT JOIN availability.location USING (location_id)
        WHERE listing.organization_id = %(organization_id)s
          AND (listing.kind = ANY(service.kinds) OR listing.resource_id = ANY(service.resource_ids)
               OR listing.resource_id IN (SELECT unnest(resource_ids) FROM availability.pool
                                           WHERE pool_id = ANY(service.pool_ids)))
       ) AS candidate
 WHERE service.service_id = %(service_id)s AND service.organization_id = %(organization_id)s
"""
_CANDIDATE = struct.Struct(">16sqi")

_STAMPS = """
WITH overdue AS MATERIALIZED (
     SELECT resource_id FROM availability.claim WHERE until <= %(now)s AND resource_id = ANY(%(ids)s::uuid[]))
SELECT stamp, resource_id IN (SELECT resource_id FROM overdue)
  FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS wanted (resource_id, ordinal) CROSS JOIN LATERAL (
       SELECT coalesce(string_agg(int4send(number) || int8send(position), '' ORDER BY number), '') AS stamp
         FROM availability.block
        WHERE block.resource_id = wanted.resource_id AND number BETWEEN %(first)s AND %(last)s) AS its
 ORDER BY ordinal
"""

_WITHOUT_OVERDUE = """
WITH overdue AS MATERIALIZED (
     SELECT resource_id, array_agg("start") AS starts, array_agg("end") AS ends, array_agg(quantity) AS quantities
       FROM availability.claim WHERE until <= %(now)s AND resource_id = ANY(%(ids)s::uuid[]) GROUP BY resource_id)
SELECT resource_id, number, planes, starts, ends, quantities
  FROM availability.block LEFT JOIN overdue USING (resource_id)
 WHERE resource_id = ANY(%(ids)s::uuid[]) AND number BETWEEN %(first)s AND %(last)s
"""


class AvailabilityQueries:
    """One for each API process. What it keeps in memory is only ever used at the position that PostgreSQL names."""

    def __init__(self, reads: WalledReads, partitions: int) -> None:
        self._reads = reads
        self._partitions = partitions
        self._kept: dict[UUID, tuple[int, OpenDays]] = {}
        self._offers: dict[UUID, tuple[Sequence[object], Offer]] = {}

    async def offer(self, organization_id: UUID, service_id: UUID) -> Offer | None:
        wanted = {
            "partition": partition_of(organization_id, self._partitions),
            "organization_id": organization_id,
            "service_id": service_id,
        }
        async with self._reads.of(organization_id).connection() as connection:
            row = await (await connection.execute(_OFFER, wanted, binary=True)).fetchone()
            if row is None:
                return None
            position, *rules = row
            known, offer = self._offers.pop(service_id, ((), None))
            if offer is None or known != rules:
                offer = await self._offer(connection, *rules)
        self._offers[service_id] = rules, offer  # the most recently used are last
        for key in list(self._offers)[: max(0, len(self._offers) - OFFERS_KEPT_MAX)]:
            del self._offers[key]
        return replace(offer, position=position or 0)

    async def sessions(self, service_id: UUID, start: datetime, end: datetime) -> Sequence[Running]:
        async with self._reads.connection() as connection:
            cursor = await connection.execute(
                'SELECT state::text FROM availability.session WHERE service_id = %s AND "start" >= %s AND "start" < %s',
                (service_id, start, end),
            )
            sessions = [SESSION_STATE.decode(state) for (state,) in await cursor.fetchall()]
            taken = {allotment.resource_id for session in sessions for allotment in session.allotments}
            cursor = await connection.execute(
                "SELECT resource_id, greatest(resource.position, location.position) FROM availability.resource"
                "  LEFT JOIN availability.location USING (location_id) WHERE resource_id = ANY(%s)",
                (list(taken),),
            )
            days = await self._open_days(connection, dict(await cursor.fetchall()))
        return [
            Running(session, tuple(days[allotment.resource_id].resource for allotment in session.allotments))
            for session in sessions
        ]

    async def counted(self, service_id: UUID, start: datetime, end: datetime, now: datetime) -> Sequence[datetime]:
        async with self._reads.connection() as connection:
            cursor = await connection.execute(
                'SELECT DISTINCT appointment_id, "start" FROM availability.visit'
                ' WHERE service_id = %s AND "start" >= %s AND "start" < %s AND (until IS NULL OR until > %s)',
                (service_id, start, end, now),
            )
            return [start for _, start in await cursor.fetchall()]

    async def versions(
        self, resource_ids: Sequence[UUID], first: int, last: int, now: datetime
    ) -> Sequence[Stamp | Sequence[bytes]]:
        wanted = {"ids": _array_of(tuple(resource_ids)), "first": first, "last": last, "now": now}
        async with self._reads.connection() as connection:
            rows = await (await connection.execute(_STAMPS, wanted, binary=True)).fetchall()
            overdue = [resource_id for resource_id, (_, is_one) in zip(resource_ids, rows, strict=True) if is_one]
            if not overdue:
                return [stamp for stamp, _ in rows]
            wanted["ids"] = _array_of(tuple(overdue))
            blocks = await (await connection.execute(_WITHOUT_OVERDUE, wanted, binary=True)).fetchall()
        planes = {resource_id: [b""] * (last - first + 1) for resource_id in overdue}
        for resource_id, number, claimed, *gone in blocks:
            planes[resource_id][number - first] = _without(number, claimed, gone) if gone[0] else claimed
        return [planes[key] if key in planes else row[0] for key, row in zip(resource_ids, rows, strict=True)]

    async def read(self, keys: Sequence[BlockKey]) -> Mapping[BlockKey, Block]:
        async with self._reads.connection() as connection:
            cursor = await connection.execute(
                "SELECT ordinal::int, position, planes"
                "  FROM unnest(%s::uuid[], %s::int[]) WITH ORDINALITY AS wanted (resource_id, number, ordinal)"
                "  JOIN availability.block USING (resource_id, number)",
                ([key.resource_id for key in keys], [key.number for key in keys]),
                binary=True,
            )
            rows = await cursor.fetchall()
        return {keys[ordinal - 1]: Block(position, planes) for ordinal, position, planes in rows}

    async def _offer(
        self,
        connection: AsyncConnection,
        time_zone: str | None,
        state: str,
        kinds: Sequence[str],
        states: Sequence[str] | None,
        lasts: Sequence[UUID | None] | None,
        stamps: bytes | None,
    ) -> Offer:
        listed = [(UUID(bytes=key), position, kind) for key, position, kind in _CANDIDATE.iter_unpack(stamps or b"")]
        days = await self._open_days(connection, {key: position for key, position, _ in listed})
        service = SERVICE_STATE.decode(state)
        pools = [POOL_STATE.decode(one) for one in states or ()]
        turns = {pool.id: (pool, last) for pool, last in zip(pools, lasts or (), strict=True)}
        kind_of = {key: kinds[kind - 1] if kind else None for key, _, kind in listed}
        choices = [_choice(need, kind_of, turns, days) for need in service.terms.requirements]
        return Offer(service, choices, 0, time_zone or "UTC")

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


def _choice(
    need: Requirement,
    kind_of: Mapping[UUID, str | None],
    turns: Mapping[UUID, tuple[Pool, UUID | None]],
    days: Mapping[UUID, OpenDays],
) -> Choice[OpenDays]:
    """Who suits a requirement, in the order in which a booking looks at them.

    ``kind_of`` is in order of listing; None of a resource that was not listed for its kind.
    """
    if need.pool_id is None:
        found = (one for one, kind in kind_of.items() if one == need.resource_id or (kind and kind == need.kind))
        return Choice(tuple(days[one] for one in found))
    if need.pool_id not in turns:
        return Choice(())
    pool, last = turns[need.pool_id]
    listed = in_turn(pool.resource_ids, last) if pool.strategy is Strategy.ROUND_ROBIN else pool.resource_ids
    return Choice(tuple(days[one] for one in listed if one in days), pool.strategy, pool.id)


@lru_cache(maxsize=IDS_KEPT_MAX)
def _array_of(ids: tuple[UUID, ...]) -> str:
    """A uuid[] in PostgreSQL's own words: to write hundreds of them costs more than all the rest of a query."""
    return "{" + ",".join(map(str, ids)) + "}"


def _without(number: int, planes: bytes, overdue: Sequence[Any]) -> bytes:
    """The planes of a block without the claims of its resource that are past their deadline."""
    left = unpacked(planes, BLOCK_MIN)
    for start, end, quantity in zip(*overdue, strict=True):
        left = subtract(left, minutes_in_block(number, Interval(start, end)), quantity)
    return packed(left, BLOCK_MIN)


async def _resources(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, tuple[int, OpenDays]]:
    cursor = await connection.execute(
        "SELECT resource_id, greatest(resource.position, location.position), resource.state::text, location.state::text"
        "  FROM availability.resource LEFT JOIN availability.location USING (location_id)"
        " WHERE resource_id = ANY(%s)",
        (list(ids),),
    )
    return {
        key: (
            position,
            OpenDays(RESOURCE_STATE.decode(state).observing(LOCATION_STATE.decode(place) if place else None)),
        )
        for key, position, state, place in await cursor.fetchall()
    }
