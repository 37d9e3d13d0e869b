"""Both ends of a journal, in memory and on PostgreSQL, for the tests that hold for either."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.journal_reader import PostgresJournalReader
from adapters.memory_journal import MemoryJournal
from adapters.postgres_journal import PostgresJournal
from application.journal import Appended, Journal, JournalReader, Outcome


class Reader(JournalReader, Protocol):
    def epoch(self) -> UUID: ...


@dataclass
class Ends:
    """Both ends of one journal."""

    journal: Journal
    reader: Reader

    async def versions(self, *stream_ids: UUID) -> list[int]:
        loaded = await self.journal.load(stream_ids)
        return [len(loaded[stream_id]) for stream_id in stream_ids]


@asynccontextmanager
async def connected(url: str, *, connections: int = 4, **options: Any) -> AsyncIterator[PostgresJournal]:
    kwargs = {"autocommit": True}
    async with AsyncConnectionPool(url, min_size=1, max_size=connections, kwargs=kwargs, open=False) as pool:
        yield PostgresJournal(pool, **options)


@pytest.fixture(params=["memory", "postgres"])
async def ends(request: pytest.FixtureRequest) -> AsyncIterator[Ends]:
    if request.param == "memory":
        memory = MemoryJournal()
        yield Ends(memory, memory)
        return
    url = request.getfixturevalue("postgres_url")
    async with connected(url) as journal:
        with psycopg.connect(url, autocommit=True) as connection:
            yield Ends(journal, PostgresJournalReader(connection))


def position(outcome: Outcome) -> int:
    assert isinstance(outcome, Appended), outcome
    return outcome.position
