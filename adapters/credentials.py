"""Password digests and refresh tokens in PostgreSQL. Of a refresh token only its SHA-256 is kept."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from application.sign_in import RefreshRefused, Session

TOKEN_BYTES = 32
TOKEN_CHARS_MAX = 256
IDLE_MAX = timedelta(days=30)
FAMILY_MAX = timedelta(days=180)
"""However often it is refreshed, a sign-in ends then."""

_BETTER = "UPDATE credential SET password_digest = %s WHERE account_id = %s AND password_digest = %s"
_REPLACE = """
INSERT INTO credential (account_id, password_digest) VALUES (%s, %s)
ON CONFLICT (account_id) DO UPDATE SET password_digest = EXCLUDED.password_digest
"""
_FIND = """
SELECT family, account_id, used_at IS NOT NULL, retry_key, successor,
       least(expires_at, family_expires_at) <= now(), revoked_at IS NOT NULL
FROM refresh_token WHERE digest = %s FOR UPDATE
"""
_USE = "UPDATE refresh_token SET used_at = now(), retry_key = %s, successor = %s WHERE digest = %s"
_SUCCEED = """
INSERT INTO refresh_token (digest, family, account_id, issued_at, expires_at, family_expires_at)
SELECT %s, family, account_id, now(), now() + %s, family_expires_at FROM refresh_token WHERE digest = %s
"""
_BEGIN = """
INSERT INTO refresh_token (digest, family, account_id, issued_at, expires_at, family_expires_at)
VALUES (%s, %s, %s, now(), now() + %s, now() + %s)
"""
_FRESH = "SELECT used_at IS NULL AND revoked_at IS NULL FROM refresh_token WHERE digest = %s FOR UPDATE"
_END = "UPDATE refresh_token SET revoked_at = now() WHERE family = %s AND account_id = %s AND revoked_at IS NULL"
_END_ALL = """
UPDATE refresh_token SET revoked_at = now()
WHERE account_id = %s AND family IS DISTINCT FROM %s AND revoked_at IS NULL RETURNING family
"""


class PostgresCredentials:
    """The port ``application.sign_in.Credentials``."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    async def begin(self, account_id: UUID, password_digest: str) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO credential (account_id, password_digest) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (account_id, password_digest),
            )

    async def password_digest(self, account_id: UUID) -> str | None:
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute("SELECT password_digest FROM credential WHERE account_id = %s", (account_id,))
            row = await cursor.fetchone()
        return row[0] if row else None

    async def replace(self, account_id: UUID, password_digest: str, *, instead_of: str | None = None) -> None:
        async with self._pool.connection() as connection:
            if instead_of is not None:
                await connection.execute(_BETTER, (password_digest, account_id, instead_of))
            else:
                await connection.execute(_REPLACE, (account_id, password_digest))

    async def forget(self, account_id: UUID) -> None:
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM credential WHERE account_id = %s", (account_id,))


class PostgresSessions:
    """The port ``application.sign_in.Sessions``.

    A successor is the keyed digest of its predecessor: so a lost answer can be given again although no token is
    kept. Expiry is judged by the database's clock.
    """

    def __init__(self, pool: AsyncConnectionPool[Any], *, secret: bytes) -> None:
        self._pool = pool
        self._secret = secret

    async def begin(self, account_id: UUID) -> tuple[Session, str]:
        session, token = Session(uuid4(), account_id), secrets.token_urlsafe(TOKEN_BYTES)
        async with self._pool.connection() as connection:
            await connection.execute(_BEGIN, (_digest(token), session.id, account_id, IDLE_MAX, FAMILY_MAX))
        return session, token

    async def end(self, account_id: UUID, session_id: UUID) -> bool:
        async with self._pool.connection() as connection, connection.cursor() as cursor:
            await cursor.execute(_END, (session_id, account_id))
            return bool(cursor.rowcount)

    async def end_all(self, account_id: UUID, *, but: UUID | None = None) -> Sequence[UUID]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_END_ALL, (account_id, but))
            return sorted({row[0] async for row in cursor})

    async def rotate(self, refresh_token: str, *, retry_key: str | None = None) -> tuple[Session, str]:
        if len(refresh_token) > TOKEN_CHARS_MAX:
            raise RefreshRefused
        retry_digest = _digest(retry_key) if retry_key is not None else None
        async with self._pool.connection() as connection, connection.transaction():
            outcome = await self._rotate(connection, refresh_token, retry_digest)
        # Raised only now: the transaction that revoked the family must be committed, not rolled back.
        if isinstance(outcome, RefreshRefused):
            raise outcome
        return outcome

    async def _rotate(
        self, connection: AsyncConnection[Any], token: str, retry_digest: bytes | None
    ) -> tuple[Session, str] | RefreshRefused:
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_FIND, (_digest(token),))
            row = await cursor.fetchone()
            if row is None:
                return RefreshRefused()
            family, account_id, used, first_retry_key, successor_digest, expired, revoked = row
            if expired or revoked:
                return RefreshRefused()
            session, successor = Session(family, account_id), self._successor(token)
            if not used:
                await cursor.execute(_USE, (retry_digest, _digest(successor), _digest(token)))
                await cursor.execute(_SUCCEED, (_digest(successor), IDLE_MAX, _digest(token)))
                return session, successor
            if retry_digest is not None and retry_digest == first_retry_key:
                await cursor.execute(_FRESH, (successor_digest,))
                fresh = await cursor.fetchone()
                if fresh and fresh[0]:
                    return session, successor
            await cursor.execute(_END, (family, account_id))
            return RefreshRefused(reused=session)

    def _successor(self, token: str) -> str:
        digest = hmac.digest(self._secret, b"refresh token after " + token.encode(), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
