"""How far the read models are behind the journal: in facts, and in the age of the oldest that is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool

from adapters.progress import checkpoints
from application.feed import partition_of

LOOKS_BACK_FACTS = 5_000
"""A sink that is further behind is only said to be at least so far behind."""

_SINCE = (
    "SELECT notification_id, convert_from(state, 'UTF8')::json #>> '{meta,org}',"
    " convert_from(state, 'UTF8')::json #>> '{meta,at}'"
    " FROM stored_events WHERE notification_id > %s ORDER BY notification_id"
)


@dataclass(frozen=True, slots=True)
class Lag:
    """``oldest_at``: when the oldest missing fact was decided, on the clock of the bookings; None: none is missing."""

    facts: int = 0
    oldest_at: datetime | None = None


@dataclass(slots=True)
class ProjectionLag:
    """A checkpoint rests on the last fact of its partition, so its distance from the journal's head says nothing:
    the facts in between are looked at, each once.
    """

    pool: AsyncConnectionPool[Any]
    sinks: Sequence[str]
    partitions: int
    _complete: dict[str, tuple[int, dict[int, int]]] = field(default_factory=dict)
    """By sink: a position up to which it was seen to miss nothing, and its checkpoints then."""

    async def measure(self) -> dict[str, Lag]:
        """By sink, those that were built. Raises psycopg's errors."""
        async with self.pool.connection() as connection:
            # In this order: what is written in between counts as missing for a moment, never the reverse.
            reached = await checkpoints(connection, self.sinks)
            head = await _head(connection)
            after = {sink: self._complete_through(sink, positions) for sink, positions in reached.items()}
            looks_back_to = max(min(after.values(), default=head), head - LOOKS_BACK_FACTS)
            facts = [
                (position, partition_of(UUID(organization), self.partitions), at)
                for position, organization, at in await (await connection.execute(_SINCE, (looks_back_to,))).fetchall()
            ]
        lags: dict[str, Lag] = {}
        for sink, positions in reached.items():
            missing = [fact for fact in facts if fact[0] > positions.get(fact[1], 0)]
            lags[sink] = Lag(len(missing), datetime.fromisoformat(missing[0][2]).astimezone(UTC)) if missing else Lag()
            if not missing:
                self._complete[sink] = (max(facts[-1][0] if facts else 0, after[sink], head), positions)
        return lags

    def _complete_through(self, sink: str, positions: dict[int, int]) -> int:
        lowest = min(positions.values(), default=0)
        complete_through, then = self._complete.get(sink, (0, {}))
        # A crash may take the newest commits of a read model back: what was complete then is not now.
        went_back = any(positions.get(partition, 0) < position for partition, position in then.items())
        return lowest if went_back else max(lowest, complete_through)


async def _head(connection: psycopg.AsyncConnection[Any]) -> int:
    row = await (await connection.execute("SELECT max(notification_id) FROM stored_events")).fetchone()
    return row[0] or 0 if row else 0
