"""The group-commit loop on the in-memory journal; journeys run it on PostgreSQL."""

import asyncio
from uuid import UUID

import pytest

from application.booking import book
from application.visits import Cancel, cancel
from domain.refusals import KeyReused, SlotTaken
from tests.desk import MINUTE, NINE
from tests.writing_house import House, body, house_of_one_room, running, settled


def test_of_fifty_who_want_one_slot_one_gets_it_and_the_others_are_told() -> None:
    async def scenario() -> None:
        house, service, customer = await house_of_one_room()
        writer = house.writer()
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
        service, customer = house.desk.service(customer_overlap_allowed=True), house.desk.customer()
        writer = (await house.open()).writer()
        async with running(writer):
            won, _ = await settled(*(house.send(writer, book, house.book(service, customer)) for _ in range(20)))
            assert len(won) == 20
            assert house.journal.loads <= 6
            before = house.journal.loads
            await settled(house.send(writer, book, house.book(service, customer, NINE + 120 * MINUTE)))
            assert house.journal.loads == before

    asyncio.run(scenario())


def test_a_later_command_of_a_batch_sees_what_an_earlier_one_drafted() -> None:
    async def scenario() -> None:
        house = House()
        rooms = [house.desk.resource(), house.desk.resource()]
        service, customer = house.desk.service(customer_overlap_allowed=True), house.desk.customer()
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
        house, service, customer = await house_of_one_room()
        writer = house.writer()
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
        house, service, customer = await house_of_one_room()
        here, there = house.writer(), house.writer()
        async with running(here, there):
            taken = await house.send(here, book, house.book(service, customer))
            await house.send(there, cancel, Cancel(appointment_id=UUID(body(taken)["id"])))
            # In this process's memory the slot is still taken.
            await house.send(here, book, house.book(service, customer))

    asyncio.run(scenario())
