"""A new object's stream is presumed not to exist: no round trip is spent on asking, and nothing rests on it."""

import asyncio
from dataclasses import replace
from uuid import UUID

from application.booking import book
from application.visits import Cancel, cancel
from application.writer import Writer
from domain.refusals import AlreadyExists, SlotTaken
from tests.desk import HOUR, NINE
from tests.writing_house import House, body, house_of_one_room, running, settled


async def warm(house: House, writer: Writer, service: UUID, customer: UUID) -> None:
    """Have all in its memory that a booking of the day needs."""
    await house.send(writer, book, house.book(service, customer, NINE + 8 * HOUR))


def test_a_booking_is_one_round_trip() -> None:
    async def scenario() -> None:
        house, service, customer = await house_of_one_room()
        writer = house.writer()
        async with running(writer):
            await warm(house, writer, service, customer)
            loads, batches = house.journal.loads, len(house.journal.batches)
            await house.send(writer, book, house.book(service, customer))
            assert (house.journal.loads, len(house.journal.batches)) == (loads, batches + 1)

    asyncio.run(scenario())


def test_what_was_begun_is_in_memory_from_then_on() -> None:
    async def scenario() -> None:
        house, service, customer = await house_of_one_room()
        writer = house.writer()
        async with running(writer):
            booked = await house.send(writer, book, house.book(service, customer))
            stream = writer.cache.get(UUID(body(booked)["id"]))
            assert stream
            assert stream.version == 1

    asyncio.run(scenario())


def test_a_retry_at_a_process_that_has_all_but_the_visit_in_memory_gets_the_first_answer() -> None:
    async def scenario() -> None:
        house, service, customer = await house_of_one_room()
        here, there = house.writer(), house.writer()
        command = house.book(service, customer)
        async with running(here, there):
            await warm(house, there, service, customer)
            first = await house.send(here, book, command, "k")
            head = house.journal.head()
            again = await house.send(there, book, command, "k")
        assert (again.body, again.position, again.replayed) == (first.body, first.position, True)
        assert house.journal.head() == head

    asyncio.run(scenario())


def test_an_id_that_is_taken_is_refused_though_it_was_presumed_to_be_new() -> None:
    async def scenario() -> None:
        house, service, customer = await house_of_one_room()
        here, there = house.writer(), house.writer()
        command = house.book(service, customer)
        async with running(here, there):
            await warm(house, there, service, customer)
            await house.send(here, book, command)
            head = house.journal.head()
            later = replace(command, start=NINE + 2 * HOUR)
            won, lost = await settled(
                house.send(there, book, later), house.send(there, book, house.book(service, customer, NINE + 4 * HOUR))
            )
        assert [type(refused) for refused in lost] == [AlreadyExists]
        assert len(won) == 1, "its batch goes on without it"
        assert house.journal.head() == head + 3

    asyncio.run(scenario())


def test_of_two_commands_of_a_batch_that_make_the_same_object_the_second_is_refused() -> None:
    async def scenario() -> None:
        house, service, customer = await house_of_one_room()
        writer = house.writer()
        command = house.book(service, customer)
        later = replace(command, start=NINE + 2 * HOUR)
        async with running(writer):
            await warm(house, writer, service, customer)
            won, lost = await settled(house.send(writer, book, command), house.send(writer, book, later))
        assert len(won) == 1
        assert [type(refused) for refused in lost] == [AlreadyExists]

    asyncio.run(scenario())


def test_a_refused_booking_leaves_no_memory_of_a_visit() -> None:
    async def scenario() -> None:
        house, service, customer = await house_of_one_room()
        here, there = house.writer(), house.writer()
        command = house.book(service, customer)
        async with running(here, there):
            taken = await house.send(here, book, house.book(service, customer))
            _, lost = await settled(house.send(here, book, command, "k"))
            assert [type(refused) for refused in lost] == [SlotTaken]
            await house.send(there, cancel, Cancel(appointment_id=UUID(body(taken)["id"])))
            first = await house.send(there, book, command, "k")
            # Here the visit was presumed not to exist, and does by now.
            await house.send(here, cancel, Cancel(appointment_id=UUID(body(first)["id"])))

    asyncio.run(scenario())
