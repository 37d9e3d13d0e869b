"""What is kept of visitors in PostgreSQL: digests of their links, and whom to forget.

A link that waits to be sent is sealed, and forgotten once it was.
"""

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, Connection
from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from adapters.vault import Seal
from application.manage_links import ManageLink, Unproved

TOKEN_BYTES = 32
TOKEN_CHARS_MAX = 64

_ISSUE = """
INSERT INTO visitor_link (digest, id, organization_id, appointment_id, customer_id, sealed)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET digest = EXCLUDED.digest, sealed = EXCLUDED.sealed
"""
_FIND = "SELECT id, organization_id, appointment_id, customer_id FROM visitor_link WHERE digest = %s"
_UNSENT = """
SELECT id, organization_id, appointment_id, customer_id, sealed FROM visitor_link WHERE sealed IS NOT NULL
"""
_UNSENT_ONE = _UNSENT + "AND id = %s"
_UNSENT_OF = _UNSENT + "AND appointment_id = ANY(%s) ORDER BY issued_at"
_SENT = "UPDATE visitor_link SET sealed = NULL WHERE appointment_id = %s AND sealed IS NOT NULL"
_REMEMBER = """
INSERT INTO visitor_unconfirmed (customer_id, organization_id, appointment_id, due_at) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_TAKE = """
SELECT organization_id, customer_id, appointment_id FROM visitor_unconfirmed WHERE due_at <= %s
ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_SETTLED = "DELETE FROM visitor_unconfirmed WHERE customer_id = ANY(%s)"
_PUT_OFF = "UPDATE visitor_unconfirmed SET due_at = %s WHERE customer_id = ANY(%s)"


@dataclass(slots=True)
class PostgresManageLinks:
    """The application's ``ManageLinks``."""

    pool: AsyncConnectionPool[AsyncConnection[Any]]
    seal: Seal

    async def issue(self, link: ManageLink) -> str:
        token = secrets.token_urlsafe(TOKEN_BYTES)
        sealed = self.seal.seal_alone(token.encode(), _about(link.id))
        row = (digest_of(token), link.id, link.organization_id, link.appointment_id, link.customer_id, sealed)
        async with self.pool.connection() as connection:
            await connection.execute(_ISSUE, row)
        return token

    async def find(self, token: str) -> ManageLink | None:
        if len(token) > TOKEN_CHARS_MAX:
            return None
        async with self.pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_FIND, (digest_of(token),))
            row = await cursor.fetchone()
        return _link(row) if row else None

    async def unsent(self, link: ManageLink) -> str | None:
        async with self.pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_UNSENT_ONE, (link.id,))
            row = await cursor.fetchone()
        return _opened(self.seal, row) if row else None


@dataclass(slots=True)
class PostgresLinksToSend:
    """The application's ``LinksToSend``."""

    pool: ConnectionPool[Connection[Any]]
    seal: Seal

    def tokens(self, visits: Iterable[tuple[UUID, UUID]]) -> dict[UUID, str]:
        asked = set(visits)
        if not asked:
            return {}
        with self.pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(_UNSENT_OF, ([appointment_id for _, appointment_id in asked],)).fetchall()
        return {row[2]: _opened(self.seal, row) for row in rows if (row[1], row[2]) in asked}

    def sent(self, appointment_id: UUID) -> None:
        with self.pool.connection() as connection:
            connection.execute(_SENT, (appointment_id,))


@dataclass(slots=True)
class TakenRows:
    """The application's ``TakenUnproved``."""

    connection: AsyncConnection[Any]
    people: Sequence[Unproved]

    async def settled(self, people: Sequence[Unproved]) -> None:
        await self.connection.execute(_SETTLED, ([one.customer_id for one in people],))

    async def put_off(self, people: Sequence[Unproved], until: datetime) -> None:
        await self.connection.execute(_PUT_OFF, (until, [one.customer_id for one in people]))


@dataclass(slots=True)
class PostgresUnproved:
    """The application's ``UnprovedPeople``."""

    pool: AsyncConnectionPool[AsyncConnection[Any]]

    async def remember(self, one: Unproved, due_at: datetime) -> None:
        async with self.pool.connection() as connection:
            await connection.execute(_REMEMBER, (one.customer_id, one.organization_id, one.appointment_id, due_at))

    @asynccontextmanager
    async def take(self, limit: int, now: datetime) -> AsyncIterator[TakenRows]:
        async with self.pool.connection() as connection, connection.transaction():
            cursor = connection.cursor(row_factory=tuple_row)
            rows = await (await cursor.execute(_TAKE, (now, limit))).fetchall()
            people = [
                Unproved(organization_id=organization_id, customer_id=customer_id, appointment_id=appointment_id)
                for organization_id, customer_id, appointment_id in rows
            ]
            yield TakenRows(connection, people)


def digest_of(token: str) -> bytes:
    """A plain digest is enough of what is random: there is nothing to try out."""
    return hashlib.sha256(token.encode()).digest()


def _link(row: tuple[Any, ...]) -> ManageLink:
    link_id, organization_id, appointment_id, customer_id = row[:4]
    return ManageLink(
        id=link_id, organization_id=organization_id, appointment_id=appointment_id, customer_id=customer_id
    )


def _opened(seal: Seal, row: tuple[Any, ...]) -> str:
    return seal.open_alone(row[4], _about(row[0])).decode()


def _about(link_id: UUID) -> str:
    return f"link to a visit/{link_id}"
