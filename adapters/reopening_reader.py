"""A reader of the journal that outlives its connection: for followers, which hold no lock on it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg import Connection

from adapters.fact_codec import FactMapper
from adapters.journal_reader import PostgresJournalReader
from application.journal import JournalUnavailable, Recorded

T = TypeVar("T")


class ReopeningJournalReader:
    """Implements ``JournalReader``. After a ``JournalUnavailable`` the next call tries a new connection."""

    def __init__(self, connect: Callable[[], Connection[Any]], mapper: FactMapper | None = None) -> None:
        self._connect = connect
        self._mapper = mapper or FactMapper()
        self._connection: Connection[Any] | None = None
        self._reader: PostgresJournalReader | None = None

    def read(
        self, *, after: int, limit: int, upto: int | None = None, besides: Collection[str] = ()
    ) -> Sequence[Recorded]:
        return self._through(lambda reader: reader.read(after=after, limit=limit, upto=upto, besides=besides))

    def head(self) -> int:
        return self._through(lambda reader: reader.head())

    def organizations(self, *, after: int) -> Mapping[UUID, int]:
        return self._through(lambda reader: reader.organizations(after=after))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._reader = None

    def _through(self, ask: Callable[[PostgresJournalReader], T]) -> T:
        try:
            return ask(self._reader or self._open())
        except JournalUnavailable:
            self.close()
            raise

    def _open(self) -> PostgresJournalReader:
        try:
            self._connection = self._connect()
        except psycopg.OperationalError as failure:
            raise JournalUnavailable(str(failure)) from failure
        self._connection.autocommit = True
        self._reader = PostgresJournalReader(self._connection, self._mapper)
        return self._reader
