"""What only PostgreSQL can get wrong: races, and the order of commits."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from adapters.fact_codec import FactMapper
from adapters.journal_reader import PostgresJournalReader
from adapters.journal_schema import JournalRecorder
from adapters.postgres_journal import PostgresJournal
from application.journal import Appended, Receipt, StaleDecision
from tests.adapters.journal_ends import connected
from tests.adapters.journal_given import streams, writing

pytestmark = pytest.mark.anyio

APPENDERS = 16
APPENDS_EACH = 40


@pytest.fixture
async def journal(postgres_url: str) -> AsyncIterator[PostgresJournal]:
    async with connected(postgres_url) as journal:
        yield journal


@pytest.fixture
def database(postgres_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


class Tail:
    """A reader that follows the journal in a thread of its own, as a relay does: never behind what it has seen."""

    def __init__(self, url: str, after: int) -> None:
        self._url = url
        self._after = after
        self._stop = threading.Event()
        self.seen: list[int] = []
        self._thread = threading.Thread(target=self._follow)

    def _follow(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            reader = PostgresJournalReader(connection)
            ending = False
            while not ending:
                ending = self._stop.is_set()
                while recorded := reader.read(after=self._after, limit=50):
                    self.seen.extend(r.position for r in recorded)
                    self._after = recorded[-1].position

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


async def test_a_tailing_reader_misses_nothing_while_sixteen_append(
    postgres_url: str, database: psycopg.Connection[Any]
) -> None:
    async def append_some(journal: PostgresJournal, appender: int) -> None:
        for n in range(APPENDS_EACH):
            size = 1 + (appender + n) % 4
            appending = await journal.append([writing((uuid4(), 0), facts=3) for _ in range(size)])
            assert all(isinstance(outcome, Appended) for outcome in appending.outcomes)

    head = PostgresJournalReader(database).head()
    async with connected(postgres_url, connections=APPENDERS) as journal:
        with Tail(postgres_url, head) as tail:  # when
            await asyncio.gather(*(append_some(journal, n) for n in range(APPENDERS)))
    statement = "SELECT notification_id FROM stored_events WHERE notification_id > %s ORDER BY 1"
    committed = [row[0] for row in database.execute(statement, (head,))]
    assert len(committed) >= APPENDERS * APPENDS_EACH * 3
    assert tail.seen == committed  # then


async def test_of_two_writers_on_one_stream_never_both_win(postgres_url: str) -> None:
    async def race(journal: PostgresJournal, version: int) -> bool:
        (outcome,) = (await journal.append([writing((day, version))])).outcomes
        return isinstance(outcome, Appended)

    (day,) = streams(1)
    async with connected(postgres_url, connections=8) as journal:
        for version in range(50):
            wins = await asyncio.gather(*(race(journal, version) for _ in range(8)))
            assert wins.count(True) == 1
        facts = (await journal.load([day]))[day]
    assert [recorded.version for recorded in facts] == list(range(1, 51))


async def test_one_key_sent_by_many_at_once_takes_effect_once(postgres_url: str) -> None:
    async with connected(postgres_url, connections=8) as journal:
        for _ in range(20):
            (day,) = streams(1)
            entry = writing((day, 0))
            appendings = await asyncio.gather(*(journal.append([entry]) for _ in range(8)))
            outcomes = [appending.outcomes[0] for appending in appendings]
            assert sum(isinstance(outcome, Appended) for outcome in outcomes) == 1
            assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 7
            assert len({outcome.position for outcome in outcomes if not isinstance(outcome, StaleDecision)}) == 1
            assert len((await journal.load([day]))[day]) == 1


async def test_it_works_on_connections_that_are_not_in_autocommit_and_leaves_them_so(postgres_url: str) -> None:
    (day,) = streams(1)
    async with AsyncConnectionPool[Any](postgres_url, min_size=1, max_size=1, open=False) as pool:
        journal = PostgresJournal(pool)
        assert isinstance((await journal.append([writing((day, 0))])).outcomes[0], Appended)
        async with pool.connection() as connection:
            assert not connection.autocommit
    async with connected(postgres_url) as other:
        assert len((await other.load([day]))[day]) == 1


async def test_a_snapshot_older_than_the_lock_is_refused(postgres_url: str) -> None:
    """Under REPEATABLE READ the function would check versions as they were before it got the lock."""
    repeatable = make_conninfo(postgres_url, options="-c default_transaction_isolation=repeatable\\ read")
    async with connected(repeatable) as journal:
        with pytest.raises(psycopg.errors.RaiseException, match="READ COMMITTED"):
            await journal.append([writing((uuid4(), 0))])


@pytest.mark.parametrize(
    "attempt", ["UPDATE stored_events SET topic = 'x'", "DELETE FROM stored_events", "TRUNCATE stored_events"]
)
async def test_the_journal_is_never_altered(database: psycopg.Connection[Any], attempt: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never altered"):
        database.execute(attempt.encode())


async def test_the_library_reads_what_the_journal_wrote(journal: PostgresJournal, postgres_url: str) -> None:
    (day,) = streams(1)
    await journal.append([writing((day, 0), facts=3)])
    parts = conninfo_to_dict(postgres_url)
    with PostgresDatastore(
        str(parts["dbname"]), str(parts["host"]), parts.get("port") or "", str(parts["user"]), ""
    ) as datastore:
        recorder = JournalRecorder(datastore)
        events = recorder.select_events(day)
        head = recorder.max_notification_id()
        assert head
        notifications = recorder.select_notifications(head - 2, 10)
    assert [event.originator_version for event in events] == [1, 2, 3]
    mapper = FactMapper()
    assert [mapper.to_recorded(n) for n in notifications] == (await journal.load([day]))[day]


def test_the_insert_function_that_loses_events_cannot_be_turned_on() -> None:
    unsafe = PostgresDatastore("", "", "", "", "", enable_db_functions=True)
    with pytest.raises(ValueError, match="POSTGRES_ENABLE_DB_FUNCTIONS"):
        JournalRecorder(unsafe)


async def test_a_listener_is_told_of_every_append(journal: PostgresJournal, postgres_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as listener:
        await listener.execute("LISTEN daybook_journal")
        await journal.append([writing((uuid4(), 0))])
        heard = [n.channel async for n in listener.notifies(timeout=5, stop_after=1)]
    assert heard == ["daybook_journal"]
