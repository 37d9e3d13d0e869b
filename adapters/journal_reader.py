"""Following the journal on PostgreSQL: by relay, rebuilds and audits, in the order of positions."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

from adapters.fact_codec import ORGANIZATION_AT, FactMapper
from application.journal import JournalUnavailable, Recorded

_READ = """
SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
WHERE notification_id > %s AND notification_id <= %s AND topic <> ALL(%s) ORDER BY notification_id LIMIT %s
"""
# Where the codec writes it (``ORGANIZATION_AT``): to parse each state here would cost more than all else.
_ORGANIZATIONS = """
SELECT convert_from(substring(state FROM %s FOR %s), 'UTF8')::uuid, max(notification_id)
FROM stored_events WHERE notification_id > %s GROUP BY 1
"""
_POSITION_MAX = 2**63 - 1


@contextmanager
def _available() -> Iterator[None]:
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as failure:
        raise JournalUnavailable(str(failure)) from failure


class PostgresJournalReader:
    """Implements ``application.journal.JournalReader`` on a connection of the caller's, best in autocommit.

    All raise ``JournalUnavailable`` when the connection is lost; it does not come back by itself. On a
    connection whose session holds an advisory lock, an answer also proves that the lock is still held.
    """

    def __init__(self, connection: Connection[Any], mapper: FactMapper | None = None) -> None:
        self._connection = connection
        self._mapper = mapper or FactMapper()

    def read(
        self, *, after: int, limit: int, upto: int | None = None, besides: Collection[str] = ()
    ) -> Sequence[Recorded]:
        recorded = self._mapper.recorded
        parameters = (after, _POSITION_MAX if upto is None else upto, list(besides), limit)
        with _available(), self._connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            cursor.execute(_READ, parameters, prepare=True)
            return [recorded(*row) for row in cursor]

    def head(self) -> int:
        return int(self._value("SELECT coalesce(max(notification_id), 0) FROM stored_events"))

    def organizations(self, *, after: int) -> Mapping[UUID, int]:
        start, stop = ORGANIZATION_AT
        with _available(), self._connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            cursor.execute(_ORGANIZATIONS, (start + 1, stop - start, after), prepare=True)
            return dict(cursor.fetchall())

    def epoch(self) -> UUID:
        """The journal's life: another one after it was restored to an earlier state."""
        value = self._value("SELECT id FROM journal_epoch")
        assert isinstance(value, UUID)
        return value

    def _value(self, query: str) -> Any:
        with _available(), self._connection.cursor(binary=True, row_factory=tuple_row) as cursor:
            row = cursor.execute(query.encode(), prepare=True).fetchone()
        assert row
        return row[0]
