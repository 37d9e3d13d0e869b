"""Equal questions at the same time are worked out together, and never from what was read before they were asked."""

import asyncio
from contextlib import suppress

import pytest

from application.sharing import Sharing


class Diary:
    """What is read of it takes a while, and is as it was when the reading began."""

    def __init__(self) -> None:
        self.page = "empty"
        self.readings = 0

    async def read(self) -> str:
        self.readings += 1
        page = self.page
        await asyncio.sleep(0.01)
        return page


def test_who_asks_while_an_answer_is_worked_out_shares_the_next_one() -> None:
    async def story() -> None:
        diary, sharing = Diary(), Sharing[str]()
        first = asyncio.create_task(sharing.answer("free?", diary.read))
        await asyncio.sleep(0.005)
        diary.page = "full"
        later = [asyncio.create_task(sharing.answer("free?", diary.read)) for _ in range(5)]
        assert await first == "empty"
        assert await asyncio.gather(*later) == ["full"] * 5
        assert diary.readings == 2
        assert await sharing.answer("free?", diary.read) == "full"
        assert diary.readings == 3

    asyncio.run(story())


def test_other_questions_wait_for_nobody() -> None:
    async def story() -> None:
        never, diary, sharing = asyncio.Event(), Diary(), Sharing[object]()
        waiting = asyncio.create_task(sharing.answer("when?", never.wait))
        await asyncio.sleep(0)
        assert await sharing.answer("free?", diary.read) == "empty"
        never.set()
        await waiting

    asyncio.run(story())


def test_who_gives_up_takes_the_answer_from_nobody() -> None:
    async def story() -> None:
        diary, sharing = Diary(), Sharing[str]()
        asking = [asyncio.create_task(sharing.answer("free?", diary.read)) for _ in range(2)]
        await asyncio.sleep(0.005)
        asking[0].cancel()
        with suppress(asyncio.CancelledError):
            await asking[0]
        assert await asking[1] == "empty"
        assert diary.readings == 1

    asyncio.run(story())


def test_a_failure_is_told_to_all_who_shared_it_and_forgotten() -> None:
    async def story() -> None:
        diary, sharing = Diary(), Sharing[str]()

        async def fail() -> str:
            await asyncio.sleep(0)
            raise ConnectionError

        asked = await asyncio.gather(*(sharing.answer("free?", fail) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in asked] == [ConnectionError] * 3
        assert await sharing.answer("free?", diary.read) == "empty"

    asyncio.run(story())


@pytest.mark.parametrize("askers", [1, 50])
def test_nothing_is_kept_of_what_was_answered(askers: int) -> None:
    async def story() -> None:
        diary, sharing = Diary(), Sharing[str]()
        await asyncio.gather(*(sharing.answer(number, diary.read) for number in range(askers)))
        diary.page = "full"
        assert await sharing.answer(0, diary.read) == "full"

    asyncio.run(story())
