"""How far each partition of a sink has come: a table in the sink's own schema, moved in its rows' transaction."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol
from zlib import crc32

from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier

from application.journal import Recorded
from domain.fact import FACTS
from projections.walls import raise_walls

PROGRESS_CHANNEL = "daybook_progress"
"""NOTIFY on each commit: ``<sink> <partition> <position>``."""

_SCHEMA_LOCK = crc32(b"daybook schemas")
_CHECKPOINT_DDL = "CREATE TABLE checkpoint (partition int PRIMARY KEY, position bigint NOT NULL)"


class Sink(Protocol):
    """Something that is made of facts: a read model, the notifier's ledger, the timekeeper's timers.

    Two more members are optional:

    - ``DURABLE: ClassVar[bool]``: False lets a commit not wait for the disk. Right for a read model: after a
      crash rows and checkpoint are gone together and made again. Not for what has effects elsewhere.
    - ``after_commit(batch: Sequence[Recorded]) -> None``: ``batch`` is now visible to others. It is not
      called if the process dies just before: for hints only.

    Its statements find rows by key: on the sessions where they run, no plan may read a whole table (``prepare``).
    """

    NAME: ClassVar[str]
    """Also its PostgreSQL schema."""
    FACTS: ClassVar[Any]
    """What it is made of, a fact type or a union of some: it is given no others. ``Fact`` is all of them."""
    TABLES: ClassVar[str]
    """DDL of its tables, names unqualified: they are created with the schema as the search path."""

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        """Write what the facts make of the rows; never commit. Any error is tried again from the checkpoint.

        ``batch`` has only facts of ``FACTS``, is never empty and in position order; each comes once.
        """


def besides(sink: Sink) -> frozenset[str]:
    """The topics of all facts that the sink is not made of."""
    return frozenset(topic for topic, kind in FACTS.items() if not issubclass(kind, sink.FACTS))


def is_durable(sink: Sink) -> bool:
    return bool(getattr(sink, "DURABLE", True))


def prepare(connection: Connection[Any], schema: str) -> None:
    """Make a session one in which a sink can work on its tables in ``schema``. A commit does not wait for the disk."""
    connection.execute(SQL("SET search_path = {}").format(Identifier(schema)))
    # Statements are planned once, by what they are and not by how full a table is just then: a plan made while it
    # was empty, to read all of it, would be kept when it is large.
    connection.execute(
        "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;"
        " SET enable_mergejoin = off; SET synchronous_commit = off",
        prepare=False,
    )


def ensure_schema(connection: Connection[Any], sink: Sink, partitions: int, *, schema: str | None = None) -> None:
    """Create the sink's schema, tables and checkpoint unless they exist, whoever else tries at the same time.

    ``schema`` instead of the sink's name is for one that is built beside the live one. Commits.
    """
    name = schema or sink.NAME
    with connection.transaction(), connection.cursor() as cursor:
        # Two CREATE … IF NOT EXISTS at once fail in PostgreSQL's catalog: one after the other.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", (_SCHEMA_LOCK % 2**31, 0))
        cursor.execute(SQL("SET LOCAL search_path = {}").format(Identifier(name)))
        if not _has_checkpoint(cursor, name):
            cursor.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(name)))
            cursor.execute(_CHECKPOINT_DDL)
            cursor.execute(sink.TABLES, prepare=False)
            raise_walls(cursor, name)
        # A row per partition, so that there is something to lock before anything was applied.
        cursor.execute(
            "INSERT INTO checkpoint SELECT partition, 0 FROM generate_series(0, %s - 1) AS partition"
            " ON CONFLICT DO NOTHING",
            (partitions,),
        )


def move_checkpoint(
    cursor: Cursor[Any], sink_name: str, positions: Mapping[int, int], known: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Raise the checkpoints of these partitions, and tell those who wait for them with the commit. What they were.

    A partition whose checkpoint is lower than ``known`` is left alone and left out. They stay locked until the end of
    the transaction: of two followers of a partition one waits here, and then finds what the other has applied.
    """
    cursor.execute(
        # In the order of partitions, so that they cannot deadlock.
        "WITH held AS (SELECT partition, position FROM checkpoint WHERE partition = ANY(%s) ORDER BY partition"
        " FOR UPDATE) UPDATE checkpoint SET position = greatest(held.position, new.position)"
        " FROM held JOIN unnest(%s::int[], %s::bigint[], %s::bigint[]) AS new (partition, position, known)"
        " USING (partition) WHERE checkpoint.partition = held.partition AND held.position >= new.known"
        " RETURNING held.partition, held.position,"
        " pg_notify(%s, concat_ws(' ', %s::text, checkpoint.partition, checkpoint.position))",
        (
            list(positions),
            list(positions),
            list(positions.values()),
            [known[partition] if known else 0 for partition in positions],
            PROGRESS_CHANNEL,
            sink_name,
        ),
        prepare=True,
    )
    return {partition: position for partition, position, _ in cursor}


def lowest_checkpoint(connection: Connection[Any]) -> int:
    """The position that every partition of every sink of this database has reached; 0 if there are none.

    A schema that is being rebuilt does not count: it reads the journal.
    """
    schemas = connection.execute(
        "SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE relname = 'checkpoint' AND relkind = 'r' AND nspname NOT LIKE '%\\_\\_rebuild'"
    ).fetchall()
    lowest = SQL(" UNION ALL ").join(
        SQL("SELECT min(position) FROM {}").format(Identifier(schema, "checkpoint")) for (schema,) in schemas
    )
    if not schemas:
        return 0
    positions = connection.execute(lowest).fetchall()
    return min(position or 0 for (position,) in positions)


def _has_checkpoint(cursor: Cursor[Any], schema: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f'"{schema}".checkpoint',))
    row = cursor.fetchone()
    return bool(row and row[0])
