"""Secrets of API keys in PostgreSQL, beside the sessions that the keys are. Of a secret only its SHA-256 is kept.

A secret is 256 random bits, so a fast digest of it is as good as a slow one.
"""

import hashlib
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from domain.access import SignInMethod

PREFIX = "dbk_"
SECRET_BYTES = 32

_BEGIN = """
INSERT INTO sign_in_session (id, account_id, organization_id, method, expires_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (id) DO NOTHING
"""
_KEEP = "INSERT INTO api_key_secret (digest, session_id) VALUES (%s, %s)"
_FORGET = "DELETE FROM sign_in_session WHERE id = %s"
_USE = """
UPDATE sign_in_session SET used_at = now() FROM api_key_secret
WHERE digest = %s AND session_id = %s AND id = session_id AND over_at > now()
"""
_USED = "SELECT id, used_at FROM sign_in_session WHERE id = ANY (%s) AND used_at IS NOT NULL"


class PostgresApiKeys:
    """The port ``application.machine_clients.ApiKeys``. Expiry is judged by the database's clock."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    def new_secret(self) -> str:
        return PREFIX + secrets.token_urlsafe(SECRET_BYTES)

    async def keep(
        self, key_id: UUID, account_id: UUID, organization_id: UUID, secret: str, *, expires_at: datetime
    ) -> None:
        begun = (key_id, account_id, organization_id, SignInMethod.API_KEY.value, expires_at)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_BEGIN, begun)
            # Not instead of an earlier one: of two processes that are asked the same at once, either may be answered.
            await connection.execute(_KEEP, (_digest(secret), key_id))

    async def forget(self, key_id: UUID) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(_FORGET, (key_id,))

    async def use(self, key_id: UUID, secret: str) -> bool:
        async with self._pool.connection() as connection:
            return bool((await connection.execute(_USE, (_digest(secret), key_id))).rowcount)

    async def used_at(self, key_ids: list[UUID]) -> dict[UUID, datetime]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_USED, (key_ids,))
            return dict([row async for row in cursor])


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
