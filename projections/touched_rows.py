"""Rows that a batch of facts touches: read at once, changed in memory, written at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from psycopg import Cursor

from projections.table import Row, Table

K = TypeVar("K")
V = TypeVar("V")


class Touched(Generic[K, V]):
    """Rows as they were read and then changed; only the changed ones are written."""

    def __init__(self, read: Mapping[K, V] | None = None) -> None:
        self._read = read or {}
        self._now = dict(self._read)
        self._changed: set[K] = set()

    def get(self, key: K) -> V | None:
        return self._now.get(key)

    def values(self) -> Iterable[V]:
        return self._now.values()

    def put(self, key: K, value: V) -> None:
        self._now[key] = value
        self._changed.add(key)

    def remove(self, key: K) -> None:
        self._now.pop(key, None)
        self._changed.add(key)

    def written(self) -> Iterator[tuple[K, V]]:
        return ((key, self._now[key]) for key in self._changed if key in self._now)

    def removed(self) -> list[K]:
        return [key for key in self._changed if key not in self._now]

    def save(self, cursor: Cursor[Any], table: Table, row: Callable[[K, V], Row]) -> None:
        """Write what changed, where all that was there had been read."""
        table.save(cursor, {key: row(key, value) for key, value in self.written()}, self._read)
