"""A front desk that begins series: a room, a visit of an hour each Monday at nine, and how they stand afterwards."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from application.moving import RescheduleSeries, reschedule_series
from application.recurring import BeginSeries, CancelSeries, begin_series, cancel_series
from domain.permissions import Actor
from domain.refusals import Refusal, SeriesConflicts
from domain.resource_day import ResourceDay
from domain.series import OnConflict, Scope, Series
from tests.desk import NINE, Desk

WEEK = timedelta(weeks=1)
AT_NINE = NINE.replace(tzinfo=None)
"""The first Monday, on the wall."""


def weekly(count: int, first: datetime = AT_NINE, step: timedelta = WEEK) -> tuple[datetime, ...]:
    return tuple(first + number * step for number in range(count))


class RecurringDesk(Desk):
    """``service`` needs the one ``room``; ``customer_id`` comes to everything."""

    def __init__(self, *, time_zone: str = "UTC", rooms: int = 1, **terms: Any) -> None:
        super().__init__()
        self.rooms = [self.resource(time_zone=time_zone) for _ in range(rooms)]
        self.time_zone = time_zone
        self.service_id = self.service(**terms)
        self.customer_id = self.customer()

    def begin(
        self, *starts: datetime, actor: Actor | None = None, on_conflict: str = "refuse", **wish: Any
    ) -> Mapping[str, Any]:
        command = BeginSeries(
            series_id=self.new_id(),
            service_id=wish.pop("service_id", self.service_id),
            customer_id=wish.pop("customer_id", self.customer_id),
            start_local=starts[0],
            time_zone=self.time_zone,
            rrule="FREQ=WEEKLY;COUNT=4",
            starts=starts,
            on_conflict=OnConflict(on_conflict),
            **wish,
        )
        return self.do(begin_series, command, actor)

    def move(
        self,
        series_id: UUID,
        start_local: datetime,
        *,
        scope: str = "all",
        of: datetime | None = None,
        actor: Actor | None = None,
        on_conflict: str = "refuse",
        **wish: Any,
    ) -> Mapping[str, Any]:
        command = RescheduleSeries(
            series_id=series_id,
            scope=Scope(scope),
            start_local=start_local,
            recurrence_id=of,
            on_conflict=OnConflict(on_conflict),
            **wish,
        )
        return self.do(reschedule_series, command, actor)

    def call_off(
        self, series_id: UUID, *, scope: str = "all", of: datetime | None = None, actor: Actor | None = None
    ) -> Mapping[str, Any]:
        command = CancelSeries(series_id=series_id, scope=Scope(scope), recurrence_id=of)
        return self.do(cancel_series, command, actor)

    def series(self, series_id: UUID) -> Series:
        state = self.streams[series_id].state
        assert isinstance(state, Series)
        return state

    def claimed(self, resource_id: UUID) -> list[datetime]:
        """When visits on a resource start, ascending; all dates."""
        pages = [one.state for one in self.streams.values() if isinstance(one.state, ResourceDay)]
        return sorted(
            claim.interval.start for page in pages if page.resource_id == resource_id for claim in page.claims
        )


def starts_of(answer: Mapping[str, Any]) -> list[datetime]:
    return [one["start"] for one in answer["occurrences"]]


def refusals_of(conflicts: SeriesConflicts) -> dict[datetime, type[Refusal]]:
    return {one.recurrence_id: type(one.refusal) for one in conflicts.conflicts}


def in_utc(starts: Sequence[datetime]) -> list[datetime]:
    return [start.replace(tzinfo=NINE.tzinfo) for start in starts]
