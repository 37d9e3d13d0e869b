"""A read model's table: its DDL, and many rows written or deleted in one statement."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL, Composed, Identifier
from psycopg.types.json import Jsonb

Row = Sequence[Any]
"""A row in the order of the table's columns: arrays as lists, documents as whatever msgspec writes as JSON."""


@dataclass(frozen=True)
class Table:
    """``columns`` are SQL types by name, with ``NOT NULL`` where it holds.

    New rows are copied in binary form, which costs PostgreSQL about half of what statements do. Rows that replace
    others travel as ONE JSON parameter: that carries arrays, nulls and documents alike, in one round trip.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]

    @property
    def ddl(self) -> str:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in self.columns.items())
        return f'CREATE TABLE "{self.name}" ({columns}, PRIMARY KEY ({", ".join(self.key)}));'

    def rows_of(self, objects: Iterable[object]) -> list[Row]:
        """Of objects that have an attribute for each column."""
        return list(map(self._values, objects))

    def save(self, cursor: Cursor[Any], rows: Mapping[Any, Row], known: Container[Any]) -> None:
        """Rows by some key of the caller's, of which ``known`` has those that are there already."""
        self.insert(cursor, [row for key, row in rows.items() if key not in known])
        self.upsert(cursor, [row for key, row in rows.items() if key in known])

    def insert(self, cursor: Cursor[Any], rows: Collection[Row]) -> None:
        """Rows that cannot be there yet."""
        if not rows:
            return
        with cursor.copy(self._copy) as copy:
            copy.set_types(self._types)
            for row in rows:
                copy.write_row(self._with_documents(row) if self._documents else row)

    def upsert(self, cursor: Cursor[Any], rows: Collection[Row]) -> None:
        """Rows that replace those with the same key. No two of ``rows`` may have the same key."""
        if rows:
            cursor.execute(self._upsert, (as_json([self._as_object(row) for row in rows]),), prepare=True)

    def delete(self, cursor: Cursor[Any], keys: Iterable[tuple[object, ...]]) -> None:
        """The rows with these keys, each in the order of ``key``; keys that are not there are ignored."""
        gone = [dict(zip(self.key, key, strict=True)) for key in keys]
        if gone:
            cursor.execute(self._delete, (as_json(gone),), prepare=True)

    @cached_property
    def _kinds(self) -> dict[str, str]:
        return {name: kind.removesuffix(" NOT NULL") for name, kind in self.columns.items()}

    @cached_property
    def _types(self) -> list[str]:
        return list(self._kinds.values())

    @cached_property
    def _documents(self) -> list[int]:
        return [place for place, kind in enumerate(self._types) if kind == "jsonb"]

    @cached_property
    def _values(self) -> "attrgetter[Row]":
        return attrgetter(*self.columns)

    @cached_property
    def _copy(self) -> Composed:
        return SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(Identifier(self.name), _names(self.columns))

    @cached_property
    def _upsert(self) -> Composed:
        others = [name for name in self.columns if name not in self.key]
        return SQL(
            "INSERT INTO {} ({}) SELECT {} FROM json_to_recordset(%s::json) AS new ({})"
            " ON CONFLICT ({}) DO UPDATE SET {}"
        ).format(
            Identifier(self.name),
            _names(self.columns),
            _names(self.columns),
            self._typed(self.columns),
            _names(self.key),
            SQL(", ").join(SQL("{0} = excluded.{0}").format(Identifier(name)) for name in others),
        )

    @cached_property
    def _delete(self) -> Composed:
        matching = SQL(" AND ").join(SQL("t.{0} = gone.{0}").format(Identifier(name)) for name in self.key)
        return SQL("DELETE FROM {} AS t USING json_to_recordset(%s::json) AS gone ({}) WHERE {}").format(
            Identifier(self.name), self._typed(self.key), matching
        )

    def _typed(self, names: Iterable[str]) -> Composed:
        # The types are literals of the read model's own module, never input.
        return SQL(", ").join(SQL("{} {}").format(Identifier(name), SQL(self._kinds[name])) for name in names)

    def _with_documents(self, row: Row) -> Row:
        values = list(row)
        for place in self._documents:
            values[place] = Jsonb(values[place], _document)
        return values

    def _as_object(self, row: Row) -> dict[str, object]:
        # Bytes travel in JSON the way PostgreSQL writes them itself.
        return {
            name: f"\\x{value.hex()}" if isinstance(value, bytes) else value
            for name, value in zip(self.columns, row, strict=True)
        }


def _names(names: Iterable[str]) -> Composed:
    return SQL(", ").join(Identifier(name) for name in names)


def _document(value: object) -> bytes:
    # A set has an order of its own in each process.
    return msgspec.json.encode(value, order="deterministic")


def as_json(rows: object) -> str:
    """The rows as one parameter of a statement: the same bytes for equal rows, whichever process writes them."""
    return _document(rows).decode()
