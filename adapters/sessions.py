"""Sessions and their refresh tokens in PostgreSQL. Of a refresh token only its SHA-256 is kept."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from application.ended_sessions import SessionsUnavailable
from application.sessions import OpenSession, RefreshRefused, Session
from domain.access import SessionEnding, SignInMethod
from domain.permissions import Actor

TOKEN_BYTES = 32
TOKEN_CHARS_MAX = 256
IDLE_MAX = timedelta(days=30)
SESSION_MAX = timedelta(days=180)
"""However often it is refreshed, a session ends then."""
RETRY_WITHIN = timedelta(minutes=10)
"""As long as the access token of the answer that was lost would have lasted."""
OPEN_MAX = 100
"""Of one account. One more ends the one that was not used for longest."""
KEPT_FOR = timedelta(days=30)
"""How long a session that is over is remembered here; the journal remembers it for ever."""

_BEGIN = """
INSERT INTO sign_in_session (id, account_id, organization_id, method, used_at, expires_at)
VALUES (%s, %s, %s, %s, now(), now() + %s)
"""
_ISSUE = "INSERT INTO refresh_token (digest, session_id, expires_at) VALUES (%s, %s, now() + %s)"
_FORGET = "DELETE FROM sign_in_session WHERE account_id = %s AND over_at < now() - %s"
_SUPERSEDE = """
UPDATE sign_in_session SET ended_at = now(), because = %s WHERE id IN (
    SELECT id FROM sign_in_session WHERE account_id = %s AND over_at > now() ORDER BY used_at DESC OFFSET %s
)
"""
_FIND = """
SELECT s.id, s.account_id, t.used_at IS NOT NULL, t.used_at > now() - %s, t.retry_key, t.successor,
       least(t.expires_at, s.over_at) <= now(), s.method
FROM refresh_token t JOIN sign_in_session s ON s.id = t.session_id WHERE t.digest = %s FOR UPDATE
"""
_USE = "UPDATE refresh_token SET used_at = now(), retry_key = %s, successor = %s WHERE digest = %s"
_USED = "UPDATE sign_in_session SET used_at = now() WHERE id = %s"
_FRESH = "SELECT used_at IS NULL FROM refresh_token WHERE digest = %s FOR UPDATE"
_END = """
UPDATE sign_in_session SET ended_at = now(), because = %s WHERE id = %s AND account_id = %s AND over_at > now()
"""
_END_ALL = """
UPDATE sign_in_session SET ended_at = now(), because = %s
WHERE account_id = %s AND id IS DISTINCT FROM %s AND over_at > now() RETURNING id
"""
_OPEN = """
SELECT id, method, begun_at, coalesce(used_at, begun_at), expires_at FROM sign_in_session
WHERE account_id = %s AND over_at > now() AND (used_at > now() - %s OR method = %s) ORDER BY begun_at, id
"""
_OVER = "SELECT id FROM sign_in_session WHERE over_at BETWEEN now() - make_interval(secs => %s) AND now()"


async def _nobody() -> None: ...


class PostgresSessions:
    """The port ``application.sign_in.Sessions``. ``announce`` is awaited when sessions have ended.

    A successor is the keyed digest of its predecessor: so a lost answer can be given again although no token is
    kept. Expiry is judged by the database's clock.
    """

    def __init__(
        self, pool: AsyncConnectionPool[Any], *, secret: bytes, announce: Callable[[], Awaitable[None]] = _nobody
    ) -> None:
        self._pool = pool
        self._secret = secret
        self._announce = announce

    async def begin(self, actor: Actor, method: SignInMethod) -> tuple[Session, str]:
        session, token = Session(uuid4(), actor.account_id, method), secrets.token_urlsafe(TOKEN_BYTES)
        values = (session.id, session.account_id, actor.organization_id, method.value, SESSION_MAX)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_FORGET, (session.account_id, KEPT_FOR))
            await connection.execute(_BEGIN, values)
            await connection.execute(_ISSUE, (_digest(token), session.id, IDLE_MAX))
            superseding = (SessionEnding.SUPERSEDED.value, session.account_id, OPEN_MAX)
            ended = (await connection.execute(_SUPERSEDE, superseding)).rowcount
        if ended:
            await self._announce()
        return session, token

    async def open(self, account_id: UUID) -> Sequence[OpenSession]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            # One that was not refreshed for so long can be no more; the secret of a program does not idle.
            await cursor.execute(_OPEN, (account_id, IDLE_MAX, SignInMethod.API_KEY.value))
            return [OpenSession(row[0], SignInMethod(row[1]), *row[2:]) async for row in cursor]

    async def end(self, account_id: UUID, session_id: UUID, *, because: SessionEnding = SessionEnding.REVOKED) -> bool:
        async with self._pool.connection() as connection:
            ended = (await connection.execute(_END, (because.value, session_id, account_id))).rowcount
        if ended:
            await self._announce()
        return bool(ended)

    async def end_all(
        self, account_id: UUID, *, but: UUID | None = None, because: SessionEnding = SessionEnding.REVOKED
    ) -> Sequence[UUID]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_END_ALL, (because.value, account_id, but))
            ended = sorted([row[0] async for row in cursor])
        if ended:
            await self._announce()
        return ended

    async def rotate(self, refresh_token: str, *, retry_key: str | None = None) -> tuple[Session, str]:
        if len(refresh_token) > TOKEN_CHARS_MAX:
            raise RefreshRefused
        retry_digest = _digest(retry_key) if retry_key is not None else None
        async with self._pool.connection() as connection, connection.transaction():
            outcome = await self._rotate(connection, refresh_token, retry_digest)
        # Raised only now: the transaction that ended the session must be committed, not rolled back.
        if isinstance(outcome, RefreshRefused):
            if outcome.reused:
                await self._announce()
            raise outcome
        return outcome

    async def _rotate(
        self, connection: AsyncConnection[Any], token: str, retry_digest: bytes | None
    ) -> tuple[Session, str] | RefreshRefused:
        async with connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_FIND, (RETRY_WITHIN, _digest(token)))
            row = await cursor.fetchone()
            if row is None:
                return RefreshRefused()
            session_id, account_id, used, just_now, first_retry_key, successor_digest, over, method = row
            if over:
                return RefreshRefused()
            session, successor = Session(session_id, account_id, SignInMethod(method)), self._successor(token)
            if not used:
                await cursor.execute(_USE, (retry_digest, _digest(successor), _digest(token)))
                await cursor.execute(_ISSUE, (_digest(successor), session_id, IDLE_MAX))
                await cursor.execute(_USED, (session_id,))
                return session, successor
            if just_now and retry_digest is not None and retry_digest == first_retry_key:
                await cursor.execute(_FRESH, (successor_digest,))
                fresh = await cursor.fetchone()
                if fresh and fresh[0]:
                    return session, successor
            await cursor.execute(_END, (SessionEnding.REFRESH_REUSED.value, session_id, account_id))
            return RefreshRefused(reused=session)

    def _successor(self, token: str) -> str:
        digest = hmac.digest(self._secret, b"refresh token after " + token.encode(), "sha256")
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


class PostgresEndings:
    """The port ``application.ended_sessions.Endings``, over a pool of its own: nobody may be in its way."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    async def over_within(self, seconds: float) -> Collection[UUID]:
        try:
            async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
                await cursor.execute(_OVER, (seconds,))
                return [row[0] async for row in cursor]
        except (psycopg.Error, PoolTimeout) as away:
            raise SessionsUnavailable from away


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
