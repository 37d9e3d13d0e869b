"""A clinic in an in-memory journal, and writers that know nothing of one another."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec

from adapters.memory_journal import MemoryJournal
from application.booking import Book
from application.journal import Appending, Draft, Entry, JournalUnavailable, Provenance
from application.writer import Answer, Writer
from domain.fact import Fact
from domain.permissions import Actor
from tests.desk import MONDAY, NINE, SEED, Desk


@dataclass
class StoppedClock:
    at: datetime = MONDAY

    def now(self) -> datetime:
        return self.at


@dataclass
class SlowJournal(MemoryJournal):
    """Gives way before and after every call, as a network would, counts the calls, and can lose its tongue."""

    loads: int = 0
    batches: list[int] = field(default_factory=list)
    lose_acknowledgements: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    async def load(self, stream_ids: Sequence[UUID]) -> Any:
        self.loads += 1
        await asyncio.sleep(0)
        return await super().load(stream_ids)

    async def append(self, entries: Sequence[Entry]) -> Appending:
        self.batches.append(len(entries))
        await asyncio.sleep(0)
        done = await super().append(entries)
        await asyncio.sleep(0)
        if self.lose_acknowledgements:
            self.lose_acknowledgements -= 1
            raise JournalUnavailable
        return done


class House:
    """A clinic in a journal, and writers that know nothing of one another."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.journal = SlowJournal()
        self.clock = StoppedClock()
        self.commands = 0

    async def open(self) -> "House":
        """Move what the desk has set up into the journal."""
        for number, (stream_id, fact) in enumerate(self.desk.facts):
            version = sum(1 for earlier, _ in self.desk.facts[:number] if earlier == stream_id)
            await MemoryJournal.append(self.journal, [_entry(number, stream_id, version, fact, self.desk.staff)])
        return self

    def writer(self, **changes: Any) -> Writer:
        return Writer(self.journal, self.clock, encode=msgspec.json.encode, **changes)

    def book(self, service: UUID, customer: UUID, start: datetime = NINE) -> Book:
        return Book(appointment_id=self.desk.new_id(), service_id=service, customer_id=customer, start=start)

    async def send(self, writer: Writer, use_case: Any, command: object, key: str = "", print_: bytes = b"") -> Answer:
        self.commands += 1
        return await writer.submit(
            use_case,
            command,
            actor=self.desk.staff,
            command_id=uuid5(SEED, key or f"command {self.commands}"),
            fingerprint=print_,
        )


def _entry(number: int, stream_id: UUID, version: int, fact: Fact, actor: Actor) -> Entry:
    command_id = uuid5(SEED, f"set up {number}")
    return Entry(
        command_id=command_id,
        fingerprint=b"",
        provenance=Provenance(
            organization_id=actor.organization_id, actor_id=actor.account_id, at=MONDAY, command_id=command_id
        ),
        reads={stream_id: version},
        drafts=(Draft(stream_id, version, (fact,)),),
        answer=b"{}",
    )


@asynccontextmanager
async def running(*writers: Writer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(writer.run()) for writer in writers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def settled(*sent: Any) -> tuple[list[Answer], list[BaseException]]:
    answers = await asyncio.gather(*sent, return_exceptions=True)
    return [a for a in answers if isinstance(a, Answer)], [a for a in answers if isinstance(a, BaseException)]


def body(answer: Answer) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(answer.body)
    return decoded


async def house_of_one_room() -> tuple[House, UUID, UUID]:
    """The house, a service of an hour in its only room, and a customer."""
    house = House()
    house.desk.resource()
    service, customer = house.desk.service(), house.desk.customer()
    return await house.open(), service, customer
