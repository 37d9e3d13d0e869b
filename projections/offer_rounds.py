"""Where the waitlist's keeper has to look: a row for each organization of which somebody has ever waited.

Not a read model: the keeper writes in it how far it has looked. ``position`` is that of the latest fact by which time
may have become free that nobody gave back.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID
from zlib import crc32

from psycopg import AsyncConnection, Cursor
from psycopg_pool import AsyncConnectionPool

from application.journal import Recorded
from domain.appointment import (
    AppointmentCancelled,
    AppointmentHoldLapsed,
    AppointmentReleased,
    AppointmentRescheduled,
)
from domain.location import HolidaysSet
from domain.pool import PoolChanged
from domain.resource import (
    ResourceAdded,
    ResourceReinstated,
    ResourceReopened,
    ResourceRetiredFrom,
    WorkingHoursSet,
)
from domain.service import ServiceTermsChanged
from domain.waitlist import WaitlistDeclined, WaitlistJoined, WaitlistOfferLapsed

RETRY = timedelta(milliseconds=250)
CANDIDATES = 32

FREEING = (
    WorkingHoursSet
    | ResourceAdded
    | ResourceReopened
    | ResourceReinstated
    | ResourceRetiredFrom  # later than before, perhaps
    | HolidaysSet
    | PoolChanged
    | ServiceTermsChanged
    # Who gave it back is here no more, and may have reached no limit any more: other time than the visit's may do.
    | AppointmentCancelled
    | AppointmentHoldLapsed
    | AppointmentReleased
    | AppointmentRescheduled
    # Who waits again may have missed something in the meantime.
    | WaitlistDeclined
    | WaitlistOfferLapsed
)

_DUE = """
(position > looked OR due_at <= coalesce(%s, clock_timestamp()))
 AND (retry_at IS NULL OR retry_at <= clock_timestamp())
"""
_LOCK = crc32(b"daybook offer rounds") % 2**31


class OfferRounds:
    """The sink."""

    NAME: ClassVar[str] = "offer_rounds"
    FACTS: ClassVar = WaitlistJoined | FREEING
    DURABLE: ClassVar[bool] = True
    TABLES: ClassVar[str] = ""
    """A migration makes them."""

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        joined = _latest([one for one in batch if isinstance(one.fact, WaitlistJoined)])
        freed = _latest([one for one in batch if isinstance(one.fact, FREEING)])
        if joined:
            cursor.execute(
                "INSERT INTO round (organization_id, position) SELECT * FROM unnest(%s::uuid[], %s::bigint[])"
                " ON CONFLICT (organization_id) DO UPDATE SET position = greatest(round.position, excluded.position)",
                (list(joined), list(joined.values())),
            )
        if freed:
            cursor.execute(
                "UPDATE round SET position = greatest(round.position, freed.position)"
                " FROM unnest(%s::uuid[], %s::bigint[]) AS freed (organization_id, position)"
                " WHERE round.organization_id = freed.organization_id",
                (list(freed), list(freed.values())),
            )

    def after_commit(self, batch: Sequence[Recorded]) -> None:
        """The keeper finds rounds by itself."""


def _latest(recorded: Sequence[Recorded]) -> dict[UUID, int]:
    return {one.provenance.organization_id: one.position for one in recorded}


@dataclass(slots=True)
class TakenRound:
    """A round that is ours alone until the block ends. Neither done nor put off, it is due again."""

    organization_id: UUID
    position: int
    connection: AsyncConnection[Any]
    now: datetime | None = None
    """When it was taken as due; None: by the database's clock."""

    async def done(self, next_at: datetime | None) -> None:
        """All up to its position was looked into; ``next_at``: look again then, whatever happens.

        Where that has come already, the clock that decides is behind this one: a pause, or it would be made for ever.
        """
        await self.connection.execute(
            "UPDATE offer_rounds.round SET looked = greatest(looked, %(position)s), due_at = %(next_at)s,"
            " retry_at = CASE WHEN %(next_at)s::timestamptz <= coalesce(%(now)s, clock_timestamp())"
            " THEN clock_timestamp() + %(pause)s END WHERE organization_id = %(organization_id)s",
            {
                "position": self.position,
                "next_at": next_at,
                "now": self.now,
                "pause": RETRY,
                "organization_id": self.organization_id,
            },
        )

    async def put_off(self) -> None:
        await self.connection.execute(
            "UPDATE offer_rounds.round SET retry_at = clock_timestamp() + %s WHERE organization_id = %s",
            (RETRY, self.organization_id),
        )


@dataclass(slots=True)
class DueRounds:
    """The keeper's end. Several processes may take: none waits for another, and no two get the same round."""

    pool: AsyncConnectionPool[AsyncConnection[Any]]

    @asynccontextmanager
    async def take(self, now: datetime | None = None) -> AsyncIterator[TakenRound | None]:
        """One that is due at ``now`` (None: by the database's clock), None if there is none.

        The row itself is not locked while its round is made: new facts may set it on.
        """
        async with self.pool.connection() as connection, connection.transaction():
            yield await _one_of_ours(connection, now)


async def _one_of_ours(connection: AsyncConnection[Any], now: datetime | None) -> TakenRound | None:
    due = await connection.execute(
        f"SELECT organization_id FROM offer_rounds.round WHERE {_DUE}"  # noqa: S608  a constant of this module
        " ORDER BY retry_at NULLS FIRST, position LIMIT %s",
        (now, CANDIDATES),
    )
    for (organization_id,) in await due.fetchall():
        locked = await connection.execute(
            "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s::text))", (_LOCK, organization_id)
        )
        is_ours = await locked.fetchone()
        if not is_ours or not is_ours[0]:
            continue
        # Now that it is ours: another process may have done it since the first look.
        row = await connection.execute(
            f"SELECT position FROM offer_rounds.round WHERE organization_id = %s AND {_DUE}",  # noqa: S608
            (organization_id, now),
        )
        still = await row.fetchone()
        if still:
            return TakenRound(organization_id, still[0], connection, now)
    return None
