"""Visits that recur: begun, moved and called off together, all of them or none."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, multiple, precondition, rule

from application.moving import RescheduleSeries, reschedule_series
from application.recurring import BeginSeries, CancelSeries, begin_series, cancel_series
from application.visits import appointment_answer
from domain.refusals import NothingOffersThis, NotInThatState, Refusal, SeriesConflicts
from domain.series import OnConflict, Scope
from tests.engine.bookings import Bookings, booked, quarters, which
from tests.engine.reached import tell
from tests.engine.reference import moment_of, wall
from tests.engine.reference_ledger import barred, began, gone, moved
from tests.engine.reference_rules import Wish, judge
from tests.engine.reference_series import Conflicts, Occurrence, Series, Step, foreseen, happens_at, lift

steps_min = st.sampled_from([30, 60, 90, 24 * 60])
conflict_ways = st.sampled_from(OnConflict)
scopes = st.sampled_from(Scope)


class Recurring(Bookings):
    def __init__(self) -> None:
        super().__init__()
        self.series: list[Series] = []

    @rule(
        target=booked,
        of=which,
        who=which,
        quarter=quarters,
        step_min=steps_min,
        count=st.integers(2, 4),
        way=conflict_ways,
        elsewhere=st.booleans(),
    )
    def begins_series(
        self, of: int, who: int, quarter: int, step_min: int, count: int, way: OnConflict, elsewhere: bool
    ) -> MultipleResults[UUID]:
        """On the wall, each so many minutes after the one before: some fall into the gap, some happen twice."""
        service_id, customer_id, zones = self.service(of), self.customer(who), self.opened.world.night.time_zones
        time_zone = zones[int(elsewhere)]
        first = wall(time_zone, self.opened.start(quarter)).now
        starts = [first + timedelta(minutes=step_min * number) for number in range(count)]
        steps = [
            Step(at, Wish(service_id=service_id, customer_id=customer_id, start=happens_at(time_zone, at)))
            for at in starts
        ]
        conflicts = foreseen(self.house, steps)
        if conflicts is None:
            return multiple()
        command = BeginSeries(
            series_id=self.both.desk.new_id(),
            service_id=service_id,
            customer_id=customer_id,
            start_local=first,
            time_zone=time_zone,
            rrule=f"FREQ=MINUTELY;INTERVAL={step_min};COUNT={count}",
            starts=tuple(starts),
            on_conflict=way,
        )
        refused = conflicts and (way is OnConflict.REFUSE or len(conflicts) == count)

        def effect(answer: Mapping[str, Any]) -> None:
            self._ensure_same(answer["skipped"], conflicts)
            begun = self._begun(steps, answer["occurrences"])
            self.series.append(Series(command.series_id, service_id, customer_id, time_zone, begun))

        against: set[type[Refusal]] = {SeriesConflicts} if refused else set()
        if refused and all(NothingOffersThis in reasons for reasons in conflicts.values()):
            against.add(NothingOffersThis)  # which is so whenever it is
        answer = self.both.carry_out(begin_series, command, against, effect)
        tell(f"series: {len(conflicts)} conflicts" if conflicts else "series: no conflict")
        return multiple(*(one["id"] for one in answer["occurrences"])) if answer else multiple()

    def _ensure_same(self, skipped: Sequence[Any], conflicts: Conflicts) -> None:
        assert [one.recurrence_id for one in skipped] == list(conflicts)
        assert all(type(one.refusal) in conflicts[one.recurrence_id] for one in skipped)

    def _begun(self, steps: Sequence[Step], answers: Sequence[Mapping[str, Any]]) -> list[Occurrence]:
        """Each has what it would have had as a booking, and keeps to those who served the one before."""
        by_id = {answer["recurrence_id"]: answer for answer in answers}
        assert len(by_id) == len(answers)
        preferred: Sequence[UUID] = ()
        begun = []
        for step in steps:
            answer = by_id.pop(step.recurrence_id, None)
            if answer is not None:
                verdict = judge(self.house, step.wish)
                assert not verdict.against
                self.both.ensure_well_placed(step.wish, verdict, answer, preferred)
                began(self.house, step.wish, verdict, answer)
                preferred = answer["resource_ids"]
                begun.append(Occurrence(step.recurrence_id, answer["id"], step.recurrence_id))
        assert not by_id
        return begun

    def _meant(self, series: Series, scope: Scope, number: int) -> list[Occurrence]:
        named = series.occurrences[number % len(series.occurrences)]
        match scope:
            case Scope.THIS:
                return [named]
            case Scope.FOLLOWING:
                return [one for one in series.occurrences if one.recurrence_id >= named.recurrence_id]
            case Scope.ALL:
                return list(series.occurrences)

    @precondition(lambda self: any(one.occurrences for one in self.series))
    @rule(of=which, number=which, scope=scopes)
    def calls_series_off(self, of: int, number: int, scope: Scope) -> None:
        ones = [one for one in self.series if one.occurrences]
        series = ones[of % len(ones)]
        meant = self._meant(series, scope, number)
        leaving: list[Occurrence] = []
        against: set[type[Refusal]] = set()
        for one in meant:
            visit = self.house.visits[one.visit_id]
            if scope is Scope.THIS or (moment_of(visit.start) > self.house.now and visit.status != "cancelled"):
                reasons = barred(self.house, visit, "cancel")
                against |= reasons
                leaving += [] if reasons else [one]
        command = CancelSeries(
            series_id=series.id, scope=scope, recurrence_id=None if scope is Scope.ALL else meant[0].recurrence_id
        )

        def effect(answer: Mapping[str, Any]) -> None:
            assert answer["cancelled"] == [one.recurrence_id for one in leaving]
            for one in leaving:
                gone(self.house, self.house.visits[one.visit_id])
                series.occurrences.remove(one)

        self.both.carry_out(cancel_series, command, set() if leaving else against or {NotInThatState}, effect)

    @precondition(lambda self: any(one.occurrences for one in self.series))
    @rule(
        of=which, number=which, scope=scopes, by_min=st.sampled_from([-60, -30, -15, 15, 30, 45, 60]), way=conflict_ways
    )
    def moves_series(self, of: int, number: int, scope: Scope, by_min: int, way: OnConflict) -> None:
        """The same visits at other times: whichever of them it is, by the same difference on the wall."""
        ones = [one for one in self.series if one.occurrences]
        series = ones[of % len(ones)]
        meant = self._meant(series, scope, number)
        moving = meant if scope is Scope.THIS else [one for one in meant if self._moves(series, one)]
        against = (
            barred(self.house, self.house.visits[meant[0].visit_id], "reschedule") if scope is Scope.THIS else set()
        )
        first = moving[0] if scope is Scope.ALL and moving else meant[0]
        difference = timedelta(minutes=by_min)
        steps = [self._step(series, one, one.start_local + difference) for one in moving]
        conflicts = foreseen(self.house, steps)
        tell(f"moving {scope}: {conflicts if conflicts is None else len(conflicts)} of {len(moving)}")
        if conflicts is None or (conflicts and way is OnConflict.SKIP and len(moving) > 1):
            return  # those that stay make room for none; tests/application/test_series_changes.py has that
        command = RescheduleSeries(
            series_id=series.id,
            scope=scope,
            start_local=first.start_local + difference,
            recurrence_id=None if scope is Scope.ALL else first.recurrence_id,
            on_conflict=way,
        )
        if not against:
            against = {NotInThatState} if not moving else {SeriesConflicts} if conflicts else set()
        if conflicts and all(NothingOffersThis in reasons for reasons in conflicts.values()):
            against.add(NothingOffersThis)
        count = len(self.house.visits)

        def effect(answer: Mapping[str, Any]) -> None:
            assert answer["moved"] == [one.recurrence_id for one in moving]
            self._moved(steps)
            for one in moving if scope is not Scope.THIS else ():
                one.start_local += difference
            assert len(self.house.visits) == count, "a series grew"

        lifted = {one.visit_id for one in moving}
        self.both.carry_out(reschedule_series, command, against, effect, lifted=lifted)

    def _moves(self, series: Series, one: Occurrence) -> bool:
        """It is to come, may be moved, and is where the series has it."""
        visit = self.house.visits[one.visit_id]
        is_there = visit.start == series.start_of(one)
        return moment_of(visit.start) > self.house.now and is_there and not barred(self.house, visit, "reschedule")

    def _step(self, series: Series, one: Occurrence, at: datetime) -> Step:
        visit = self.house.visits[one.visit_id]
        wish = Wish(
            service_id=visit.service_id,
            customer_id=visit.customer_id,
            start=happens_at(series.time_zone, at),
            seats=visit.seats,
            own=visit.id,
        )
        return Step(one.recurrence_id, wish, visit.id)

    def _moved(self, steps: Sequence[Step]) -> None:
        for step in steps:
            assert step.visit_id
            lift(self.house, self.house.visits[step.visit_id])
        for step in steps:
            assert step.visit_id
            visit = self.house.visits[step.visit_id]
            verdict = judge(self.house, step.wish)
            assert not verdict.against
            answer = appointment_answer(self.both.desk.appointment(visit.id), 1)
            self.both.ensure_well_placed(step.wish, verdict, answer, [one for one, _ in visit.takes])
            visit.released = False
            moved(self.house, visit, step.wish, verdict, answer)
