"""A pool whose server has crashed: its dead connections must not cost anyone a request, nor the living a round trip."""

import asyncio
import time
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from infra.pools import pool_of

SIZE = 8
GONE_WITHIN_MS = 5_000


async def filled(pool: AsyncConnectionPool[Any]) -> None:
    """Have all connections open and idle."""
    async with asyncio.TaskGroup() as group:
        for _ in range(SIZE):
            group.create_task(_used(pool))
    assert pool.get_stats()["pool_size"] == SIZE


async def _used(pool: AsyncConnectionPool[Any]) -> None:
    async with pool.connection() as connection:
        await connection.execute("SELECT pg_sleep(0.3)")


def all_others_die(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            (GONE_WITHIN_MS,),
        )


def test_when_all_connections_are_dead_the_next_request_is_served_at_once(postgres_url: str) -> None:
    async def scenario() -> float:
        async with pool_of(postgres_url, process="test", max_size=SIZE) as pool:
            await filled(pool)
            all_others_die(postgres_url)
            began = time.monotonic()
            async with pool.connection(timeout=10) as connection:
                await connection.execute("SELECT 1")
            return time.monotonic() - began

    # psycopg's own check waits 1 s, 2 s, 4 s … before it looks at the next dead connection
    assert asyncio.run(scenario()) < 0.9


def test_a_connection_that_lives_is_handed_out_without_a_round_trip(postgres_url: str) -> None:
    async def scenario() -> str:
        async with pool_of(postgres_url, process="test", max_size=1) as pool:
            async with pool.connection() as connection:
                await connection.execute("SELECT 'asked by us'")
                pid = connection.info.backend_pid
            async with pool.connection():
                return await asyncio.to_thread(last_query_of, pid)

    def last_query_of(pid: int) -> str:
        with psycopg.connect(postgres_url) as other:
            found = other.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone()
            assert found
            return str(found[0])

    assert asyncio.run(scenario()) == "SELECT 'asked by us'"
