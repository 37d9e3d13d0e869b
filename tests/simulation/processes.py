"""Daybook's processes, real but for their servers. Any of them may die; whoever dies is started again."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from adapters.memory_feed import MemoryBroker, MemoryFeed
from adapters.memory_journal import MemoryJournal
from application.decision import UseCase
from application.feed import TopicUnavailable
from application.journal import JournalUnavailable
from application.relaying import Relay
from application.writer import Answer, Writer
from domain.permissions import Actor
from projections.following import Follower
from tests.desk import MONDAY
from tests.simulation.fate import Crash, Fate
from tests.simulation.houses import PARTITIONS
from tests.simulation.servers import BreakingTopic, Connected, Database, Folded, ReadJournal

APIS, RELAYS, FOLLOWERS = 2, 2, 2
CLOCK_RUNS = 60
"""Minutes of the house for a second of the run's: deadlines of holds pass within it."""


class Unanswered(Exception):  # noqa: N818
    """The process died, or lost its journal: what became of the command nobody knows."""


@dataclass(slots=True)
class House:
    """All servers of a run, and who leads."""

    fate: Fate
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    broker: MemoryBroker = field(default_factory=lambda: MemoryBroker(PARTITIONS))
    database: Database = field(init=False)
    leader: str | None = None
    was_wiped: bool = False
    is_over: bool = False

    def __post_init__(self) -> None:
        self.database = Database(self.fate, PARTITIONS)

    def now(self) -> datetime:
        return MONDAY + timedelta(minutes=CLOCK_RUNS * asyncio.get_running_loop().time())

    def shares(self) -> list[frozenset[int]]:
        """Who has which partitions, as the group's coordinator would have it at this moment."""
        owners = [self.fate.random.randrange(FOLLOWERS) for _ in range(PARTITIONS)]
        return [frozenset(p for p, owner in enumerate(owners) if owner == one) for one in range(FOLLOWERS)]


class Api:
    """One API process at a time."""

    def __init__(self, house: House, name: str) -> None:
        self._house = house
        self.name = name
        self._begin()

    def _begin(self) -> None:
        fate = self._house.fate
        fate.note(f"{self.name} starts")
        journal = Connected(self._house.journal, fate, self.name)
        self.writer = Writer(journal, self._house, lambda answer: json.dumps(answer, default=str).encode())
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._running = asyncio.get_running_loop().create_task(self.writer.run())
        self._running.add_done_callback(self._died)

    def _died(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        assert isinstance(task.exception(), Crash), "a writer ends by dying only"
        ended = self.ended
        self._begin()
        ended.set_result(None)

    def stop(self) -> None:
        self._running.cancel()

    async def submit(
        self, use_case: UseCase[Any], command: object, actor: Actor, key: UUID, fingerprint: bytes
    ) -> Answer:
        """Raises what the writer does, and ``Unanswered``."""
        ended = self.ended
        work = self.writer.submit(use_case, command, actor=actor, command_id=key, fingerprint=fingerprint)
        asked = asyncio.get_running_loop().create_task(work)
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def come(_: object) -> None:
            if not first.done():
                first.set_result(None)

        asked.add_done_callback(come)
        ended.add_done_callback(come)
        await first
        ended.remove_done_callback(come)
        if not asked.done():
            asked.cancel()
            raise Unanswered
        return asked.result()


async def relay(house: House, name: str) -> None:
    """Dies, and is started again, until all is over."""
    while not house.is_over:
        try:
            await _lead(house, name)
        except Crash:
            house.leader = None if house.leader == name else house.leader
            await house.fate.io(0.5)


async def _lead(house: House, name: str) -> None:
    fate = house.fate
    made = Relay(
        ReadJournal(house.journal, fate),
        BreakingTopic(house.broker, fate),
        PARTITIONS,
        lambda: min(house.database.rows.checkpoint.values()),
        monotonic=asyncio.get_running_loop().time,
    )
    while not house.is_over:
        await fate.io(0.2)
        if house.leader is None:
            fate.note(f"{name} leads")
            house.leader = name
        if house.leader != name:
            continue
        try:
            made.step()
        except (TopicUnavailable, JournalUnavailable) as lost:
            fate.note(f"{name}: {lost}")
        if fate.strikes(60):
            fate.note(f"{name} has lost the lock")
            house.leader = None
            return


async def follower(house: House, number: int, share: Callable[[], frozenset[int]]) -> None:
    fate = house.fate
    while not house.is_over:
        loop = asyncio.get_running_loop()
        feed = MemoryFeed(house.broker, share())
        made = Follower(
            [Folded()],
            feed,
            ReadJournal(house.journal, fate),
            connect=house.database.connect,
            partitions=PARTITIONS,
            monotonic=loop.time,
        )
        try:
            while not house.is_over:
                await fate.io(0.3)
                feed.assigned = share()
                try:
                    applied = made.step(0.0)
                except JournalUnavailable:
                    continue
                if applied:
                    fate.note(f"follower {number} has applied {applied}")
        except Crash:
            await fate.io(0.5)
        finally:
            made._threads.shutdown()
