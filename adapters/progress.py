"""The followers' progress: one connection that LISTENs to what each follower NOTIFYs in its own transaction."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psycopg
import structlog
from psycopg import sql

from application.progress import ProgressReceiver

CHANNEL = "daybook_progress"
LOOK_AGAIN_AFTER_S = 2.0
"""After so long without a word the positions are read: a dead connection is noticed, a missing table found."""
ANSWER_WITHIN_S = 5.0
RETRY_AFTER_S = (0.05, 0.1, 0.25, 0.5, 1.0)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProgressListener:
    """Tells ``receiver`` every position of ``sinks``, at once and in the order of the commits."""

    database_url: str
    sinks: Sequence[str]

    async def run(self, receiver: ProgressReceiver) -> None:
        """Listen until cancelled, reconnecting for ever."""
        failures = 0
        while True:
            try:
                async with await self._connect() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    # Only now: a commit between the two is told twice, one between the reverse order never.
                    await self._tell_positions(connection, receiver)
                    failures = 0
                    await self._tell_news(connection, receiver)
            except (psycopg.Error, TimeoutError) as error:
                receiver.lost()
                delay_s = RETRY_AFTER_S[min(failures, len(RETRY_AFTER_S) - 1)]
                failures += 1
                _log.warning("progress.lost", error=type(error).__name__, retry_after_s=delay_s)
                await asyncio.sleep(delay_s)

    async def _connect(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        return await psycopg.AsyncConnection.connect(
            self.database_url, autocommit=True, connect_timeout=3, application_name="daybook progress"
        )

    async def _tell_news(
        self, connection: psycopg.AsyncConnection[tuple[object, ...]], receiver: ProgressReceiver
    ) -> None:
        while True:
            # One generator for a burst: what arrives while none is running waits in the connection's backlog.
            async for notice in connection.notifies(timeout=LOOK_AGAIN_AFTER_S):
                # A malformed payload is not ours and moves nothing.
                with suppress(ValueError):
                    sink, partition, position = notice.payload.split()
                    receiver.moved(sink, int(partition), int(position))
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._tell_positions(connection, receiver)

    async def _tell_positions(
        self, connection: psycopg.AsyncConnection[tuple[object, ...]], receiver: ProgressReceiver
    ) -> None:
        for sink, positions in (await checkpoints(connection, self.sinks)).items():
            for partition, position in positions.items():
                receiver.moved(sink, partition, position)


async def checkpoints(
    connection: psycopg.AsyncConnection[tuple[object, ...]], sinks: Sequence[str]
) -> dict[str, dict[int, int]]:
    """The position of each sink on each partition, from one snapshot; a sink that was never built is left out."""
    built = await (
        await connection.execute(
            "SELECT table_schema FROM information_schema.tables"
            " WHERE table_name = 'checkpoint' AND table_schema = ANY(%s)",
            [list(sinks)],
        )
    ).fetchall()
    if not built:
        return {}
    query = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {}::text, partition, position FROM {}").format(
            sql.Literal(sink), sql.Identifier(str(sink), "checkpoint")
        )
        for (sink,) in built
    )
    found: dict[str, dict[int, int]] = {str(sink): {} for (sink,) in built}
    for sink, partition, position in await (await connection.execute(query)).fetchall():
        found[str(sink)][int(str(partition))] = int(str(position))
    return found
