"""What happens at the door is noted as facts; what repeats is counted."""

import asyncio
from uuid import uuid4

import pytest

from application.access_log import COUNTED_FOR_S, AccessLog
from application.journal import JournalUnavailable
from application.writer import Writer
from domain.access import AccessFact, CallForbidden, SessionEnded, SessionEnding, SignInRejected
from tests.writing_house import House, running


class Minutes:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def noted(house: House) -> list[AccessFact]:
    facts = [recorded.fact for recorded in house.journal.read(after=0, limit=1_000)]
    return [fact for fact in facts if isinstance(fact, AccessFact)]


def on(work: object) -> None:
    asyncio.run(work)  # type: ignore[arg-type]


def begun(house: House, writer: Writer) -> tuple[AccessLog, Minutes]:
    clock = Minutes()
    return AccessLog(writer, new_id=uuid4, monotonic=clock), clock


def test_a_note_is_in_the_journal_when_it_is_made() -> None:
    async def work() -> None:
        house = await House().open()
        writer = house.writer()
        log, _ = begun(house, writer)
        ended = SessionEnded(account_id=uuid4(), session_id=uuid4(), because=SessionEnding.SIGNED_OUT)
        async with running(writer):
            await log.note(house.desk.staff, ended)

            assert noted(house) == [ended]

    on(work())


def test_of_a_thousand_times_the_first_is_noted_at_once_and_the_rest_in_one() -> None:
    async def work() -> None:
        house = await House().open()
        writer = house.writer()
        log, clock = begun(house, writer)
        first = SignInRejected(account_id=house.desk.staff.account_id, reason="wrong_password", times=1)
        async with running(writer):
            for _ in range(1_000):
                await log.note(house.desk.staff, first)
            assert noted(house) == [first]
            await log.flush(clock())
            assert noted(house) == [first]

            clock.now += COUNTED_FOR_S
            await log.flush(clock())

            rest = SignInRejected(account_id=house.desk.staff.account_id, reason="wrong_password", times=999)
            assert noted(house) == [first, rest]
            await log.note(house.desk.staff, first)  # the next minute begins anew
            assert noted(house) == [first, rest, first]

    on(work())


def test_what_differs_is_counted_apart() -> None:
    async def work() -> None:
        house = await House().open()
        writer = house.writer()
        log, _ = begun(house, writer)
        forbidden = [
            CallForbidden(account_id=house.desk.staff.account_id, operation=operation, times=1)
            for operation in ("audit.read", "organization.change")
        ]
        async with running(writer):
            for fact in forbidden * 2:
                await log.note(house.desk.staff, fact)

            assert noted(house) == forbidden

    on(work())


def test_a_note_that_could_not_be_made_is_the_first_of_its_kind_again() -> None:
    async def work() -> None:
        house = await House().open()
        writer = house.writer()
        log, _ = begun(house, writer)
        fact = CallForbidden(account_id=house.desk.staff.account_id, operation="audit.read", times=1)
        house.journal.lose_acknowledgements = 1
        async with running(writer):
            with pytest.raises(JournalUnavailable):
                await log.note(house.desk.staff, fact)
            await log.note(house.desk.staff, fact)

            assert noted(house) == [fact, fact]  # the first was recorded, but nobody could know

    on(work())
