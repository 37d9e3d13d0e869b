"""One-time codes in PostgreSQL: a keyed digest to compare with, and the code itself sealed for as long as it is good.

Expiry is judged by the database's clock. Guesses at one code wait for one another at its row, so they are counted
exactly, however many come at once.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from adapters.vault import Seal
from application.one_time_codes import LIFETIME_MAX, TRIES_MAX, Enclosed, Form
from domain.one_time_code import Purpose

TOKEN_RANDOM_BYTES = 32
TOKEN_BYTES = 16 + TOKEN_RANDOM_BYTES
TOKEN_CHARS = TOKEN_BYTES * 4 // 3
DIGITS = 8

# What is over is of no use to anyone; so whoever issues a code sweeps up.
_SWEEP = "DELETE FROM one_time_code WHERE expires_at < clock_timestamp() - interval '1 day'"
_ISSUE = """
INSERT INTO one_time_code AS known (purpose, key, id, organization_id, is_link, digest, sealed, issued_at, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp(), clock_timestamp() + %s)
ON CONFLICT (purpose, key) DO UPDATE
SET id = EXCLUDED.id, organization_id = EXCLUDED.organization_id, is_link = EXCLUDED.is_link,
    digest = EXCLUDED.digest, sealed = EXCLUDED.sealed, tries = 0, used_at = NULL,
    issued_at = EXCLUDED.issued_at, expires_at = EXCLUDED.expires_at
WHERE known.id <> EXCLUDED.id AND (
    known.used_at IS NOT NULL OR known.expires_at <= clock_timestamp() OR %s::interval = interval '0'
    OR (known.tries < %s AND known.issued_at <= clock_timestamp() - %s::interval))
RETURNING id
"""
_IS_KNOWN = "SELECT id = %s FROM one_time_code WHERE purpose = %s AND key = %s"
_GOOD = "used_at IS NULL AND expires_at > clock_timestamp()"
_TRY = f"""
UPDATE one_time_code SET tries = tries + 1, sealed = CASE WHEN tries + 1 < %s THEN sealed END
WHERE purpose = %s AND key = %s AND NOT is_link AND tries < %s AND {_GOOD} RETURNING digest
"""  # noqa: S608  of constants, all of these
_USE = "UPDATE one_time_code SET used_at = clock_timestamp(), sealed = NULL WHERE purpose = %s AND key = %s"
# No guess at a link touches it: there are too many for one to be right, and a link must not be used up by guesses.
_OF_LINK = f"purpose = %s AND key = %s AND is_link AND digest = %s AND {_GOOD}"
_HOLDER = f"SELECT key FROM one_time_code WHERE {_OF_LINK}"  # noqa: S608
_USE_LINK = f"UPDATE one_time_code SET used_at = clock_timestamp(), sealed = NULL WHERE {_OF_LINK} RETURNING key"  # noqa: S608
_SEALED = f"SELECT id, sealed FROM one_time_code WHERE id = ANY(%s) AND sealed IS NOT NULL AND {_GOOD}"  # noqa: S608

_encode = msgspec.json.Encoder().encode
_enclosed = msgspec.json.Decoder(Enclosed).decode


class PostgresOneTimeCodes:
    """The port ``application.one_time_codes.OneTimeCodes``. ``secret`` keys the digests."""

    def __init__(self, pool: AsyncConnectionPool[Any], seal: Seal, *, secret: bytes) -> None:
        self._pool = pool
        self._seal = seal
        self._secret = secret

    async def issue(
        self,
        purpose: Purpose,
        key: UUID,
        *,
        code_id: UUID,
        organization_id: UUID,
        form: Form,
        to: str | None = None,
        lifetime: timedelta = LIFETIME_MAX,
        again_after: timedelta = timedelta(),
    ) -> bool:
        if lifetime > LIFETIME_MAX:
            raise ValueError(f"a code lasts at most {LIFETIME_MAX}")
        code = _link(key) if form is Form.LINK else f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        sealed = self._seal.seal_alone(_encode(Enclosed(code, to)), _about(code_id))
        row = (purpose, key, code_id, organization_id, form is Form.LINK, self._digest(purpose, key, code), sealed)
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_SWEEP)
            await cursor.execute(_ISSUE, (*row, lifetime, again_after, TRIES_MAX, again_after))
            if await cursor.fetchone():
                return True
            await cursor.execute(_IS_KNOWN, (code_id, purpose, key))
            known = await cursor.fetchone()
            return bool(known and known[0])

    async def redeem(self, purpose: Purpose, key: UUID, code: str) -> bool:
        typed = "".join(code.split())
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_TRY, (TRIES_MAX, purpose, key, TRIES_MAX))
            row = await cursor.fetchone()
            if row is None or not hmac.compare_digest(row[0], self._digest(purpose, key, typed)):
                return False
            await cursor.execute(_USE, (purpose, key))
            return True

    async def holder(self, purpose: Purpose, token: str) -> UUID | None:
        return await self._linked(_HOLDER, purpose, token)

    async def redeem_link(self, purpose: Purpose, token: str) -> UUID | None:
        return await self._linked(_USE_LINK, purpose, token)

    async def _linked(self, statement: str, purpose: Purpose, token: str) -> UUID | None:
        key = _key_in(token)
        if key is None:
            return None
        async with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(statement, (purpose, key, self._digest(purpose, key, token)))
            row = await cursor.fetchone()
        return row[0] if row else None

    def _digest(self, purpose: Purpose, key: UUID, code: str) -> bytes:
        said = b"one-time code/" + purpose.encode() + b"/" + key.bytes + code.encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, said, "sha256")


class SealedCodes:
    """The port ``application.one_time_codes.Enclosures``."""

    def __init__(self, pool: ConnectionPool[Connection[Any]], seal: Seal) -> None:
        self._pool = pool
        self._seal = seal

    def enclosed(self, code_ids: Iterable[UUID]) -> Mapping[UUID, Enclosed]:
        asked = list(code_ids)
        if not asked:
            return {}
        with self._pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(_SEALED, (asked,)).fetchall()
        return {code_id: _enclosed(self._seal.open_alone(sealed, _about(code_id))) for code_id, sealed in rows}


def _link(key: UUID) -> str:
    """The key and random bits: so it is found by itself, and a wrong one is compared with nobody else's."""
    return urlsafe_b64encode(key.bytes + secrets.token_bytes(TOKEN_RANDOM_BYTES)).decode()


def _key_in(token: str) -> UUID | None:
    if len(token) != TOKEN_CHARS:
        return None
    try:
        return UUID(bytes=urlsafe_b64decode(token)[:16])
    except (NotBase64, ValueError):
        return None


def _about(code_id: UUID) -> str:
    return f"one-time code/{code_id}"
