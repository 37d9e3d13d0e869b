"""Queries that see one organization: row-level security is told which within the very statement, at no round trip.

PostgreSQL promises no order in which a statement's parts are evaluated. It needs none here: the setting lasts as long
as the statement's transaction and is made nowhere else, so at any instant it is this organization's or not set at all.
A row that is read too early is not shown. That none is read too early is the plan's doing: what is asked depends on
what the setting's function answers.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor
from psycopg.sql import SQL
from psycopg_pool import AsyncConnectionPool

_SEE = "SELECT set_config('daybook.organizations', %s, true)"
_NAMED = "daybook_organizations"
_HEAD = (
    "SELECT its.* FROM (SELECT set_config('daybook.organizations', %s, true) AS seen OFFSET 0) AS wall"
    " CROSS JOIN LATERAL (SELECT * FROM ("
)
_HEAD_BY_NAME = _HEAD.replace("%s", f"%({_NAMED})s")
_TAIL = ") AS asked WHERE wall.seen IS NOT NULL OFFSET 0) AS its"


@dataclass(frozen=True, slots=True)
class Walls:
    """A pool in autocommit. ``of``: what organizations may see of it; ``connection``: what is nobody's."""

    pool: AsyncConnectionPool[Any]

    def of(self, *organization_ids: UUID) -> "Walled":
        return Walled(self.pool, ",".join(map(str, organization_ids)))

    def connection(self) -> Any:
        return self.pool.connection()


@dataclass(frozen=True, slots=True)
class Walled:
    pool: AsyncConnectionPool[Any]
    organizations: str

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Seeing"]:
        async with self.pool.connection() as connection:
            yield Seeing(connection, self.organizations)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection in a transaction, to write. What it sees ends with it."""
        async with self.pool.connection() as connection, connection.transaction():
            await connection.execute(_SEE, (self.organizations,))
            yield connection


@dataclass(frozen=True, slots=True)
class Seeing:
    """Asks queries within the walls; they may read only, and answer in their own order."""

    connection: AsyncConnection[Any]
    organizations: str

    async def execute(self, query: Any, params: Any = (), *, binary: bool = False) -> AsyncCursor[Any]:
        """As psycopg's, of a query."""
        if isinstance(params, Mapping):
            named = {_NAMED: self.organizations, **params}
            return await self.connection.execute(_walled(query, _HEAD_BY_NAME), named, binary=binary)
        return await self.connection.execute(_walled(query, _HEAD), [self.organizations, *params], binary=binary)


def _walled(query: Any, head: LiteralString) -> Any:
    return _walled_text(query, head) if isinstance(query, str) else SQL(head) + query + SQL(_TAIL)


@lru_cache(maxsize=256)
def _walled_text(query: str, head: str) -> str:
    """The same object each time: psycopg finds by it what it has prepared."""
    return f"{head}{query}{_TAIL}"
