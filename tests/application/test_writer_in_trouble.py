"""What the group-commit loop does when others are faster, connections break and use cases have bugs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import pytest

from application.booking import book
from application.decision import Decision, View
from application.journal import JournalUnavailable, Turn
from application.lru import CacheTally
from application.stream_cache import StreamCache
from application.visits import Cancel, cancel
from application.writer import InFlight
from domain.fact import Fact
from domain.permissions import Actor
from domain.refusals import NotFound, SlotTaken
from domain.service import Requirement
from tests.desk import MINUTE, NINE, SEED
from tests.writing_house import House, SlowJournal, body, house_of_one_room, running, settled


def test_processes_that_contend_for_the_same_pages_sell_nothing_twice_and_starve_no_one() -> None:
    async def scenario() -> None:
        house = House()
        scanner = house.desk.resource("scanner", capacity=30)
        service = house.desk.service(Requirement(resource_id=scanner), customer_overlap_allowed=True)
        customer = house.desk.customer()
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
        house, service, customer = await house_of_one_room()
        writer = house.writer()
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
        house, service, customer = await house_of_one_room()
        writer = house.writer()
        command = house.book(service, customer)
        async with running(writer):
            won, lost = await settled(*(house.send(writer, book, command, "k") for _ in range(3)))
        assert len(won) == 1
        assert [type(refused) for refused in lost] == [InFlight, InFlight]

    asyncio.run(scenario())


def test_a_client_that_goes_away_does_not_take_its_command_back() -> None:
    async def scenario() -> None:
        house, service, customer = await house_of_one_room()
        writer = house.writer()
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
        house, service, customer = await house_of_one_room()
        writer = house.writer()
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
        room_for = 20_000
        writer = (await house.open()).writer(cache=StreamCache(bytes_max=room_for))
        async with running(writer):
            booked = []
            for hour in range(20):
                answer = await house.send(writer, book, house.book(service, customer, NINE + hour * 60 * MINUTE))
                booked.append(UUID(body(answer)["id"]))
                await asyncio.sleep(0)
                assert 0 < writer.cache.bytes <= room_for
        assert (writer.cache.get(booked[0]), writer.cache.get(service) is None) == (None, False)
        assert writer.cache.tally.evictions >= 10

    asyncio.run(scenario())


def test_a_stream_that_had_to_be_loaded_is_a_miss_and_the_next_time_a_hit() -> None:
    async def scenario() -> None:
        house = House()
        house.desk.resource()
        service, customer = house.desk.service(), house.desk.customer()
        writer = (await house.open()).writer()
        async with running(writer):
            await house.send(writer, book, house.book(service, customer, NINE))
            first = replace(writer.cache.tally)
            await house.send(writer, book, house.book(service, customer, NINE + 60 * MINUTE))
            second = writer.cache.tally
        # Service, customer, organization, its directory, the room, the diary page, the booking page; not the visit.
        assert first == CacheTally(hits=0, misses=7)
        assert second == CacheTally(hits=7, misses=7)

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


def test_a_journal_that_was_restored_to_the_past_is_believed_and_not_memory() -> None:
    async def scenario() -> None:
        house, service, customer = await house_of_one_room()
        writer = house.writer()
        before = SlowJournal()
        for journal in (before, house.journal):
            journal._facts, journal._streams = (
                [*house.journal._facts],
                {stream_id: [*facts] for stream_id, facts in house.journal._streams.items()},
            )
        async with running(writer):
            await house.send(writer, book, house.book(service, customer))
            writer.journal = house.journal = before
            assert not (await house.send(writer, book, house.book(service, customer))).replayed

    asyncio.run(scenario())
