"""Reads ``projections.availability`` for the API: the ports ``Offers`` and ``MaskSource``."""

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from application.decision import Stream
from application.feed import partition_of
from application.lru import Lru
from application.masks import Block, BlockKey, Stamp
from application.occupancy import Running
from application.slots import Offer
from application.stream_size import bytes_of
from domain.allocation import Choice, in_turn
from domain.availability import minutes_in_block
from domain.bit_planes import packed, subtract, unpacked
from domain.interval import Interval
from domain.open_hours import DAYS_KEPT_MAX, KEPT_DAY_BYTES, OpenDays
from domain.pool import POOL_MAX, Pool, Strategy
from domain.possible_starts import BLOCK_MIN
from domain.service import Requirement
from projections.availability_rows import SESSION_STATE
from projections.availability_rules import LOCATION_STATE, POOL_STATE, RESOURCE_STATE, SERVICE_STATE
from projections.reads import WalledReads

KEPT_BYTES_MAX = 16 * 2**20
"""Unless it is told otherwise: the rules of some 400 resources, and as many services."""
RULES_SHARE = 3 / 4
ARRAYS_KEPT_MAX = 64
ARRAY_BYTES = 150 * POOL_MAX
"""What one takes that has all of the largest pool, with the ids that it was made of."""

OFFER_BYTES, CANDIDATE_BYTES, HOLIDAY_BYTES = 1_200, 8, 100

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


class Rules(NamedTuple):
    """A resource and when it is open, as of ``position``."""

    position: int
    open_days: OpenDays


class KnownOffer(NamedTuple):
    """What was read of a service, and what that means."""

    rows: Sequence[Any]
    offer: Offer


def bytes_of_rules(rules: Rules) -> int:
    """At most: when all days are kept that may be."""
    resource = rules.open_days.resource
    return bytes_of(Stream(0, resource)) + HOLIDAY_BYTES * len(resource.holidays) + DAYS_KEPT_MAX * KEPT_DAY_BYTES


def bytes_of_offer(known: KnownOffer) -> int:
    """Without the rules of its resources, which are kept by themselves."""
    candidates = sum(len(choice.candidates) for choice in known.offer.choices)
    texts = sum(len(one) for one in known.rows if isinstance(one, str | bytes))
    pools = sum(len(state) for state in known.rows[3] or ())
    return bytes_of(Stream(0, known.offer.service)) + OFFER_BYTES + texts + pools + CANDIDATE_BYTES * candidates


class AvailabilityQueries:
    """One for each API process. What it keeps in memory is only ever used at the position that PostgreSQL names.

    ``rules``: resources as of a position, with the open hours that were worked out. ``offers``: what rows of services
    mean.
    """

    def __init__(self, reads: WalledReads, partitions: int, *, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._reads = reads
        self._partitions = partitions
        self.rules: Lru[UUID, Rules] = Lru(round(RULES_SHARE * bytes_max), bytes_of_rules)
        self.offers: Lru[UUID, KnownOffer] = Lru(round((1 - RULES_SHARE) * bytes_max), bytes_of_offer)

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
            known = self.offers.get(service_id)
            if known is None or known.rows != rules:
                known = KnownOffer(rules, await self._offer(connection, *rules))
                self.offers.put(service_id, known)
                self.offers.trim()
        return replace(known.offer, position=position or 0)

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
        wanted = {"ids": array_of(tuple(resource_ids)), "first": first, "last": last, "now": now}
        async with self._reads.connection() as connection:
            rows = await (await connection.execute(_STAMPS, wanted, binary=True)).fetchall()
            overdue = [resource_id for resource_id, (_, is_one) in zip(resource_ids, rows, strict=True) if is_one]
            if not overdue:
                return [stamp for stamp, _ in rows]
            wanted["ids"] = array_of(tuple(overdue))
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
        known = {key: self.rules.get(key) for key in positions}
        found = {key: kept for key, kept in known.items() if kept and kept.position >= positions[key]}
        stale = positions.keys() - found.keys()
        for key, read in (await _resources(connection, stale) if stale else {}).items():
            found[key] = read
            self.rules.put(key, read)
        self.rules.trim()
        return {key: kept.open_days for key, kept in found.items()}


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


@lru_cache(maxsize=ARRAYS_KEPT_MAX)
def array_of(ids: tuple[UUID, ...]) -> str:
    """A uuid[] in PostgreSQL's own words: to write hundreds of them costs more than all the rest of a query."""
    return "{" + ",".join(map(str, ids)) + "}"


def _without(number: int, planes: bytes, overdue: Sequence[Any]) -> bytes:
    """The planes of a block without the claims of its resource that are past their deadline."""
    left = unpacked(planes, BLOCK_MIN)
    for start, end, quantity in zip(*overdue, strict=True):
        left = subtract(left, minutes_in_block(number, Interval(start, end)), quantity)
    return packed(left, BLOCK_MIN)


async def _resources(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, Rules]:
    cursor = await connection.execute(
        "SELECT resource_id, greatest(resource.position, location.position), resource.state::text, location.state::text"
        "  FROM availability.resource LEFT JOIN availability.location USING (location_id)"
        " WHERE resource_id = ANY(%s)",
        (list(ids),),
    )
    return {
        key: Rules(
            position,
            OpenDays(RESOURCE_STATE.decode(state).observing(LOCATION_STATE.decode(place) if place else None)),
        )
        for key, position, state, place in await cursor.fetchall()
    }
