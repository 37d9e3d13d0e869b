"""Connections that see one organization: row-level security is told which with the first statement, at no round trip.

The setting stays with the connection; whoever takes it next either needs the same or sends his own along, in a pipeline
that PostgreSQL answers at once. So nothing may hold a connection of such a pool but by way of ``Walls``.

Not in the statement itself: PostgreSQL is free to read rows before it evaluates a ``set_config`` elsewhere in the same
statement, and does (see the decision record). In a pipeline one statement is over before the next begins.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, AsyncCursor
from psycopg_pool import AsyncConnectionPool

SETTING = "daybook.organizations"
_SEE = "SELECT set_config('daybook.organizations', %s, false)"
_SEE_IN_TRANSACTION = "SELECT set_config('daybook.organizations', %s, true)"


@dataclass(slots=True)
class Walls:
    """A pool of connections in autocommit. ``of``: those that see some organizations; by itself: nobody's rows."""

    pool: AsyncConnectionPool[Any]
    _seen: WeakKeyDictionary[AsyncConnection[Any], str] = field(default_factory=WeakKeyDictionary)
    """What each connection is known to see. One that is not in it is told, whatever it saw."""

    def of(self, *organization_ids: UUID) -> "Walled":
        return Walled(self, ",".join(map(str, organization_ids)))

    def connection(self) -> Any:
        return Walled(self, "").connection()


@dataclass(frozen=True, slots=True)
class Walled:
    walls: Walls
    organizations: str

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Seeing"]:
        async with self.walls.pool.connection() as connection:
            yield Seeing(connection, self.walls._seen, self.organizations)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection in a transaction. What it sees is forgotten with its end, however it ends."""
        async with self.walls.pool.connection() as connection, connection.transaction():
            await connection.execute(_SEE_IN_TRANSACTION, (self.organizations,))
            yield connection


@dataclass(frozen=True, slots=True)
class Seeing:
    connection: AsyncConnection[Any]
    seen: WeakKeyDictionary[AsyncConnection[Any], str]
    organizations: str

    async def execute(self, query: Any, params: Any = None, *, binary: bool = False) -> AsyncCursor[Any]:
        """As psycopg's, in the same number of round trips."""
        connection, seen = self.connection, self.seen
        if seen.get(connection) == self.organizations:
            return await connection.execute(query, params, binary=binary)
        # An error takes the setting back with the rest of the pipeline: then it is not known what is seen.
        seen.pop(connection, None)
        async with connection.pipeline():
            await connection.execute(_SEE, (self.organizations,))
            cursor = await connection.execute(query, params, binary=binary)
        seen[connection] = self.organizations
        return cursor
