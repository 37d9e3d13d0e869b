"""What happens to an append when the server, the network or another process fails it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from adapters import postgres_journal
from adapters.journal_reader import PostgresJournalReader
from adapters.postgres_journal import PostgresJournal
from application.journal import Appended, JournalUnavailable, Receipt
from tests.adapters.journal_ends import connected
from tests.adapters.journal_given import streams, writing
from tests.adapters.severed_postgres import SeveredPostgres

pytestmark = pytest.mark.anyio


@pytest.fixture
async def journal(postgres_url: str) -> AsyncIterator[PostgresJournal]:
    async with connected(postgres_url) as journal:
        yield journal


@pytest.fixture
def database(postgres_url: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


async def test_a_lost_acknowledgement_is_unavailable_and_the_retry_finds_the_receipt(postgres_url: str) -> None:
    (day,) = streams(1)
    entry = writing((day, 0))
    async with SeveredPostgres(postgres_url) as severed, connected(severed.url, connections=1) as journal:
        await journal.append([writing((uuid4(), 0))])  # given
        severed.swallow_next_answer()
        with pytest.raises(JournalUnavailable):  # when
            await journal.append([entry])
        (outcome,) = (await journal.append([entry])).outcomes  # then
        assert isinstance(outcome, Receipt)
        assert outcome.answer == entry.answer
        assert len((await journal.load([day]))[day]) == 1


async def test_a_turn_whose_commit_is_not_acknowledged_is_found_by_its_receipt(postgres_url: str) -> None:
    async def a_turn() -> None:
        async with journal.turn() as turn:
            await turn.append([entry])
            severed.swallow_next_answer()

    entry = writing((uuid4(), 0))
    async with SeveredPostgres(postgres_url) as severed, connected(severed.url, connections=1) as journal:
        with pytest.raises(JournalUnavailable):
            await a_turn()
        assert isinstance((await journal.append([entry])).outcomes[0], Receipt)


async def test_a_backend_that_dies_while_it_waits_has_appended_nothing(
    postgres_url: str, journal: PostgresJournal
) -> None:
    (day,) = streams(1)
    async with await psycopg.AsyncConnection.connect(postgres_url) as holder:  # given
        await holder.execute("LOCK TABLE journal_epoch IN EXCLUSIVE MODE")
        appending = asyncio.create_task(journal.append([writing((day, 0))]))
        await _until_someone_waits(postgres_url)
        await holder.execute(                                                                    # when
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )  # fmt: skip
        with pytest.raises(JournalUnavailable):  # then
            await appending
    assert (await journal.load([day]))[day] == []
    assert isinstance((await journal.append([writing((day, 0))])).outcomes[0], Appended), "the pool has recovered"


async def test_who_waits_too_long_for_the_lock_is_told_so(postgres_url: str) -> None:
    async with (
        connected(postgres_url, lock_timeout_s=0.1) as journal,
        await psycopg.AsyncConnection.connect(postgres_url) as holder,
    ):
        await holder.execute("LOCK TABLE journal_epoch IN EXCLUSIVE MODE")
        with pytest.raises(JournalUnavailable, match="lock timeout"):
            await journal.append([writing((uuid4(), 0))])


async def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(postgres_url: str) -> None:
    async with (
        connected(postgres_url, lock_timeout_s=60, answer_timeout_s=0.2) as journal,
        await psycopg.AsyncConnection.connect(postgres_url) as holder,
    ):
        await holder.execute("LOCK TABLE journal_epoch IN EXCLUSIVE MODE")
        with pytest.raises(JournalUnavailable):
            await journal.append([writing((uuid4(), 0))])


async def test_a_process_that_stops_in_its_turn_does_not_stop_the_others(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fall_asleep(journal: PostgresJournal) -> None:
        async with journal.turn() as turn:
            await turn.append([entry])
            await asyncio.sleep(1)

    monkeypatch.setattr(postgres_journal, "_TURN_IDLE_TIMEOUT_MS", 200)
    entry = writing((uuid4(), 0))
    async with connected(postgres_url) as sleeper, connected(postgres_url) as other:
        asleep = asyncio.create_task(fall_asleep(sleeper))
        await asyncio.sleep(0.1)
        assert isinstance((await other.append([writing((uuid4(), 0))])).outcomes[0], Appended)
        with pytest.raises(JournalUnavailable):
            await asleep
        assert isinstance((await other.append([entry])).outcomes[0], Appended), "the sleeper's turn was rolled back"


async def test_a_full_disk_is_unavailable_and_nothing_is_half_written(
    journal: PostgresJournal, database: psycopg.Connection[Any]
) -> None:
    (day,) = streams(1)
    entry = writing((day, 0))
    database.execute(
        "CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END$$"
    )
    database.execute("CREATE TRIGGER disk_full BEFORE INSERT ON receipts EXECUTE FUNCTION disk_is_full()")
    try:
        with pytest.raises(JournalUnavailable, match="No space left"):
            await journal.append([entry])
        assert (await journal.load([day]))[day] == []
    finally:
        database.execute("DROP TRIGGER disk_full ON receipts")
    assert isinstance((await journal.append([entry])).outcomes[0], Appended)


async def test_a_server_that_only_lets_read_is_unavailable(postgres_url: str) -> None:
    read_only = make_conninfo(postgres_url, options="-c default_transaction_read_only=on")
    async with connected(read_only) as journal:
        with pytest.raises(JournalUnavailable, match="read-only"):
            await journal.append([writing((uuid4(), 0))])


async def test_no_server_at_all_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_journal, "CONNECTION_TIMEOUT_S", 0.3)
    with TemporaryDirectory() as nothing_here:
        pool: AsyncConnectionPool[Any] = AsyncConnectionPool(f"host={nothing_here} dbname=x", min_size=1, open=False)
        await pool.open()
        try:
            with pytest.raises(JournalUnavailable):
                await PostgresJournal(pool).load([uuid4()])
        finally:
            await pool.close()


async def test_the_reader_says_when_its_connection_is_gone(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        reader = PostgresJournalReader(connection)
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        with pytest.raises(JournalUnavailable):
            reader.head()


async def _until_someone_waits(url: str) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as watcher:
        for _ in range(200):
            if (await watcher.execute(waiting)).rowcount:
                return
            await asyncio.sleep(0.02)
    raise AssertionError("no one came to wait for the lock")
