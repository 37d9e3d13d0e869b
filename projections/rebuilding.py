"""A read model made again from the journal: beside the live one and then in its place, or only to compare."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import psycopg
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from application.feed import partition_of
from application.journal import JournalReader, Recorded
from projections.checkpoint import Sink, besides, ensure_schema, move_checkpoint, prepare
from projections.dump import digest

PAGE_FACTS_MAX = 5_000
SWAP_ATTEMPTS_MAX = 20
SWAP_LOCK_TIMEOUT_MS = 500
SWAP_PAUSE_S = 0.25

_REBUILD_LOCK = crc32(b"daybook rebuild") % 2**31

Progress = Callable[[int, int], None]
"""Told the position that is reached and the journal's head."""


class RebuildRunning(Exception):  # noqa: N818
    """Another process is rebuilding this read model."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is being rebuilt by another process")


class SwapFailed(Exception):  # noqa: N818
    """The live tables were in use whenever we tried; nothing was changed, the rebuild can be run again."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """``facts`` concerned it; the journal was read to ``position``; of ``seconds``, readers waited ``swap_s``."""

    facts: int
    position: int
    seconds: float
    swap_s: float


def beside(name: str) -> str:
    """The schema in which a read model is rebuilt."""
    return f"{name}__rebuild"


def rebuild(
    sink: Sink,
    connection: Connection[Any],
    reader: JournalReader,
    *,
    partitions: int,
    on_progress: Progress | None = None,
) -> Rebuilt:
    """Make ``sink``'s schema again while its follower goes on, then put it in the place of the live one.

    ``sink`` is an instance without effects elsewhere (no hints, no masks), the connection one of its own.
    Raises ``RebuildRunning`` and ``SwapFailed``. After a crash the live schema is whole; run it again.
    """
    began = time.monotonic()
    schema = beside(sink.NAME)
    with _alone(connection, sink.NAME):
        connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(schema)))  # a crash left it
        ensure_schema(connection, sink, partitions, schema=schema)
        # Only the swap waits for the disk; its commit takes everything before it along.
        prepare(connection, schema)
        reached = _read_on(sink, connection, reader, Reached(), on_progress)
        _analyze(connection, schema)
        connection.execute("SET synchronous_commit = on")
        for attempt in range(SWAP_ATTEMPTS_MAX):
            time.sleep(SWAP_PAUSE_S if attempt else 0.0)
            reached = _read_on(sink, connection, reader, reached, on_progress)  # so that little is left to do locked
            swapping = time.monotonic()
            try:
                reached = _swap(sink, connection, reader, reached, partitions)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                continue
            ended = time.monotonic()
            return Rebuilt(reached.facts, reached.position, ended - began, ended - swapping)
    raise SwapFailed(sink.NAME)


def live_and_replayed(
    sink: Sink, connection: Connection[Any], reader: JournalReader, *, partitions: int
) -> tuple[str, str]:
    """The digest of the live read model, and that of a fresh replay up to the positions which it had reached.

    The follower may go on meanwhile. ``sink`` and ``connection`` as for ``rebuild``. Raises ``RebuildRunning``.
    """
    with _alone(connection, sink.NAME):
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            table = Identifier(sink.NAME, "checkpoint")
            rows = connection.execute(SQL("SELECT partition, position FROM {}").format(table)).fetchall()
            live = digest(connection, sink.NAME)
        return live, replayed_digest(sink, connection, reader, upto=dict(rows), partitions=partitions)


def replayed_digest(
    sink: Sink, connection: Connection[Any], reader: JournalReader, *, upto: Mapping[int, int], partitions: int
) -> str:
    """The digest of ``sink``'s tables made afresh, from each partition's facts up to its position in ``upto``.

    All of it happens in one transaction that is rolled back, so nothing of it is ever seen or left behind.
    """
    schema = Identifier(f"{sink.NAME}__replay")
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute(SQL("CREATE SCHEMA {}").format(schema))
        prepare(connection, f"{sink.NAME}__replay")
        cursor.execute(sink.TABLES, prepare=False)
        for page in _pages(sink, reader, 0, max(upto.values(), default=0)):
            wanted = [r for r in page if r.position <= upto[partition_of(r.provenance.organization_id, partitions)]]
            if wanted:
                sink.project(wanted, cursor)
        return digest(connection, f"{sink.NAME}__replay")


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the journal has been read, and how many facts of it concerned the sink."""

    position: int = 0
    facts: int = 0


