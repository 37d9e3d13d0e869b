"""Password digests in PostgreSQL, in a table of their own: they are secrets that must be forgettable."""

from typing import Any
from uuid import UUID

from psycopg.rows import tuple_row
from psycopg_pool import AsyncConnectionPool

_BETTER = "UPDATE credential SET password_digest = %s WHERE account_id = %s AND password_digest = %s"
_REPLACE = """
INSERT INTO credential (account_id, password_digest) VALUES (%s, %s)
ON CONFLICT (account_id) DO UPDATE SET password_digest = EXCLUDED.password_digest
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
