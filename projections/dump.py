"""A canonical dump of a schema: the same bytes for the same rows, wherever and however they were written."""

import hashlib
from collections.abc import Iterator
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

NOT_CONTENT = "checkpoint"
"""How far a read model has come is not what it says: a quiet partition's position depends on when one looked."""

# How PostgreSQL writes values depends on these; they are set for the dump's transaction alone.
_ONE_NOTATION = (
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'iso_8601';"
    " SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1"
)


def canonical_dump(connection: Connection[Any], schema: str) -> Iterator[bytes]:
    """All tables by name, each with its columns and then its rows by primary key, as PostgreSQL's COPY text.

    The chunks are cut anywhere. One snapshot if the caller's transaction is REPEATABLE READ; otherwise the
    rows of each table are of one moment.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_ONE_NOTATION, prepare=False)
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE nspname = %s AND relkind = 'r' AND relname <> %s ORDER BY relname COLLATE \"C\"",
            (schema, NOT_CONTENT),
        )
        for (table,) in cursor.fetchall():
            columns, key = _columns(connection, schema, table)
            yield f"{table} ({', '.join(columns)})\n".encode()
            with cursor.copy(_rows(schema, table, columns, key)) as copy:
                for chunk in copy:
                    yield bytes(chunk)


def digest(connection: Connection[Any], schema: str) -> str:
    """SHA-256 of the canonical dump, in hexadecimal."""
    sum_of_all = hashlib.sha256()
    for chunk in canonical_dump(connection, schema):
        sum_of_all.update(chunk)
    return sum_of_all.hexdigest()


def _columns(connection: Connection[Any], schema: str, table: str) -> tuple[list[str], list[tuple[str, bool]]]:
    """The table's columns by name, and those of its primary key, each with whether it is text."""
    rows = connection.execute(
        "SELECT attname, array_position(indkey::int2[], attnum), attcollation <> 0 FROM pg_attribute"
        " JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " JOIN pg_index ON indrelid = attrelid AND indisprimary"
        ' WHERE nspname = %s AND relname = %s AND attnum > 0 AND NOT attisdropped ORDER BY attname COLLATE "C"',
        (schema, table),
    ).fetchall()
    if not rows:
        raise ValueError(f"{schema}.{table} has no primary key, so its rows have no order")
    key = sorted((place, name, is_text) for name, place, is_text in rows if place is not None)
    return [name for name, _, _ in rows], [(name, is_text) for _, name, is_text in key]


def _rows(schema: str, table: str, columns: list[str], key: list[tuple[str, bool]]) -> Composed:
    # Text in the order of its bytes: any other order is a property of the server's locale.
    order = [SQL('{} COLLATE "C"' if is_text else "{}").format(Identifier(name)) for name, is_text in key]
    return SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT").format(
        SQL(", ").join(map(Identifier, columns)), Identifier(schema, table), SQL(", ").join(order)
    )
