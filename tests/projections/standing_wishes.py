"""Those who come every day, and those who wait: what they wish for, and what becomes of it."""

from datetime import datetime, timedelta
from uuid import UUID

from application.moving import RescheduleSeries, reschedule_series
from application.recurring import BeginSeries, CancelSeries, begin_series, cancel_series
from application.waiting import Decline, EndWaiting, Join, Leave, decline, end_waiting, join, leave
from domain.refusals import NotFound
from domain.series import OnConflict, Scope, Series
from tests.desk import HOUR, Desk


def comes_daily(desk: Desk, service_id: UUID, customer_id: UUID, start: datetime) -> UUID:
    """For three days, where it can be. The series' id."""
    first = start.replace(tzinfo=None)
    wish = BeginSeries(
        series_id=desk.new_id(),
        service_id=service_id,
        customer_id=customer_id,
        start_local=first,
        time_zone="UTC",
        rrule="FREQ=DAILY;COUNT=3",
        starts=tuple(first + day * timedelta(days=1) for day in range(3)),
        on_conflict=OnConflict.SKIP,
    )
    desk.do(begin_series, wish)
    return wish.series_id


def comes_later(desk: Desk, series_id: UUID, scope: Scope) -> None:
    """By an hour. Raises ``NotFound`` if nothing is left of the series."""
    named = _last_of(desk, series_id)
    wish = RescheduleSeries(
        series_id=series_id,
        scope=scope,
        recurrence_id=named,
        start_local=named + HOUR,
        on_conflict=OnConflict.SKIP,
    )
    desk.do(reschedule_series, wish)


def comes_no_more(desk: Desk, series_id: UUID, scope: Scope) -> None:
    """Raises ``NotFound`` if nothing is left of the series."""
    named = _last_of(desk, series_id)
    desk.do(cancel_series, CancelSeries(series_id=series_id, scope=scope, recurrence_id=named))


def _last_of(desk: Desk, series_id: UUID) -> datetime:
    series = desk.streams[series_id].state
    if not isinstance(series, Series) or not series.occurrences:
        raise NotFound("series", series_id)
    return series.occurrences[-1].recurrence_id


def waits(desk: Desk, service_id: UUID, customer_id: UUID) -> UUID:
    """For thirty hours. The entry's id."""
    wish = Join(
        entry_id=desk.new_id(),
        service_id=service_id,
        customer_id=customer_id,
        windows=((desk.now, desk.now + 30 * HOUR),),
    )
    desk.do(join, wish)
    return wish.entry_id


def waits_on(desk: Desk, entry_id: UUID) -> None:
    """What was offered is not wanted."""
    desk.do(decline, Decline(entry_id=entry_id))


def waits_no_more(desk: Desk, entry_id: UUID) -> None:
    desk.do(leave, Leave(entry_id=entry_id))


def has_waited_in_vain(desk: Desk) -> None:
    """Whose windows have passed."""
    desk.do(end_waiting, EndWaiting(), desk.clock)
