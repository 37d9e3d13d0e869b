"""Whether the servers that Daybook needs answer: one cheap real question to each."""

import asyncio
import struct
from contextlib import suppress
from typing import Any

import redis.asyncio
from psycopg_pool import AsyncConnectionPool

from adapters.kafka_tls import KafkaTls

_API_VERSIONS = 18
_CORRELATION_ID = 7


class NoAnswer(Exception):  # noqa: N818
    """The server is there but does not speak as it should."""


async def ask_postgres(pool: AsyncConnectionPool[Any]) -> None:
    async with pool.connection() as connection:
        await connection.execute("SELECT 1")


async def ask_redis(client: redis.asyncio.Redis) -> None:
    await client.ping()


async def ask_kafka(bootstrap: str, tls: KafkaTls | None = None) -> None:
    """The first request of every Kafka client, ApiVersions v0, to the first broker that is named."""
    host, _, port = bootstrap.split(",", maxsplit=1)[0].strip().rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls.context() if tls else None)
    try:
        # Header v1: api key, api version, correlation id, client id; the body is empty.
        client_id = b"daybook"
        request = struct.pack(">hhih", _API_VERSIONS, 0, _CORRELATION_ID, len(client_id)) + client_id
        writer.write(struct.pack(">i", len(request)) + request)
        _, correlation_id = struct.unpack(">ii", await reader.readexactly(8))
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    if correlation_id != _CORRELATION_ID:
        raise NoAnswer
