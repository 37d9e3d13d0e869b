"""Who did what and when, for every fact. What a fact says is read from the journal itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, LiteralString
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL

from application.journal import Recorded
from domain.fact import Fact
from projections.reads import Reads
from projections.table import Table

_FACT = Table(
    "fact",
    {
        "position": "bigint NOT NULL",
        "organization_id": "uuid NOT NULL",
        "stream_id": "uuid NOT NULL",
        "version": "bigint NOT NULL",
        "topic": "text NOT NULL",
        "actor_id": "uuid NOT NULL",
        "at": "timestamptz NOT NULL",
    },
    key=("position",),
)


class _Stored(msgspec.Struct):
    """The journal's form of a fact, of which only the ``data`` member is wanted, as it is."""

    data: msgspec.Raw


_STORED = msgspec.json.Decoder(_Stored)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedFact:
    """A fact with its provenance; ``data`` is its JSON, byte for byte as the journal holds it."""

    position: int
    stream_id: UUID
    version: int
    topic: str
    actor_id: UUID
    at: datetime
    data: bytes


class AuditTrail:
    NAME: ClassVar = "audit_trail"
    FACTS: ClassVar = Fact
    DURABLE: ClassVar = False
    # Time runs with the positions, nearly: for that a BRIN index does, at a thousandth of a B-tree's cost.
    TABLES: ClassVar = f"""
    {_FACT.ddl}
    CREATE INDEX fact_by_organization ON fact (organization_id, position);
    CREATE INDEX fact_by_stream ON fact (stream_id, position);
    CREATE INDEX fact_by_topic ON fact (organization_id, topic, position);
    CREATE INDEX fact_by_actor ON fact (organization_id, actor_id, position);
    CREATE INDEX fact_by_time ON fact USING brin (at);
    """

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        _FACT.insert(
            cursor,
            [
                (
                    recorded.position,
                    recorded.provenance.organization_id,
                    recorded.stream_id,
                    recorded.version,
                    recorded.fact.TOPIC,
                    recorded.provenance.actor_id,
                    recorded.provenance.at,
                )
                for recorded in batch
            ],
        )


async def facts(  # noqa: PLR0913  one argument per filter of the contract
    pool: Reads,
    organization_id: UUID,
    *,
    after: int = 0,
    limit: int,
    stream_id: UUID | None = None,
    topic: str | None = None,
    actor_id: UUID | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[AuditedFact]:
    """The organization's facts after position ``after`` that match all that is given, in journal order.

    ``start`` and ``end`` bound the instant of the decision: from ``start`` up to, but not including, ``end``.
    """
    filters: list[tuple[LiteralString, object]] = [
        ("f.organization_id = %s", organization_id),
        ("f.position > %s", after),
        ("f.stream_id = %s", stream_id),
        ("f.topic = %s", topic),
        ("f.actor_id = %s", actor_id),
        ("f.at >= %s", start),
        ("f.at < %s", end),
    ]
    given = [(condition, value) for condition, value in filters if value is not None]
    statement = SQL(
        "SELECT f.position, f.stream_id, f.version, s.topic, f.actor_id, f.at, s.state FROM audit_trail.fact AS f"
        " JOIN public.stored_events AS s ON s.notification_id = f.position WHERE {} ORDER BY f.position LIMIT %s"
    ).format(SQL(" AND ").join(SQL(condition) for condition, _ in given))
    async with pool.connection() as connection:
        rows = await connection.execute(statement, [*(value for _, value in given), limit])
        return [_fact(row) async for row in rows]


def _fact(row: tuple[Any, ...]) -> AuditedFact:
    position, stream_id, version, topic, actor_id, at, state = row
    return AuditedFact(
        position=position,
        stream_id=stream_id,
        version=version,
        topic=topic,
        actor_id=actor_id,
        at=at,
        data=bytes(_STORED.decode(state).data),
    )
