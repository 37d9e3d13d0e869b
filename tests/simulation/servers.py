"""PostgreSQL and the broker as the processes see them: in memory, and gone at any moment."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from adapters.memory_feed import MemoryTopic
from adapters.memory_journal import MemoryJournal
from application.feed import Delivery, TopicUnavailable
from application.journal import Appending, Entry, JournalUnavailable, Recorded, Turn
from domain.fact import Fact
from tests.simulation.fate import Crash, Fate


@dataclass(frozen=True, slots=True)
class Connected:
    """One process's way to the journal: it takes time, it breaks, and what was committed may be told to nobody."""

    journal: MemoryJournal
    fate: Fate
    who: str

    async def load(self, stream_ids: Sequence[UUID]) -> dict[UUID, list[Recorded]]:
        await self.fate.io()
        self.fate.boundary("load", one_in=200)
        return await self.journal.load(stream_ids)

    async def append(self, entries: Sequence[Entry]) -> Appending:
        await self._reaches("append: before")
        appending = await self.journal.append(entries)
        self._committed("append: committed, not answered")
        await self.fate.io()
        return appending

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        await self._reaches("turn: begun", one_in=8)
        async with self.journal.turn() as turn:
            yield _WithinTurn(turn, self.fate)
            self.fate.boundary("turn: appended, not committed", one_in=10)
        self._committed("turn: committed, not answered")
        await self.fate.io()

    async def _reaches(self, name: str, *, one_in: int = 30) -> None:
        await self.fate.io()
        self.fate.boundary(name, one_in=one_in)
        if self.fate.strikes(40):
            self.fate.note(f"{self.who}: the journal is away")
            raise JournalUnavailable("before")

    def _committed(self, name: str) -> None:
        self.fate.note(f"{self.who}: the journal stands at {self.journal.head()}")
        self.fate.boundary(name, one_in=12)
        if self.fate.strikes(20):
            self.fate.note(f"{self.who}: is not told so")
            raise JournalUnavailable("after")


@dataclass(frozen=True, slots=True)
class _WithinTurn:
    turn: Turn
    fate: Fate

    async def append(self, entries: Sequence[Entry]) -> Appending:
        await self.fate.io()
        return await self.turn.append(entries)


@dataclass(slots=True)
class BreakingTopic(MemoryTopic):
    """The relay's end, which may die with half of a batch sent, and half of that on its way still."""

    fate: Fate

    def publish(self, deliveries: Sequence[Delivery]) -> None:
        self.fate.boundary("publish: before")
        try:
            self.fate.boundary("publish: in part", one_in=15)
        except Crash:
            sent = self.fate.random.randrange(len(deliveries) + 1)
            MemoryTopic.publish(self, deliveries[:sent])
            if self.fate.strikes(2):
                late_s = self.fate.random.uniform(0.0, 3.0)
                asyncio.get_running_loop().call_later(late_s, self._arrives_late, deliveries[sent:])
            raise
        if self.fate.strikes(40):
            raise TopicUnavailable("the broker is down")
        MemoryTopic.publish(self, deliveries)
        self.fate.note(f"published {[delivery.recorded.position for delivery in deliveries]}")
        self.fate.boundary("publish: all, not noted")

    def _arrives_late(self, deliveries: Sequence[Delivery]) -> None:
        """From a relay that is dead, or was paused and knows not yet that it leads no more."""
        self.fate.note(f"late {[delivery.recorded.position for delivery in deliveries]}")
        MemoryTopic.publish(self, deliveries)


@dataclass(slots=True)
class Rows:
    """What is committed of a sink: by stream its positions, and how far each partition has come."""

    checkpoint: dict[int, int] = field(default_factory=dict)
    positions: dict[UUID, list[int]] = field(default_factory=dict)

    def copied(self) -> "Rows":
        return Rows(dict(self.checkpoint), {stream_id: list(kept) for stream_id, kept in self.positions.items()})


class Folded:
    """A sink that keeps the position of every fact: whatever is missed, doubled or out of order shows."""

    NAME: ClassVar[str] = "folded"
    FACTS: ClassVar[Any] = Fact
    TABLES: ClassVar[str] = ""

    def project(self, batch: Sequence[Recorded], cursor: Any) -> None:
        cursor.write(batch)


class Database:
    """Sinks' rows. A follower's turn is one step of the loop, so no two transactions are ever open at once."""

    def __init__(self, fate: Fate, partitions: int) -> None:
        self.rows = Rows(dict.fromkeys(range(partitions), 0))
        self.fate = fate

    def connect(self) -> Any:
        return _Session(self)


class _Session:
    """As much of a psycopg connection and its cursor as a follower uses; statements are known by how they begin."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fate = database.fate
        self._found: list[tuple[int, ...]] = []
        self._open: Rows | None = None
        self.autocommit = False
        self.closed = False

    def close(self) -> None:
        self.closed = True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._open = self._database.rows.copied()
        try:
            yield
            self._fate.boundary("rows: not committed", one_in=40)
            self._database.rows = self._open
        finally:
            self._open = None
        self._fate.boundary("rows: committed, not noted", one_in=40)

    @contextmanager
    def cursor(self) -> Iterator["_Session"]:
        yield self

    def execute(self, statement: object, parameters: Sequence[Any] = (), **_: object) -> "_Session":
        text = str(statement)
        if text.startswith("SELECT partition, position FROM checkpoint"):
            self._found = sorted(self._rows.checkpoint.items())
        elif text.startswith("WITH held AS"):
            self._fate.boundary("rows: before", one_in=60)
            self._found = self._move(*parameters[1:4])
            self._fate.boundary("rows: checkpoint moved, rows not written", one_in=60)
        elif text.startswith("SELECT to_regclass"):
            self._found = [(1,)]
        return self

    def write(self, batch: Sequence[Recorded]) -> None:
        rows = self._rows
        for recorded in batch:
            rows.positions.setdefault(recorded.stream_id, []).append(recorded.position)
        self._fate.boundary("rows: written, checkpoint not moved", one_in=60)

    def fetchall(self) -> list[tuple[int, ...]]:
        return self._found

    def fetchone(self) -> tuple[int, ...] | None:
        return self._found[0] if self._found else None

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return iter(self._found)

    @property
    def _rows(self) -> Rows:
        return self._open or self._database.rows

    def _move(self, partitions: Sequence[int], upto: Sequence[int], known: Sequence[int]) -> list[tuple[int, ...]]:
        rows, held = self._rows, list[tuple[int, ...]]()
        for partition, position, at_least in zip(partitions, upto, known, strict=True):
            stood = rows.checkpoint[partition]
            if stood >= at_least:
                rows.checkpoint[partition] = max(stood, position)
                held.append((partition, stood, 0))
        return held


@dataclass(frozen=True, slots=True)
class ReadJournal:
    """A follower's and the relay's way to the journal."""

    journal: MemoryJournal
    fate: Fate

    def read(
        self, *, after: int, limit: int, upto: int | None = None, besides: Collection[str] = ()
    ) -> Sequence[Recorded]:
        self._reach()
        return self.journal.read(after=after, limit=limit, upto=upto, besides=besides)

    def head(self) -> int:
        self._reach()
        return self.journal.head()

    def organizations(self, *, after: int) -> Mapping[UUID, int]:
        self._reach()
        return self.journal.organizations(after=after)

    def epoch(self) -> UUID:
        return self.journal.epoch()

    def _reach(self) -> None:
        if self.fate.strikes(100):
            raise JournalUnavailable("away")
