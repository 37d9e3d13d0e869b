"""Every series as it was begun, and how many of its occurrences are left: listed by customer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, LiteralString, assert_never
from uuid import UUID

from psycopg import Cursor
from psycopg.sql import SQL

from application.journal import Recorded
from domain.series import SeriesBegun, SeriesCancelled, SeriesFact, SeriesRescheduled
from projections.reads import Reads
from projections.table import Table

_SERIES = Table(
    "series",
    {
        "id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "service_id": "uuid NOT NULL",
        "customer_id": "uuid NOT NULL",
        "start_local": "timestamp NOT NULL",
        "time_zone": "text NOT NULL",
        "rrule": "text NOT NULL",
        "exdates": "timestamp[] NOT NULL",
        "occurrence_count": "integer NOT NULL",
        "version": "bigint NOT NULL",
        "created_position": "bigint NOT NULL",
        "position": "bigint NOT NULL",
    },
    key=("id",),
)
_COLUMNS = SQL(", ").join(map(SQL, _SERIES.columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A series with its stream's ``version``, and the positions of its first and of its latest fact.

    ``start_local`` and ``exdates`` are naive, in ``time_zone``; they and ``rrule`` are what the series began with.
    ``occurrence_count``: those that the series has not called off.
    """

    id: UUID
    organization_id: UUID
    service_id: UUID
    customer_id: UUID
    start_local: datetime
    time_zone: str
    rrule: str
    exdates: list[datetime]
    occurrence_count: int
    version: int
    created_position: int
    position: int


class SeriesList:
    NAME: ClassVar = "series"
    FACTS: ClassVar = SeriesFact
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"""
    {_SERIES.ddl}
    CREATE INDEX series_in_order ON series (organization_id, created_position);
    CREATE INDEX series_by_customer ON series (customer_id, created_position);
    """

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        facts = [(recorded, recorded.fact) for recorded in batch if isinstance(recorded.fact, SeriesFact)]
        entries = _load(cursor, {fact.series_id for recorded, fact in facts if recorded.version > 1})
        for recorded, fact in facts:
            entries[fact.series_id] = _after(entries.get(fact.series_id), recorded, fact)
        _SERIES.upsert(cursor, _SERIES.rows_of(entries.values()))


def _after(entry: Entry | None, recorded: Recorded, fact: SeriesFact) -> Entry:
    if isinstance(fact, SeriesBegun):
        return Entry(
            id=fact.series_id,
            organization_id=fact.organization_id,
            service_id=fact.service_id,
            customer_id=fact.customer_id,
            start_local=fact.start_local,
            time_zone=fact.time_zone,
            rrule=fact.rrule,
            exdates=list(fact.exdates),
            occurrence_count=len(fact.occurrences),
            version=recorded.version,
            created_position=recorded.position,
            position=recorded.position,
        )
    assert entry
    now = replace(entry, version=recorded.version, position=recorded.position)
    match fact:
        case SeriesRescheduled():
            return now
        case SeriesCancelled():
            return replace(now, occurrence_count=entry.occurrence_count - len(fact.cancelled))
        case _:
            assert_never(fact)


def _load(cursor: Cursor[Any], ids: Collection[UUID]) -> dict[UUID, Entry]:
    if not ids:
        return {}
    statement = SQL("SELECT {} FROM series WHERE id = ANY(%s)").format(_COLUMNS)
    cursor.execute(statement, (list(ids),), prepare=True)
    return {entry.id: entry for entry in map(_entry, cursor)}


def _entry(row: tuple[Any, ...]) -> Entry:
    return Entry(**dict(zip(_SERIES.columns, row, strict=True)))


async def listed(
    pool: Reads,
    organization_id: UUID,
    *,
    customer_id: UUID | None = None,
    after: int | None = None,
    limit: int,
) -> list[Entry]:
    """The organization's series, or one customer's, in the order of their making, those made after ``after``."""
    conditions: list[tuple[LiteralString, object]] = [
        ("organization_id = %s", organization_id),
        ("created_position > %s", after or 0),
    ]
    if customer_id:
        conditions.append(("customer_id = %s", customer_id))
    statement = SQL("SELECT {} FROM series.series WHERE {} ORDER BY created_position LIMIT %s").format(
        _COLUMNS, SQL(" AND ").join(SQL(condition) for condition, _ in conditions)
    )
    async with pool.connection() as connection:
        rows = await connection.execute(statement, [*(value for _, value in conditions), limit])
        return [_entry(row) async for row in rows]
