"""A read model's table: its DDL, and many rows written or deleted in one statement."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL, Composed, Identifier

Row = Any
"""A mapping or a dataclass of column name → value: whatever msgspec writes as JSON; ``msgspec.Raw`` for jsonb."""


@dataclass(frozen=True)
class Table:
    """``columns`` are SQL types by name, with ``NOT NULL`` where it holds.

    Rows travel as ONE JSON parameter: that carries arrays, nulls and documents alike, and costs one
    round trip and one plan for any number of rows.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]

    @property
    def ddl(self) -> str:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in self.columns.items())
        return f'CREATE TABLE "{self.name}" ({columns}, PRIMARY KEY ({", ".join(self.key)}));'

    def insert(self, cursor: Cursor[Any], rows: Iterable[Row]) -> None:
        """Rows that cannot be there yet."""
        self._write(cursor, rows, SQL(""))

    def upsert(self, cursor: Cursor[Any], rows: Iterable[Row]) -> None:
        """Rows that replace those with the same key. No two of ``rows`` may have the same key."""
        others = [name for name in self.columns if name not in self.key]
        replaced = SQL(", ").join(SQL("{0} = excluded.{0}").format(Identifier(name)) for name in others)
        clause = SQL("ON CONFLICT ({}) DO UPDATE SET {}").format(_names(self.key), replaced)
        self._write(cursor, rows, clause)

    def delete(self, cursor: Cursor[Any], keys: Iterable[tuple[object, ...]]) -> None:
        """The rows with these keys, each in the order of ``key``; keys that are not there are ignored."""
        gone = [dict(zip(self.key, key, strict=True)) for key in keys]
        if not gone:
            return
        matching = SQL(" AND ").join(SQL("t.{0} = gone.{0}").format(Identifier(name)) for name in self.key)
        statement = SQL("DELETE FROM {} AS t USING json_to_recordset(%s::json) AS gone ({}) WHERE {}").format(
            Identifier(self.name), self._typed(self.key), matching
        )
        cursor.execute(statement, (as_json(gone),), prepare=False)

    def _write(self, cursor: Cursor[Any], rows: Iterable[Row], on_conflict: SQL | Composed) -> None:
        written = list(rows)
        if not written:
            return
        statement = SQL("INSERT INTO {} ({}) SELECT {} FROM json_to_recordset(%s::json) AS new ({}) {}").format(
            Identifier(self.name),
            _names(self.columns),
            _names(self.columns),
            self._typed(self.columns),
            on_conflict,
        )
        # Never prepared: a plan made while the table was empty would be kept when it is large.
        cursor.execute(statement, (as_json(written),), prepare=False)

    def _typed(self, names: Collection[str]) -> Composed:
        kinds = {name: self.columns[name].removesuffix(" NOT NULL") for name in names}
        # The types are literals of the read model's own module, never input.
        return SQL(", ").join(SQL("{} {}").format(Identifier(name), SQL(kind)) for name, kind in kinds.items())


def _names(names: Iterable[str]) -> Composed:
    return SQL(", ").join(Identifier(name) for name in names)


def as_json(rows: object) -> str:
    """The rows as one parameter of a statement: the same bytes for equal rows, whichever process writes them."""
    # A set has an order of its own in each process.
    return msgspec.json.encode(rows, order="deterministic").decode()
