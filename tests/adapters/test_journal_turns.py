"""A turn at the journal, and following it: the same sentences in memory and on PostgreSQL."""

import asyncio
from uuid import uuid4

import pytest

from application.journal import Appended, Receipt, StaleDecision
from tests.adapters.journal_ends import Ends, position
from tests.adapters.journal_given import streams, writing

pytestmark = pytest.mark.anyio
STALE = StaleDecision()


async def test_within_a_turn_a_stale_entry_is_decided_again_and_appended_before_anyone_else(ends: Ends) -> None:
    day, other = streams(2)
    await ends.journal.append([writing((day, 0))])  # given
    head = ends.reader.head()
    async with ends.journal.turn() as turn:  # when
        assert (await turn.append([writing((day, 0))])).outcomes == [STALE]
        rival = asyncio.create_task(ends.journal.append([writing((other, 0))]))
        await asyncio.sleep(0.05)
        (mine,) = (await turn.append([writing((day, 1))])).outcomes
        assert not rival.done()
        assert ends.reader.head() == head, "nothing is durable before the turn ends"
        assert await ends.versions(day) == [1]
    assert position(mine) < position((await rival).outcomes[0])  # then
    assert await ends.versions(day, other) == [2, 1]


async def test_in_a_turn_later_appends_build_on_earlier_ones(ends: Ends) -> None:
    (day,) = streams(1)
    entry = writing((day, 0))
    async with ends.journal.turn() as turn:
        first = (await turn.append([entry])).outcomes[0]
        second = (await turn.append([writing((day, 1))])).outcomes[0]
        assert (await turn.append([writing((day, 1))])).outcomes == [STALE]
        assert isinstance((await turn.append([entry])).outcomes[0], Receipt)
    assert position(first) < position(second)
    assert await ends.versions(day) == [2]


async def test_a_turn_that_fails_leaves_nothing_behind(ends: Ends) -> None:
    (day,) = streams(1)
    head = ends.reader.head()
    entry = writing((day, 0), facts=2)

    async def fail_in_a_turn() -> None:
        async with ends.journal.turn() as turn:
            await turn.append([entry])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):  # when
        await fail_in_a_turn()
    assert ends.reader.head() == head  # then
    assert await ends.versions(day) == [0]
    assert isinstance((await ends.journal.append([entry])).outcomes[0], Appended), "no receipt is left either"


async def test_a_reader_gets_what_lies_after_a_position_up_to_another(ends: Ends) -> None:
    head = ends.reader.head()
    await ends.journal.append([writing((stream_id, 0)) for stream_id in streams(10)])

    def read(*, after: int, limit: int, upto: int | None = None) -> list[int]:
        return [r.position - head for r in ends.reader.read(after=head + after, limit=limit, upto=upto)]

    assert read(after=0, limit=3) == [1, 2, 3]
    assert read(after=3, limit=100) == [4, 5, 6, 7, 8, 9, 10]
    assert read(after=3, limit=100, upto=head + 5) == [4, 5]
    assert read(after=3, limit=1, upto=head + 5) == [4]
    assert read(after=10, limit=10) == []
    assert read(after=7, limit=10, upto=head + 7) == []


async def test_a_reader_leaves_out_topics_before_it_counts(ends: Ends) -> None:
    head = ends.reader.head()
    await ends.journal.append([writing((stream_id, 0)) for stream_id in streams(3)])
    topic = ends.reader.read(after=head, limit=1)[0].fact.TOPIC
    assert len(ends.reader.read(after=head, limit=2, besides={"another.topic.v1"})) == 2
    assert ends.reader.read(after=head, limit=2, besides={"another.topic.v1", topic}) == []


async def test_what_a_reader_reads_is_what_loading_loads(ends: Ends) -> None:
    (day,) = streams(1)
    head = ends.reader.head()
    await ends.journal.append([writing((day, 0), facts=3)])
    assert list(ends.reader.read(after=head, limit=10)) == list((await ends.journal.load([day]))[day])


async def test_the_epoch_stays_the_same_for_the_life_of_the_journal(ends: Ends) -> None:
    epoch = ends.reader.epoch()
    await ends.journal.append([writing((uuid4(), 0))])
    assert ends.reader.epoch() == epoch