def _read_on(
    sink: Sink, connection: Connection[Any], reader: JournalReader, reached: Reached, on_progress: Progress | None
) -> Reached:
    """Project the journal to its present end, a page a transaction."""
    head = reader.head()
    for page in _pages(sink, reader, reached.position, head):
        with connection.transaction(), connection.cursor() as cursor:
            sink.project(page, cursor)
        reached = Reached(page[-1].position, reached.facts + len(page))
        if on_progress:
            on_progress(reached.position, head)
    if on_progress:
        on_progress(head, head)
    return Reached(head, reached.facts)


def _pages(sink: Sink, reader: JournalReader, after: int, upto: int) -> Iterator[Sequence[Recorded]]:
    """The facts of the journal that concern the sink. The next page is read while PostgreSQL works on one."""
    # Of topics that are not its own, rather than all but its own: one that nobody here knows is an error to be seen.
    others = besides(sink)
    with ThreadPoolExecutor(max_workers=1) as ahead:
        coming = ahead.submit(reader.read, after=after, limit=PAGE_FACTS_MAX, upto=upto, besides=others)
        while page := coming.result():
            last = page[-1].position
            coming = ahead.submit(reader.read, after=last, limit=PAGE_FACTS_MAX, upto=upto, besides=others)
            # A topic of before may have become one that is not its own.
            concerned = [recorded for recorded in page if isinstance(recorded.fact, sink.FACTS)]
            if concerned:
                yield concerned


def _swap(sink: Sink, connection: Connection[Any], reader: JournalReader, reached: Reached, partitions: int) -> Reached:
    """Raises ``LockNotAvailable`` or ``DeadlockDetected``, then nothing has changed."""
    live, new = Identifier(sink.NAME), Identifier(beside(sink.NAME))
    with connection.transaction(), connection.cursor() as cursor:
        # Whoever waits for us holds up everybody behind them: rather let go and try again.
        cursor.execute(SQL("SET LOCAL lock_timeout = {}").format(SWAP_LOCK_TIMEOUT_MS))
        # The whole table, not its rows: a follower that waited for a row would hold the table, which we are
        # about to drop, and each would wait for the other.
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{sink.NAME}.checkpoint",))
        if cursor.fetchone() == (True,):
            cursor.execute(SQL("LOCK TABLE {}.checkpoint IN ACCESS EXCLUSIVE MODE").format(live))
        # The follower stands still now. It must never find its checkpoint lower than what it has applied.
        head, facts = reader.head(), reached.facts
        for page in _pages(sink, reader, reached.position, head):
            sink.project(page, cursor)
            facts += len(page)
        reached = Reached(head, facts)
        move_checkpoint(cursor, sink.NAME, dict.fromkeys(range(partitions), reached.position))
        cursor.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(live))
        cursor.execute(SQL("ALTER SCHEMA {} RENAME TO {}").format(new, live))
    return reached


def _analyze(connection: Connection[Any], schema: str) -> None:
    """Else queries are planned without knowledge of the tables until autovacuum comes by."""
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", (schema,)
    ).fetchall()
    for (table,) in tables:
        connection.execute(SQL("ANALYZE {}").format(Identifier(schema, table)))


@contextmanager
def _alone(connection: Connection[Any], name: str) -> Iterator[None]:
    """Raises ``RebuildRunning`` if another process rebuilds or compares this read model."""
    connection.autocommit = True
    lock = (_REBUILD_LOCK, crc32(name.encode()) % 2**31)
    row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", lock).fetchone()
    if row != (True,):
        raise RebuildRunning(name)
    try:
        yield
    finally:
        if not connection.closed:  # a lost connection has lost its lock
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", lock)
