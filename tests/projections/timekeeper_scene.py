"""A timekeeper beside a front desk: what one process does, with the desk's time as the writer's clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

import msgspec
import psycopg
from psycopg_pool import AsyncConnectionPool

from adapters.postgres_journal import PostgresJournal
from application.firing import Fired, fire
from application.writer import Writer
from projections.timers import DueTimers
from tests.projections.front_desk import FrontDesk


def timers(front: FrontDesk) -> list[tuple[UUID, datetime]]:
    with psycopg.connect(front.url) as connection:
        return connection.execute("SELECT about_id, due_at FROM timers.timer ORDER BY due_at").fetchall()


def happened(front: FrontDesk) -> list[str]:
    """What was written to the journal of the visits, and beside them, that the front desk did not write itself."""
    with psycopg.connect(front.url) as connection:
        rows = connection.execute(
            "SELECT topic FROM stored_events WHERE notification_id > %s AND NOT topic LIKE 'resource_day.%%'"
            " AND NOT topic LIKE 'booking_page.%%' ORDER BY notification_id",
            (front.recorded[-1].position,),
        ).fetchall()
    return [topic for (topic,) in rows]


def lapsed(front: FrontDesk) -> int:
    return happened(front).count("appointment.hold_lapsed.v1")


class Keeper:
    """What a timekeeper process does, with the desk's time as the writer's clock."""

    def __init__(self, due: DueTimers, writer: Writer) -> None:
        self.due, self.writer = due, writer

    async def fires(self, now: datetime | None = None) -> Fired:
        return await fire(self.due, self.writer.submit, now=now)


def kept(front: FrontDesk, story: Callable[[Keeper], Awaitable[None]]) -> None:
    async def run() -> None:
        async with AsyncConnectionPool(front.url, min_size=1, max_size=8, kwargs={"autocommit": True}) as pool:
            writer = Writer(PostgresJournal(pool), front, encode=msgspec.json.encode)
            writing = asyncio.create_task(writer.run())
            await story(Keeper(DueTimers(pool), writer))
            writing.cancel()

    asyncio.run(run())
