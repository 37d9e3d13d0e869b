"""The group-commit loop on the in-memory journal; journeys run it on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pytest

from adapters.memory_journal import MemoryJournal
from application.booking import Book, Cancel, book, cancel
from application.decision import Decision, View
from application.journal import Appending, Draft, Entry, JournalUnavailable, Provenance, Turn
from application.stream_cache import StreamCache
from application.writer import Answer, InFlight, Writer
from domain.fact import Fact
from domain.permissions import Actor
from domain.refusals import KeyReused, NotFound, SlotTaken
from domain.service import Requirement
from tests.desk import MINUTE, MONDAY, NINE, SEED, Desk


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


def test_of_fifty_who_want_one_slot_one_gets_it_and_the_others_are_told() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer()
        async with running(writer):
            won, lost = await settled(*(house.send(writer, book, house.book(service, customer)) for _ in range(50)))
        assert len(won) == 1
        assert [type(refused) for refused in lost] == [SlotTaken] * 49
        assert house.journal.batches == [50]

    asyncio.run(scenario())


def test_a_cold_writer_loads_what_a_batch_needs_in_a_few_round_trips() -> None:
    async def scenario() -> None:
        house = House()
        for _ in range(20):
            house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer()
        async with running(writer):
            won, _ = await settled(*(house.send(writer, book, house.book(service, customer)) for _ in range(20)))
            assert len(won) == 20
            assert house.journal.loads <= 6
            before = house.journal.loads
            await settled(house.send(writer, book, house.book(service, customer, NINE + 120 * MINUTE)))
            assert house.journal.loads == before + 1  # the new appointment's own, empty stream

    asyncio.run(scenario())


def test_a_later_command_of_a_batch_sees_what_an_earlier_one_drafted() -> None:
    async def scenario() -> None:
        house = House()
        rooms = [house.desk.resource(), house.desk.resource()]
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer()
        async with running(writer):
            won, lost = await settled(*(house.send(writer, book, house.book(service, customer)) for _ in range(3)))
        assert [body(answer)["resource_ids"] for answer in won] == [[str(room)] for room in rooms]
        assert len(lost) == 1
        assert [answer.position for answer in won] == sorted({answer.position for answer in won})

    asyncio.run(scenario())


def test_a_retry_gets_the_answer_that_the_first_try_got() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer, elsewhere = (await house.open()).writer(), house.writer()
        command = house.book(service, customer)
        async with running(writer, elsewhere):
            first = await house.send(writer, book, command, "k", b"one")
            head = house.journal.head()
            for one in (writer, elsewhere):
                again = await house.send(one, book, command, "k", b"one")
                assert (again.body, again.position, again.replayed) == (first.body, first.position, True)
            with pytest.raises(KeyReused):
                await house.send(writer, book, command, "k", b"two")
        assert house.journal.head() == head

    asyncio.run(scenario())


def test_a_refused_command_is_not_remembered_and_is_decided_afresh() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer()
        async with running(writer):
            winner = await house.send(writer, book, house.book(service, customer))
            command = house.book(service, customer)
            with pytest.raises(SlotTaken):
                await house.send(writer, book, command, "k")
            await house.send(writer, cancel, Cancel(appointment_id=UUID(body(winner)["id"])))
            assert not (await house.send(writer, book, command, "k")).replayed

    asyncio.run(scenario())


def test_a_refusal_is_not_answered_on_a_page_that_another_process_has_changed() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        here, there = (await house.open()).writer(), house.writer()
        async with running(here, there):
            taken = await house.send(here, book, house.book(service, customer))
            await house.send(there, cancel, Cancel(appointment_id=UUID(body(taken)["id"])))
            # In this process's memory the slot is still taken.
            await house.send(here, book, house.book(service, customer))

    asyncio.run(scenario())


def test_processes_that_contend_for_the_same_pages_sell_nothing_twice_and_starve_no_one() -> None:
    async def scenario() -> None:
        house = House()
        scanner = house.desk.resource("scanner", capacity=30)
        service, customer = house.desk.service(Requirement(resource_id=scanner)), house.desk.customer()
        writers = [(await house.open()).writer(), house.writer(), house.writer()]
        async with running(*writers):
            won, lost = await settled(
                *(house.send(writers[n % 3], book, house.book(service, customer)) for n in range(90))
            )
        assert len(won) == 30
        assert {type(refused) for refused in lost} == {SlotTaken}
        assert sum(writer.tally.turns for writer in writers) > 0

    asyncio.run(scenario())


def test_a_lost_acknowledgement_is_an_error_once_and_then_the_answer() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer()
        command = house.book(service, customer)
        async with running(writer):
            house.journal.lose_acknowledgements = 1
            with pytest.raises(JournalUnavailable):
                await house.send(writer, book, command, "k")
            head = house.journal.head()
            assert (await house.send(writer, book, command, "k")).replayed
            with pytest.raises(SlotTaken):
                await house.send(writer, book, house.book(service, customer))
        assert house.journal.head() == head

    asyncio.run(scenario())


def test_the_same_command_twice_at_once_is_in_flight() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer()
        command = house.book(service, customer)
        async with running(writer):
            won, lost = await settled(*(house.send(writer, book, command, "k") for _ in range(3)))
        assert len(won) == 1
        assert [type(refused) for refused in lost] == [InFlight, InFlight]

    asyncio.run(scenario())


def test_a_client_that_goes_away_does_not_take_its_command_back() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer()
        command = house.book(service, customer)
        async with running(writer):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(house.send(writer, book, command, "k"), timeout=0)
            leaving = asyncio.create_task(house.send(writer, book, command, "l"))
            await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.sleep(0.05)
            assert (await house.send(writer, book, command, "l")).replayed

    asyncio.run(scenario())


def a_bug(view: View, command: object, actor: Actor, now: datetime) -> Decision:
    raise ZeroDivisionError


def a_blind_write(view: View, command: object, actor: Actor, now: datetime) -> Decision:
    return Decision([(actor.account_id, Fact())], {})


def test_a_bug_answers_its_own_command_and_no_other() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer()
        async with running(writer):
            won, lost = await settled(
                house.send(writer, a_bug, None),
                house.send(writer, a_blind_write, None),
                house.send(writer, book, house.book(service, customer)),
                house.send(writer, cancel, Cancel(appointment_id=SEED)),
            )
        assert len(won) == 1
        assert [type(one) for one in lost] == [ZeroDivisionError, RuntimeError, NotFound]

    asyncio.run(scenario())


def test_the_cache_is_bounded_and_the_oldest_streams_go_first() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer(cache=StreamCache(streams_max=8))
        async with running(writer):
            for hour in range(20):
                await house.send(writer, book, house.book(service, customer, NINE + hour * 60 * MINUTE))
                await asyncio.sleep(0)
                assert len(writer.cache) <= 8

    asyncio.run(scenario())


@dataclass
class BrokenTurn(SlowJournal):
    """Loses the connection while the turn is being committed."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        yield self
        raise JournalUnavailable


def test_what_was_decided_in_a_turn_is_not_believed_when_its_commit_fails() -> None:
    async def scenario() -> None:
        house = House()
        house.journal = BrokenTurn()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        here, there = (await house.open()).writer(), house.writer()
        async with running(here, there):
            taken = await house.send(here, book, house.book(service, customer))
            await house.send(there, cancel, Cancel(appointment_id=UUID(body(taken)["id"])))
            with pytest.raises(JournalUnavailable):
                await house.send(here, book, house.book(service, customer), "k")
            assert len(here.cache) == 0

    asyncio.run(scenario())
