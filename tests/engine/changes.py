"""What the house changes under its visitors: hours, closures, holidays, retirement, terms and pools."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from application.catalogue import ChangeTerms, change_terms
from application.pooling import ChangePool, change_pool
from application.resource_times import (
    CloseResource,
    ReinstateResource,
    ReopenResource,
    RetireResource,
    SetHolidays,
    SetWorkingHours,
    close_resource,
    reinstate_resource,
    reopen_resource,
    retire_resource,
    set_holidays,
    set_working_hours,
)
from domain.location import Holiday
from domain.pool import Strategy
from domain.refusals import InvalidValue, NotInThatState, Refusal
from domain.resource import Override, Span
from tests.engine.bookings import Bookings, quarters, which
from tests.engine.reference import Resource, day_of, minute_of, moment_of
from tests.engine.worlds import around, hours, shifts_of, terms, terms_of

seconds = st.sampled_from([0, 0, 0, 30])


CHANGES = (
    "closes",
    "reopens",
    "sets_hours",
    "keeps_holidays",
    "retires",
    "reinstates",
    "changes_terms",
    "changes_pool",
)


class Changes(Bookings):
    @rule(name=st.sampled_from(CHANGES), data=st.data())
    def changes(self, name: str, data: st.DataObject) -> None:
        """One rule for all of them: that nothing changes is the usual thing."""
        getattr(self, f"_{name}")(data)

    def _changes(
        self, use_case: Any, command: object, against: set[type[Refusal]] | None = None, **refusable: Any
    ) -> Mapping[str, Any] | None:
        desk = self.both.desk
        return self.both.carry_out(use_case, command, against or set(), lambda _: None, actor=desk.owner, **refusable)

    def _one(self, number: int) -> Resource:
        return self.house.resources[self.resource(number)]

    def _moment(self, data: st.DataObject) -> datetime:
        return moment_of(self.opened.start(data.draw(quarters))) + timedelta(seconds=data.draw(seconds))

    def _closes(self, data: st.DataObject) -> None:
        resource, closure_id = self._one(data.draw(which)), self.both.desk.new_id()
        start = self._moment(data)
        end = start + timedelta(minutes=data.draw(st.integers(1, 90)))
        against: set[type[Refusal]] = {InvalidValue} if end <= self.house.now else set()
        command = CloseResource(resource_id=resource.id, closure_id=closure_id, start=start, end=end)
        if self._changes(close_resource, command, against):
            resource.closures[closure_id] = (start, end)
            resource.changed()

    def _reopens(self, _: st.DataObject) -> None:
        resource = next((one for one in self.house.resources.values() if one.closures), None)
        if resource is None:
            return
        closure_id = next(iter(resource.closures))
        if self._changes(reopen_resource, ReopenResource(resource_id=resource.id, closure_id=closure_id)):
            del resource.closures[closure_id]
            resource.changed()

    def _sets_hours(self, data: st.DataObject) -> None:
        resource, turn = self._one(data.draw(which)), self.opened.world.night.turn
        special = data.draw(st.dictionaries(st.integers(-1, 1), st.one_of(hours, st.just([])), max_size=2))
        week = around(resource.time_zone, turn, data.draw(hours))
        tonight = day_of(resource.time_zone, minute_of(turn))
        dates = {
            tonight + timedelta(days=number): around(resource.time_zone, turn, spans)[0]
            for number, spans in special.items()
        }
        command = SetWorkingHours(
            resource_id=resource.id,
            shifts=shifts_of(week),
            overrides=tuple(Override(day, tuple(Span(*span) for span in spans)) for day, spans in dates.items()),
        )
        if self._changes(set_working_hours, command):
            resource.week, resource.dates = week, dates
            resource.changed()

    def _keeps_holidays(self, data: st.DataObject) -> None:
        location_id, tonight = self.opened.location_id, self.opened.world.night.turn.date()
        numbers = data.draw(st.sets(st.integers(-1, 1), max_size=2))
        days = sorted(tonight + timedelta(days=number) for number in numbers)
        command = SetHolidays(
            location_id=location_id,
            country=None,
            subdivision=None,
            holidays=tuple(Holiday(day, "A day of rest") for day in days),
        )
        if self._changes(set_holidays, command):
            for resource in self.house.resources.values():
                if resource.location_id == location_id:
                    resource.holidays = days
                    resource.changed()

    def _retires(self, data: st.DataObject) -> None:
        resource, retired_at = self._one(data.draw(which)), self._moment(data)
        if self._changes(retire_resource, RetireResource(resource_id=resource.id, retired_at=retired_at)):
            resource.retired_at = retired_at
            resource.changed()

    def _reinstates(self, data: st.DataObject) -> None:
        resource = self._one(data.draw(which))
        against: set[type[Refusal]] = set() if resource.retired_at else {NotInThatState}
        if self._changes(reinstate_resource, ReinstateResource(resource_id=resource.id), against):
            resource.retired_at = None
            resource.changed()

    def _changes_terms(self, data: st.DataObject) -> None:
        service_id, world = self.service(data.draw(which)), self.opened.world
        drawn = data.draw(terms(len(world.resources), len(world.pools), world.theme))
        new = terms_of(drawn, self.both)
        command = ChangeTerms(service_id=service_id, terms=new)
        # No resource may have as much as it asks for.
        if self._changes(change_terms, command, refusable={InvalidValue}):
            self.house.services[service_id] = new

    def _changes_pool(self, data: st.DataObject) -> None:
        if not self.house.pools:
            return
        pool_id, strategy = data.draw(st.sampled_from(sorted(self.house.pools))), data.draw(st.sampled_from(Strategy))
        members = data.draw(st.lists(which, min_size=1, unique=True))
        ids = list(dict.fromkeys(self.resource(member) for member in members))
        command = ChangePool(pool_id=pool_id, name="Pool", resource_ids=tuple(ids), strategy=strategy)
        if self._changes(change_pool, command):
            self.house.pools[pool_id].resource_ids, self.house.pools[pool_id].strategy = ids, strategy
