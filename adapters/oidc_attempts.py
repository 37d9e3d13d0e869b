"""Who is on the way to an identity provider and back, and the secrets that we show providers, in PostgreSQL.

State, browser and ticket are random, so their SHA-256 is all that is kept of them; the rest is sealed. Expiry is judged
by the database's clock. What is taken is deleted by the same statement: of two who come at once one has it.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

from adapters.vault import Seal
from application.oidc import Attempt, Ticket

ATTEMPT_FOR = timedelta(minutes=10)
TICKET_FOR = timedelta(seconds=60)
_SECRET = "oidc client secret"  # noqa: S105  what it is called

_SWEEP_ATTEMPTS = "DELETE FROM oidc_attempt WHERE expires_at < clock_timestamp()"
_SWEEP_TICKETS = "DELETE FROM oidc_ticket WHERE expires_at < clock_timestamp()"
_BEGIN = """
INSERT INTO oidc_attempt (digest, browser, sealed, expires_at) VALUES (%s, %s, %s, clock_timestamp() + %s)
"""
_TAKE = """
DELETE FROM oidc_attempt WHERE digest = %s AND browser = %s AND expires_at > clock_timestamp() RETURNING sealed
"""
_HAND_OVER = "INSERT INTO oidc_ticket (digest, sealed, expires_at) VALUES (%s, %s, clock_timestamp() + %s)"
_LOOK = "SELECT sealed FROM oidc_ticket WHERE digest = %s AND expires_at > clock_timestamp()"
_REDEEM = "DELETE FROM oidc_ticket WHERE digest = %s AND expires_at > clock_timestamp() RETURNING sealed"
_KEEP = """
INSERT INTO oidc_client_secret (organization_id, version, wrapped_key, sealed) VALUES (%s, %s, %s, %s)
ON CONFLICT (organization_id) DO UPDATE SET version = EXCLUDED.version, wrapped_key = EXCLUDED.wrapped_key,
    sealed = EXCLUDED.sealed WHERE oidc_client_secret.version < EXCLUDED.version
"""
_FIND_SECRET = "SELECT wrapped_key, sealed FROM oidc_client_secret WHERE organization_id = %s"  # noqa: S105
_FORGET_SECRET = "DELETE FROM oidc_client_secret WHERE organization_id = %s AND version <= %s"  # noqa: S105

_encode = msgspec.json.Encoder().encode
_attempt = msgspec.json.Decoder(Attempt).decode
_ticket = msgspec.json.Decoder(Ticket).decode


@dataclass(slots=True)
class PostgresAttempts:
    """The port ``application.oidc.Attempts``."""

    pool: AsyncConnectionPool[Any]
    seal: Seal

    async def begin(self, state: str, browser: str, attempt: Attempt) -> None:
        digest = _digest(state)
        sealed = self.seal.seal_alone(_encode(attempt), _about("attempt", digest))
        async with self.pool.connection() as connection:
            await connection.execute(_SWEEP_ATTEMPTS)
            await connection.execute(_BEGIN, (digest, _digest(browser), sealed, ATTEMPT_FOR))

    async def take(self, state: str, browser: str) -> Attempt | None:
        digest = _digest(state)
        sealed = await self._one(_TAKE, digest, _digest(browser))
        return _attempt(self.seal.open_alone(sealed, _about("attempt", digest))) if sealed else None

    async def hand_over(self, token: str, ticket: Ticket) -> None:
        digest = _digest(token)
        sealed = self.seal.seal_alone(_encode(ticket), _about("ticket", digest))
        async with self.pool.connection() as connection:
            await connection.execute(_SWEEP_TICKETS)
            await connection.execute(_HAND_OVER, (digest, sealed, TICKET_FOR))

    async def look(self, token: str) -> Ticket | None:
        return await self._found(_LOOK, token)

    async def redeem(self, token: str) -> Ticket | None:
        return await self._found(_REDEEM, token)

    async def _found(self, statement: str, token: str) -> Ticket | None:
        digest = _digest(token)
        sealed = await self._one(statement, digest)
        return _ticket(self.seal.open_alone(sealed, _about("ticket", digest))) if sealed else None

    async def _one(self, statement: str, *values: bytes) -> bytes | None:
        async with self.pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(statement, values)
            row = await cursor.fetchone()
        return row[0] if row else None


@dataclass(slots=True)
class PostgresClientSecrets:
    """The port ``application.oidc.ClientSecrets``."""

    pool: AsyncConnectionPool[Any]
    seal: Seal

    async def keep(self, organization_id: UUID, version: int, secret: str) -> None:
        wrapped_key = self.seal.new_key(organization_id, organization_id)
        sealed = self.seal.seal(secret.encode(), wrapped_key, organization_id, organization_id, _SECRET)
        async with self.pool.connection() as connection:
            await connection.execute(_KEEP, (organization_id, version, wrapped_key, sealed))

    async def secret(self, organization_id: UUID) -> str | None:
        async with self.pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_FIND_SECRET, (organization_id,))
            row = await cursor.fetchone()
        if row is None:
            return None
        return self.seal.open(row[1], row[0], organization_id, organization_id, _SECRET).decode()

    async def forget(self, organization_id: UUID, version: int) -> None:
        async with self.pool.connection() as connection:
            await connection.execute(_FORGET_SECRET, (organization_id, version))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _about(what: str, digest: bytes) -> str:
    return f"oidc {what} {digest.hex()}"
