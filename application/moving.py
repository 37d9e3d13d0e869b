"""Series moved to other times: the same appointments, by the same difference on the wall; never a second series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from application.booking import Reschedule, move
from application.decision import Decision, View
from application.occurrences import (
    Apart,
    Standing,
    conflict_of,
    prepare_leaving,
    prepare_places,
    series_as_it_is,
    series_for,
    standings,
)
from application.offering import offer_released
from application.placing import Wish, leave
from application.recurring import OVER
from application.visits import notice_for
from domain import lifecycle
from domain.permissions import Actor
from domain.refusals import CancelledTooLate, Conflict, InvalidValue, NotInThatState, Refusal, SeriesConflicts
from domain.series import OnConflict, Scope, Series, SeriesRescheduled, is_exception, meant_by, start_of
from domain.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class RescheduleSeries:
    """``start_local``: the new wall-clock start of the occurrence ``recurrence_id``, by which the others move too.

    Without one (scope ``all``): of the first that moves. Empty ``resource_ids``: each keeps its own where it can.
    """

    series_id: UUID
    scope: Scope
    start_local: datetime
    recurrence_id: datetime | None = None
    on_conflict: OnConflict = OnConflict.REFUSE
    resource_ids: tuple[UUID, ...] = ()
    if_version: int | None = None


@dataclass(frozen=True, slots=True)
class _Target:
    """``at`` is what the clock on the wall shows at ``start``."""

    standing: Standing
    at: datetime
    start: datetime


def reschedule_series(view: View, command: RescheduleSeries, actor: Actor, now: datetime) -> Decision:
    """The answer tells which occurrences were ``moved``, which ``kept`` as exceptions; ``skipped`` are ``Conflict``s.

    Raises ``SeriesConflicts`` with every one of them; ``NotInThatState`` where nothing is left to be moved.
    """
    series = series_for(view, command.series_id, actor, "series.reschedule")
    view.ensure_version(series.id, command.if_version)
    if command.start_local.tzinfo or command.start_local.second or command.start_local.microsecond:
        raise InvalidValue("start_local", "a whole minute in wall-clock time, without an offset")
    service = view.require(Service, series.service_id, actor)
    meant = standings(view, meant_by(series, command.scope, command.recurrence_id))
    moving, kept = _divided(series, command.scope, meant, now)
    if not moving:
        raise NotInThatState(series.id, OVER, "reschedule")
    targets = _targets(series, command, meant, moving)
    prepare_leaving(view, [one.visit for one in moving], actor)
    prepare_places(view, [_wish(service, command, target) for target in targets], actor)
    moved, conflicts = _Move(view, series, service, command, actor, now).done(targets)
    at = {target.standing.occurrence.recurrence_id: target.at for target in targets}
    view.record(
        series.id,
        SeriesRescheduled(
            series_id=series.id,
            scope=command.scope,
            moved=tuple(replace(one.occurrence, start_local=at[one.occurrence.recurrence_id]) for one in moved),
        ),
    )
    offer_released(view, actor, now)
    return view.decision(
        {
            **series_as_it_is(view, series.id),
            "moved": [one.occurrence.recurrence_id for one in moved],
            "kept": [one.occurrence.recurrence_id for one in kept],
            "skipped": conflicts,
        }
    )


def _divided(
    series: Series, scope: Scope, meant: Sequence[Standing], now: datetime
) -> tuple[list[Standing], list[Standing]]:
    """Those that move, and the exceptions among those to come. What is named by itself moves whatever it is."""
    if scope is Scope.THIS:
        return list(meant), []
    to_come = [one for one in meant if one.visit.visit.start > now]
    kept = [one for one in to_come if is_exception(series, one.occurrence, one.visit, now=now)]
    return [one for one in to_come if one not in kept], kept


def _targets(
    series: Series, command: RescheduleSeries, meant: Sequence[Standing], moving: Sequence[Standing]
) -> list[_Target]:
    named = (one.occurrence for one in meant if one.occurrence.recurrence_id == command.recurrence_id)
    difference = command.start_local - next(named, moving[0].occurrence).start_local
    targets = []
    for one in moving:
        at = one.occurrence.start_local + difference
        targets.append(_Target(one, at, start_of(at, series.zone)))
    return targets


def _wish(service: Service, command: RescheduleSeries, target: _Target) -> Wish:
    """As much of it as says what will be read."""
    visit = target.standing.visit
    return Wish(
        appointment_id=visit.id,
        service=service,
        customer_id=visit.customer_id,
        start=target.start,
        resource_ids=command.resource_ids,
        seats=visit.seats,
    )


@dataclass(frozen=True, slots=True)
class _Move:
    view: View
    series: Series
    service: Service
    command: RescheduleSeries
    actor: Actor
    now: datetime

    def done(self, targets: Sequence[_Target]) -> tuple[list[Standing], list[Conflict]]:
        """Who was moved, and who could not be. Raises ``SeriesConflicts`` if that is too few."""
        try:
            with self.view.attempt():
                return self._all_at_once(targets), []
        except SeriesConflicts:
            if self.command.on_conflict is OnConflict.REFUSE:
                raise
        moved, conflicts = self._one_by_one(targets)
        if not moved:
            raise SeriesConflicts(tuple(conflicts))
        return moved, conflicts

    def _all_at_once(self, targets: Sequence[_Target]) -> list[Standing]:
        """All give their places back before the first finds its new one: they may move onto their own former times."""
        for target in targets:
            leave(self.view, target.standing.visit, self.actor, self.now)
        moved, conflicts = self._each(targets, staying=False)
        if conflicts:
            raise SeriesConflicts(tuple(conflicts))
        return moved

    def _one_by_one(self, targets: Sequence[_Target]) -> tuple[list[Standing], list[Conflict]]:
        """Each gives its place back only for the new one, so whoever finds none still has the old.

        Whoever is furthest in the direction of the move goes first, and makes room for the next.
        """
        later = targets[0].start > targets[0].standing.visit.visit.start
        moved, conflicts = self._each(sorted(targets, key=lambda target: target.at, reverse=later), staying=True)
        return (
            sorted(moved, key=lambda one: one.occurrence.recurrence_id),
            sorted(conflicts, key=lambda one: one.recurrence_id),
        )

    def _each(self, targets: Sequence[_Target], *, staying: bool) -> tuple[list[Standing], list[Conflict]]:
        """``staying``: who cannot be moved still has its place."""
        apart = Apart(self.service, self.series.customer_id)
        moved: list[Standing] = []
        conflicts: list[Conflict] = []
        for target in targets:
            try:
                with self.view.attempt():
                    apart.ensure_free(target.start)
                    self._to(target)
            except Refusal as refusal:
                conflicts.append(self._conflict(target, refusal))
                if staying:
                    apart.take(target.standing.visit.visit.start, target.standing.visit.id)
            else:
                apart.take(target.start, target.standing.visit.id)
                moved.append(target.standing)
        return moved, conflicts

    def _conflict(self, target: _Target, refusal: Refusal) -> Conflict:
        """Raises the refusal if it is none of one occurrence among several."""
        if isinstance(refusal, CancelledTooLate) and self.command.scope is not Scope.THIS:
            return Conflict(target.standing.occurrence.recurrence_id, target.start, refusal)
        return conflict_of(target.standing.occurrence, target.start, refusal)

    def _to(self, target: _Target) -> None:
        visit = target.standing.visit
        lifecycle.ensure_may_move(visit, notice=notice_for(self.service, self.actor), now=self.now)
        to = Reschedule(appointment_id=visit.id, start=target.start, resource_ids=self.command.resource_ids)
        move(self.view, visit, self.service, to, self.actor, self.now, series_id=self.series.id)
