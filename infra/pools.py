"""Pools of connections to PostgreSQL, which outlive a crash of the server without costing anyone a request."""

import select
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

LIFETIME_S = 30 * 60.0
GIVE_UP_AFTER_S = 4.0
"""A pool that could not connect for so long starts afresh with the next request: its own back-off grows without end."""


def pool_of(
    database_url: str, *, process: str, max_size: int, autocommit: bool = True
) -> AsyncConnectionPool[AsyncConnection[Any]]:
    """A pool, not yet open, each of whose connections is looked at before it is handed out.

    A look is no round trip: the server has nothing to say to an idle connection but that it is over. Where one is dead
    the others mostly are, too: the server has crashed. psycopg would look at one after another, and pause ever longer;
    here all are looked at then, so that the next one is new.
    """

    async def look_at(connection: AsyncConnection[Any]) -> None:
        if not _has_word(connection):
            return
        try:
            await AsyncConnectionPool.check_connection(connection)
        except psycopg.Error:
            await pool.check()
            raise

    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        database_url,
        min_size=1,
        max_size=max_size,
        open=False,
        name=process,
        timeout=5.0,
        max_lifetime=LIFETIME_S,
        reconnect_timeout=GIVE_UP_AFTER_S,
        check=look_at,
        kwargs={"autocommit": autocommit, "application_name": f"daybook {process}", "connect_timeout": 5},
    )
    return pool


def _has_word(connection: AsyncConnection[Any]) -> bool:
    """Whether something is to be read from it, be it only its end."""
    looking = select.poll()
    looking.register(connection.fileno(), select.POLLIN)
    return bool(looking.poll(0))
