"""Series: appointments by a rule, begun and called off together. How they are moved is in ``application.moving``.

Each occurrence is an ordinary appointment, so whatever happens to one by itself is none of the series' business.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from application.decision import Decision, View
from application.occurrences import (
    Apart,
    conflict_of,
    prepare_leaving,
    prepare_places,
    series_as_it_is,
    series_for,
    standings,
)
from application.offering import offer_released
from application.placing import Wish, begin, find_place, leave
from application.visits import notice_for
from domain import lifecycle
from domain.account import Customer
from domain.appointment import Appointment, InSeries, Status
from domain.permissions import Actor, ensure_may
from domain.refusals import CancelledTooLate, Conflict, InvalidValue, NotInThatState, Refusal, SeriesConflicts
from domain.series import (
    OCCURRENCES_MAX,
    Occurrence,
    OnConflict,
    Scope,
    Series,
    SeriesBegun,
    SeriesCancelled,
    meant_by,
    start_of,
)
from domain.service import Service

OVER = "over"
"""The status of a series, or of what a command means of it, in which nothing is left to be changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginSeries:
    """``starts`` are what ``rrule`` gives (``application.recurrences``): naive, ascending, in ``time_zone``.

    ``resource_ids``: of each requirement's candidates, take these.
    """

    series_id: UUID
    service_id: UUID
    customer_id: UUID
    start_local: datetime
    time_zone: str
    rrule: str
    starts: tuple[datetime, ...]
    exdates: tuple[datetime, ...] = ()
    on_conflict: OnConflict = OnConflict.REFUSE
    resource_ids: tuple[UUID, ...] = ()
    seats: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSeries:
    """``recurrence_id`` names the occurrence that is meant, or from which on."""

    series_id: UUID
    scope: Scope
    recurrence_id: datetime | None = None
    if_version: int | None = None


def begin_series(view: View, command: BeginSeries, actor: Actor, now: datetime) -> Decision:
    """All occurrences or none; or, if those that cannot be had are to be skipped, all others.

    The answer's ``skipped`` are ``Conflict``s. Raises ``SeriesConflicts`` with every one of them.
    """
    ensure_may(actor, "series.begin", subject_id=command.customer_id, resource_ids=command.resource_ids)
    if not 1 <= len(command.starts) <= OCCURRENCES_MAX:
        raise InvalidValue("rrule", f"between 1 and {OCCURRENCES_MAX} occurrences")
    occurrences = [
        Occurrence(start, uuid5(command.series_id, start.isoformat()), start) for start in sorted(set(command.starts))
    ]
    view.prepare([command.service_id, command.customer_id, actor.organization_id])
    service = view.require(Service, command.service_id, actor)
    view.require(Customer, command.customer_id, actor)
    view.ensure_new(Series, command.series_id)
    booked, conflicts = _book_all(view, command, service, occurrences, actor, now)
    if conflicts and (command.on_conflict is OnConflict.REFUSE or not booked):
        raise SeriesConflicts(tuple(conflicts))
    begun = SeriesBegun(
        series_id=command.series_id,
        organization_id=actor.organization_id,
        service_id=service.id,
        customer_id=command.customer_id,
        start_local=command.start_local,
        time_zone=command.time_zone,
        rrule=command.rrule,
        exdates=command.exdates,
        occurrences=tuple(booked),
        skipped=tuple(conflict.recurrence_id for conflict in conflicts),
    )
    view.record(command.series_id, begun)
    offer_released(view, actor, now)  # the customer's own holds may have been in the way
    return view.decision({**series_as_it_is(view, command.series_id), "skipped": conflicts})


def _book_all(
    view: View, command: BeginSeries, service: Service, occurrences: list[Occurrence], actor: Actor, now: datetime
) -> tuple[list[Occurrence], list[Conflict]]:
    """Each is held against all that was there before, and against those of the series that come before it."""
    wishes = [_wish(command, service, one) for one in occurrences]
    prepare_places(view, wishes, actor)
    apart = Apart(service, command.customer_id)
    booked: list[Occurrence] = []
    conflicts: list[Conflict] = []
    preferred: tuple[UUID, ...] = ()
    for occurrence, wish in zip(occurrences, wishes, strict=True):
        view.ensure_new(Appointment, wish.appointment_id)
        try:
            with view.attempt():
                apart.ensure_free(wish.start)
                preferring = _wish(command, service, occurrence, preferred)
                place = find_place(view, preferring, actor, now)
                begin(
                    view,
                    preferring,
                    place,
                    actor,
                    now,
                    occurrence=InSeries(command.series_id, occurrence.recurrence_id),
                )
        except Refusal as refusal:
            conflicts.append(conflict_of(occurrence, wish.start, refusal))
        else:
            apart.take(wish.start, wish.appointment_id)
            booked.append(occurrence)
            preferred = tuple(allotment.resource_id for allotment in place.allotments)
    return booked, conflicts


def _wish(command: BeginSeries, service: Service, occurrence: Occurrence, preferred: tuple[UUID, ...] = ()) -> Wish:
    """``preferred``: whom the occurrence before it has, so that a series keeps its people where it can."""
    start = start_of(occurrence.start_local, ZoneInfo(command.time_zone))
    return Wish(
        appointment_id=occurrence.appointment_id,
        service=service,
        customer_id=command.customer_id,
        start=start,
        resource_ids=command.resource_ids,
        preferred=preferred,
        seats=command.seats,
        until=start if service.terms.approval_required else None,
    )


def cancel_series(view: View, command: CancelSeries, actor: Actor, now: datetime) -> Decision:
    """Calls off those that are to come and may be called off; what has been stays.

    The answer's ``kept`` are those to come that stand nevertheless: their cancellation notice has begun, or the
    customer is there already. Raises ``CancelledTooLate`` or ``NotInThatState`` where nothing can be called off.
    """
    series = series_for(view, command.series_id, actor, "series.cancel")
    view.ensure_version(series.id, command.if_version)
    service = view.require(Service, series.service_id, actor)
    meant = standings(view, meant_by(series, command.scope, command.recurrence_id))
    prepare_leaving(view, [one.visit for one in meant], actor)
    notice = notice_for(service, actor)
    cancelled: list[datetime] = []
    refused: dict[datetime, Refusal] = {}
    for one in meant:
        visit, recurrence_id = one.visit, one.occurrence.recurrence_id
        if command.scope is not Scope.THIS and (visit.visit.start <= now or visit.status is Status.CANCELLED):
            continue
        try:
            fact = lifecycle.cancel(visit, notice=notice, now=now, series_id=series.id)
        except (CancelledTooLate, NotInThatState) as refusal:
            refused[recurrence_id] = refusal
            continue
        view.record(visit.id, fact)
        leave(view, visit, actor, now)
        cancelled.append(recurrence_id)
    if not cancelled:
        raise next(iter(refused.values()), NotInThatState(series.id, OVER, "cancel"))
    view.record(series.id, SeriesCancelled(series_id=series.id, scope=command.scope, cancelled=tuple(cancelled)))
    offer_released(view, actor, now)
    return view.decision({**series_as_it_is(view, series.id), "cancelled": cancelled, "kept": list(refused)})
