"""The waitlist's keeper on real tables: what became free without being given back is found, and offered in order."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from adapters.journal_reader import PostgresJournalReader
from adapters.postgres_journal import PostgresJournal
from adapters.walls import Walls
from application.decision import evolved
from application.keeping import Keeper
from application.masks import Masks
from application.resource_times import SetWorkingHours, set_working_hours
from application.slots import Sources
from application.visits import Cancel, cancel
from application.waiting import Decline, Join, decline, join
from application.writer import Writer
from domain.fact import Fact
from domain.service import BookingLimit, Holder, Period, Requirement
from domain.waitlist import Waitlist, WaitlistOffered, waitlist_id
from infra.waitlist_keeper import make_round, queue_in
from projections.availability import Availability
from projections.availability_queries import AvailabilityQueries
from projections.offer_rounds import DueRounds, OfferRounds, TakenRound
from projections.waitlist_queue import WaitlistQueue
from tests.desk import ALL_DAY, HOUR, NINE
from tests.projections.front_desk import FrontDesk

T = TypeVar("T")
A_DAY = timedelta(days=1)
ROUNDS_MAX = 20


class House:
    """A front desk with a room that is closed all week, for which people wait."""

    def __init__(self, front: FrontDesk) -> None:
        self.front, self.desk = front, front.desk
        self.cell = self.desk.resource("cell", shifts=())
        self.service = self.desk.service(Requirement(resource_id=self.cell), slot_step_min=60)

    def joins(self, start: datetime = NINE, hours: int = 1, **wish: Any) -> UUID:
        command = Join(
            entry_id=self.desk.new_id(),
            service_id=wish.pop("service_id", self.service),
            customer_id=wish.pop("customer_id", None) or self.desk.customer(),
            windows=((start, start + hours * HOUR),),
            **wish,
        )
        return UUID(str(self.desk.do(join, command)["id"]))

    def opens(self) -> None:
        self.desk.do(set_working_hours, SetWorkingHours(resource_id=self.cell, shifts=ALL_DAY), self.desk.owner)

    def follow(self, *sinks: Any) -> None:
        for sink in sinks or (Availability(1), WaitlistQueue(1), OfferRounds()):
            self.front.follow(sink)

    def keep(self) -> list[str]:
        """What came of the rounds that were due, by the desk's clock: by the database's, what it books is long over."""
        return self.with_rounds(partial(_all_rounds, now=self.desk.now))

    def with_rounds(self, story: Callable[[DueRounds, Keeper], Awaitable[T]]) -> T:
        async def run() -> T:
            async with AsyncConnectionPool[Any](
                self.front.url, min_size=1, max_size=8, kwargs={"autocommit": True}
            ) as pool:
                writer = Writer(PostgresJournal(pool), self.front, encode=msgspec.json.encode)
                queries = AvailabilityQueries(Walls(pool), 1)
                sources = Sources(offers=queries, masks=Masks(queries), clock=self.front)
                writing = asyncio.create_task(writer.run())
                try:
                    return await story(DueRounds(pool), Keeper(partial(queue_in, pool, 1), sources, writer.submit))
                finally:
                    writing.cancel()

        return asyncio.run(run())

    def journal(self) -> list[Fact]:
        """What is recorded of the waitlist."""
        with psycopg.connect(self.front.url) as connection:
            recorded = PostgresJournalReader(connection).read(after=0, limit=100_000)
        own = waitlist_id(self.desk.organization_id)
        return [one.fact for one in recorded if one.stream_id == own]

    def offers(self) -> list[tuple[UUID, datetime]]:
        return [(fact.entry_id, fact.visit.start) for fact in self.journal() if isinstance(fact, WaitlistOffered)]

    def waitlist(self) -> Waitlist:
        state: Any = None
        for fact in self.journal():
            state = evolved(state, fact)
        assert isinstance(state, Waitlist)
        return state


async def _all_rounds(due: DueRounds, keeper: Keeper, *, now: datetime) -> list[str]:
    came: list[str] = []
    while len(came) < ROUNDS_MAX:
        async with due.take(now) as taken:
            if taken is None:
                return came
            came.append(await make_round(keeper, taken))
    raise AssertionError(f"rounds without end: {came}")


@pytest.fixture
def house(postgres_url: str) -> Iterator[House]:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("TRUNCATE offer_rounds.round")
    with ConnectionPool[Any](postgres_url, min_size=1) as pool:
        yield House(FrontDesk(postgres_url, pool, seed=uuid4().int))


def test_new_hours_are_offered_in_order(house: House) -> None:
    first, second, third = house.joins(), house.joins(hours=2), house.joins()
    house.follow()
    assert house.keep() == ["done"]
    assert house.offers() == []

    house.opens()
    house.follow()
    came = house.keep()

    assert came == ["done"]
    assert house.offers() == [(first, NINE), (second, NINE + HOUR)]
    assert [entry.id for entry in house.waitlist().entries if entry.offer is None] == [third]


def test_who_joins_while_there_is_room_is_offered_it(house: House) -> None:
    house.opens()
    house.follow()
    assert house.keep() == []

    entry = house.joins()
    house.follow()
    house.keep()

    assert house.offers() == [(entry, NINE)]


def test_a_round_waits_for_the_read_models(house: House) -> None:
    entry = house.joins()
    house.follow()
    house.keep()
    house.opens()

    house.follow(WaitlistQueue(1), OfferRounds())
    early = house.keep()
    house.follow(Availability(1))
    _make_due(house)

    assert early == ["put_off"]
    assert house.keep() == ["done"]
    assert house.offers() == [(entry, NINE)]


def test_who_is_back_from_elsewhere_is_offered_what_was_free_all_along(house: House) -> None:
    house.opens()
    customer_id = house.desk.customer()
    visit = house.front.books(customer_id)
    entry = house.joins(customer_id=customer_id)
    house.follow()
    house.keep()
    assert house.offers() == []

    house.desk.do(cancel, Cancel(appointment_id=visit.id))
    house.follow()
    house.keep()

    assert house.offers() == [(entry, NINE)]


def test_another_time_of_the_day_is_offered_once_the_days_limit_is_not_reached_any_more(house: House) -> None:
    house.opens()
    limit = BookingLimit(Holder.SERVICE, Period.DAY, 1)
    service = house.desk.service(Requirement(resource_id=house.cell), slot_step_min=60, booking_limits=(limit,))
    visit = house.desk.booked(service, NINE + 5 * HOUR)
    entry = house.joins(service_id=service)
    house.follow()
    house.keep()
    assert house.offers() == []

    house.desk.do(cancel, Cancel(appointment_id=visit.id))
    house.follow()
    house.keep()

    assert house.offers() == [(entry, NINE)]


def test_what_became_free_while_an_offer_stood_is_offered_after_it_was_declined(house: House) -> None:
    house.opens()
    at_nine, at_ten = house.desk.booked(house.service), house.desk.booked(house.service, NINE + HOUR)
    entry = house.joins(hours=2)
    for visit in (at_nine, at_ten):
        house.desk.do(cancel, Cancel(appointment_id=visit.id))
    house.desk.do(decline, Decline(entry_id=entry))

    house.follow()
    house.keep()

    assert house.offers() == [(entry, NINE), (entry, NINE + HOUR)]


def test_an_entry_ends_when_its_last_window_does(house: House) -> None:
    over, waits = house.joins(NINE - HOUR), house.joins(NINE + A_DAY)
    house.follow()
    house.keep()

    def keep_at(now: datetime) -> list[str]:
        house.desk.now = now
        return house.with_rounds(partial(_one_round, now=now))

    assert keep_at(NINE - timedelta(seconds=1)) == []
    assert keep_at(NINE) == ["done"]
    assert [entry.id for entry in house.waitlist().entries] == [waits]
    assert keep_at(NINE + HOUR) == []
    assert over not in {entry.id for entry in house.waitlist().entries}


async def _one_round(due: DueRounds, keeper: Keeper, *, now: datetime) -> list[str]:
    async with due.take(now) as taken:
        return [await make_round(keeper, taken)] if taken else []


def test_a_round_is_not_made_again_and_again_while_the_clock_that_decides_is_behind(house: House) -> None:
    house.joins()
    house.follow()

    def keep_at(now: datetime) -> list[str]:
        return house.with_rounds(partial(_all_rounds, now=now))

    # The taker's clock says that the entry's window is over; the desk's, by which is decided, is an hour behind.
    assert keep_at(NINE + HOUR) == ["done"]
    assert keep_at(NINE + HOUR) == []
    _make_due(house)
    assert keep_at(NINE + HOUR) == ["done"]  # after a pause


def test_what_happens_during_a_round_is_looked_into_by_the_next(house: House) -> None:
    house.joins()
    house.follow()

    async def story(due: DueRounds, keeper: Keeper) -> list[str]:
        async with due.take(house.desk.now) as taken:
            assert taken
            house.opens()
            # The row is not locked: whoever applies the fact does not wait for the round to end.
            await asyncio.to_thread(house.follow)
            early = TakenRound(taken.organization_id, taken.position, taken.connection)
            await early.done(None)
        return await _all_rounds(due, keeper, now=house.desk.now)

    assert house.with_rounds(story) == ["done"]
    assert len(house.offers()) == 1


def test_two_keepers_do_not_make_the_same_round(house: House) -> None:
    house.joins()
    house.follow()

    async def story(due: DueRounds, keeper: Keeper) -> tuple[bool, bool, bool]:
        async with due.take(house.desk.now) as ours, due.take(house.desk.now) as theirs:
            seen = ours is not None, theirs is not None
        async with due.take(house.desk.now) as left:  # neither done nor put off
            return (*seen, left is not None)

    assert house.with_rounds(story) == (True, False, True)


def test_where_nobody_ever_waited_there_is_nothing_to_look_at(house: House) -> None:
    house.opens()
    visit = house.desk.booked(house.service)
    house.desk.do(cancel, Cancel(appointment_id=visit.id))

    house.follow()

    assert house.keep() == []


def _make_due(house: House) -> None:
    with psycopg.connect(house.front.url) as connection:
        connection.execute("UPDATE offer_rounds.round SET retry_at = NULL")
