"""Clients that want the same few starts, and ask again with the same key until they know."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from application.booking import Book, Reschedule, book, reschedule
from application.decision import UseCase
from application.journal import JournalUnavailable
from application.visits import Cancel, Confirm, Lapse, cancel, confirm, lapse
from application.writer import Answer, Busy, InFlight
from domain.appointment import AppointmentHeld
from domain.permissions import Actor
from domain.refusals import Refusal
from tests.desk import NINE, SEED
from tests.simulation.houses import SimulatedHouse
from tests.simulation.processes import Api, House, Unanswered

STARTS = 6
TRIES_MAX = 200
UNKNOWN = (Busy, InFlight, JournalUnavailable, Unanswered)


@dataclass(slots=True)
class Told:
    """What the client of one key was told, as often as it asked and was answered."""

    key: UUID
    answers: list[Answer] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    another: str = ""
    """What became of another command with the same key, where one was tried and answered."""


@dataclass(slots=True)
class Client:
    number: int
    house: House
    apis: Sequence[Api]
    at: SimulatedHouse
    told: list[Told]
    _mine: list[UUID] = field(default_factory=list)

    async def run(self, commands: int) -> None:
        for count in range(commands):
            await self.house.fate.io(0.5)
            await self._one(uuid5(SEED, f"{self.number}/{count}"))

    async def _one(self, key: UUID) -> None:
        random = self.house.fate.random
        start = NINE + random.randrange(STARTS) * timedelta(minutes=30)
        move = random.choice(["book", "book", "hold", "confirm", "cancel", "reschedule"])
        its_id = random.choice(self._mine) if self._mine else None
        if move in {"book", "hold"} or its_id is None:
            command: Any = Book(
                appointment_id=key,
                service_id=random.choice(self.at.service_ids),
                customer_id=random.choice(self.at.customer_ids),
                start=start,
                hold_min=random.choice([5, 60]) if move == "hold" else None,
            )
            self._mine.append(key)
            await self.settle(book, command, key)
        elif move == "reschedule":
            await self.settle(reschedule, Reschedule(appointment_id=its_id, start=start), key)
        elif move == "confirm":
            await self.settle(confirm, Confirm(appointment_id=its_id), key)
        else:
            await self.settle(cancel, Cancel(appointment_id=its_id), key)

    async def settle(self, use_case: UseCase[Any], command: object, key: UUID, actor: Actor | None = None) -> None:
        """Until it is known what became of it; then sometimes once more."""
        told, fate = Told(key), self.house.fate
        self.told.append(told)
        wanted = 1 + (fate.random.randrange(4) == 0)
        for _ in range(TRIES_MAX):
            api = fate.random.choice(self.apis)
            try:
                answer = await api.submit(use_case, command, actor or self.at.staff, key, repr(command).encode())
                told.answers.append(answer)
                fate.note(f"client {self.number}: {use_case.__name__} {key} is at {answer.position}")
            except UNKNOWN as unknown:
                fate.note(f"client {self.number}: {key} {type(unknown).__name__}")
                await fate.io(0.3)
                continue
            except Refusal as refusal:
                told.refusals.append(type(refusal).__name__)
                fate.note(f"client {self.number}: {key} {refusal!r}")
                return  # another time another answer: nothing was recorded
            if len(told.answers) >= wanted:
                await self._misuse(use_case, command, told, actor or self.at.staff)
                return
        raise AssertionError(f"{key} is not settled after {TRIES_MAX} tries")

    async def _misuse(self, use_case: UseCase[Any], command: object, told: Told, actor: Actor) -> None:
        """Now and then the key is used once more, and not for the same."""
        fate = self.house.fate
        if fate.random.randrange(4):
            return
        try:
            await fate.random.choice(self.apis).submit(use_case, command, actor, told.key, b"something else")
            told.another = "done"
        except UNKNOWN:
            return
        except Refusal as refusal:
            told.another = type(refusal).__name__
        fate.note(f"client {self.number}: {told.key} for something else: {told.another}")


async def timekeeper(client: Client) -> None:
    """Lets holds lapse whose time is up."""
    house = client.house
    fired: set[UUID] = set()
    while not house.fate.is_calm:
        await asyncio.sleep(0.5)
        for recorded in house.journal.read(after=0, limit=1_000_000):
            fact = recorded.fact
            if not isinstance(fact, AppointmentHeld) or fact.organization_id != client.at.clock.organization_id:
                continue
            if fact.until <= house.now() and fact.appointment_id not in fired:
                fired.add(fact.appointment_id)
                key = uuid5(fact.appointment_id, "lapse")
                await client.settle(lapse, Lapse(appointment_id=fact.appointment_id), key, client.at.clock)
