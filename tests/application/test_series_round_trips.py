"""However many occurrences a series has, its decision asks the journal a few times only."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from application.moving import RescheduleSeries, reschedule_series
from application.recurring import BeginSeries, CancelSeries, begin_series, cancel_series
from domain.series import OCCURRENCES_MAX, Scope
from domain.service import BookingLimit, Holder, Period
from tests.desk import HOUR
from tests.recurring_desk import AT_NINE, weekly
from tests.writing_house import House, running

LOADS_MAX = 10
LIMITS = (BookingLimit(Holder.CUSTOMER, Period.DAY, 1), BookingLimit(Holder.SERVICE, Period.WEEK, 100))


async def loads_of_a_series(count: int, *, seats: int) -> list[int]:
    """How often the journal was asked to begin, to move and to call off a series, each with nothing in memory."""
    house = House()
    for _ in range(3):
        house.desk.resource()
    service = house.desk.service(seats=seats, max_advance_days=400, booking_limits=LIMITS)
    customer = house.desk.customer()
    await house.open()
    writer, series_id = house.writer(), UUID(int=4711)
    begin = BeginSeries(
        series_id=series_id,
        service_id=service,
        customer_id=customer,
        start_local=AT_NINE,
        time_zone="UTC",
        rrule="FREQ=DAILY",
        starts=weekly(count, step=timedelta(days=1)),
    )
    move = RescheduleSeries(series_id=series_id, scope=Scope.ALL, start_local=AT_NINE + HOUR)
    loads = []
    async with running(writer):
        for use_case, command in (
            (begin_series, begin),
            (reschedule_series, move),
            (cancel_series, CancelSeries(series_id=series_id, scope=Scope.ALL)),
        ):
            writer.cache.clear()
            house.journal.loads = 0
            await house.send(writer, use_case, command)
            loads.append(house.journal.loads)
    return loads


@pytest.mark.parametrize("seats", [1, 3])
def test_the_journal_is_asked_as_often_for_a_year_as_for_a_week(seats: int) -> None:
    for_a_week = asyncio.run(loads_of_a_series(7, seats=seats))
    for_a_year = asyncio.run(loads_of_a_series(OCCURRENCES_MAX, seats=seats))

    assert for_a_year == for_a_week
    assert max(for_a_year) <= LOADS_MAX
