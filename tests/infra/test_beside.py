"""What runs beside the requests ends with them."""

import asyncio

import pytest

from infra.beside import beside


async def _loses_the_first_cancellation(seen: list[str]) -> None:
    """As ``asyncio.wait_for`` does before Python 3.12 where what it waits for is done at the same moment."""
    while True:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            seen.append("cancelled")
            if len(seen) > 1:
                raise


def test_what_misses_being_asked_to_end_is_asked_again() -> None:
    seen: list[str] = []

    async def scenario() -> None:
        async with (
            asyncio.timeout(20),
            beside([lambda: _loses_the_first_cancellation(seen), lambda: asyncio.sleep(30)]),
        ):
            await asyncio.sleep(0)

    asyncio.run(scenario())

    assert seen == ["cancelled", "cancelled"]


def test_it_ends_too_where_what_it_runs_beside_fails() -> None:
    seen: list[str] = []

    async def scenario() -> None:
        async with asyncio.timeout(20), beside([lambda: _loses_the_first_cancellation(seen)]):
            await asyncio.sleep(0)
            raise LookupError

    with pytest.raises(ExceptionGroup) as failed:
        asyncio.run(scenario())
    assert [type(one) for one in failed.value.exceptions] == [LookupError]
    assert seen == ["cancelled", "cancelled"]


def test_one_that_fails_takes_all_else_with_it() -> None:
    async def fails() -> None:
        raise LookupError

    async def scenario() -> None:
        async with beside([fails, lambda: asyncio.sleep(30)]):
            await asyncio.sleep(30)

    with pytest.raises(ExceptionGroup) as failed:
        asyncio.run(scenario())
    assert [type(one) for one in failed.value.exceptions] == [LookupError]
