"""Series: appointments by a rule, begun, moved and called off together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.responses import Response

from api.commanding import Call, Commanded, IfMatch, answered
from api.contract import command
from api.nearest_starts import nearest_to_conflicts, skipped_with_nearest
from api.notes import folded, keep_series_note
from api.operation import Operation
from api.problems import RefusedSeries, told_conflict
from api.series_reads import visits_of
from api.series_shapes import (
    BegunSeriesShape,
    CancelledSeriesShape,
    MovedSeriesShape,
    NewSeries,
    SeriesCancellation,
    SeriesMove,
)
from application.decision import C, Decision, UseCase, View
from application.moving import RescheduleSeries, reschedule_series
from application.nearest import Sought
from application.recurring import BeginSeries, CancelSeries, begin_series, cancel_series
from application.slots import Slot
from domain.appointment import Appointment
from domain.permissions import Actor
from domain.refusals import Conflict, SeriesConflicts
from domain.series import OnConflict, Series, start_of

router = APIRouter(prefix="/v1/series", tags=["series"], route_class=Operation)


@router.post("", **command(BegunSeriesShape, "beginSeries", "series.begin", creates=True))
async def begin(body: NewSeries, call: Commanded) -> Response:
    """Book a visit for every occurrence of a rule: all or none; or, skipping those that cannot be had, all others."""
    series_id = call.new_id("series")
    expansion = call.ports.recurrences.expand(body.rrule, body.start_local, body.time_zone, body.exdates)
    if body.notes is not None:
        await keep_series_note(call, body.notes, "series.begin", series_id=series_id, customer_id=body.customer_id)
    wanted = BeginSeries(
        series_id=series_id,
        service_id=body.service_id,
        customer_id=body.customer_id,
        start_local=body.start_local,
        time_zone=body.time_zone,
        rrule=expansion.rrule,
        exdates=body.exdates,
        starts=expansion.starts,
        on_conflict=body.on_conflict,
        resource_ids=tuple(body.resource_ids or ()),
        seats=body.seats,
    )
    sought = Sought(service_id=body.service_id, resource_ids=wanted.resource_ids, seats=wanted.seats)
    try:
        answer = await call.submit(_telling(begin_series), wanted)
    except SeriesConflicts as refusal:
        refused, zone = {one.recurrence_id for one in refusal.conflicts}, ZoneInfo(body.time_zone)
        planned = tuple(start_of(start, zone) for start in expansion.starts if start not in refused)
        found = await nearest_to_conflicts(call, refusal.conflicts, replace(sought, planned=planned))
        raise RefusedSeries(refusal, found) from None
    skipped = await skipped_with_nearest(call, answer, sought)
    return answered(answer, status=201, location=f"{call.path}/{series_id}", besides={"skipped": skipped})


@router.post(
    "/{series_id}/reschedule", **command(MovedSeriesShape, "rescheduleSeries", "series.reschedule", if_match=True)
)
async def reschedule(series_id: UUID, body: SeriesMove, call: Commanded, if_version: IfMatch) -> Response:
    """Move the same appointments by the same difference on the wall. Exceptions, and what has been, stay."""
    wanted = RescheduleSeries(
        series_id=series_id,
        scope=body.scope,
        start_local=body.start_local,
        recurrence_id=body.recurrence_id,
        on_conflict=body.on_conflict,
        resource_ids=tuple(body.resource_ids or ()),
        if_version=if_version,
    )
    try:
        answer = await call.submit(_telling(reschedule_series), wanted)
    except SeriesConflicts as refusal:
        raise RefusedSeries(refusal, await _nearest_to_moves(call, series_id, refusal, wanted.resource_ids)) from None
    if body.on_conflict is OnConflict.REFUSE:
        return answered(answer)
    series, visits = await _series_and_visits(call, series_id)
    seats = max(visit.seats for visit in visits.values())
    sought = Sought(service_id=series.service_id, resource_ids=wanted.resource_ids, seats=seats)
    skipped = await skipped_with_nearest(call, answer, sought)
    return answered(answer, besides={"skipped": skipped})


@router.post("/{series_id}/cancel", **command(CancelledSeriesShape, "cancelSeries", "series.cancel", if_match=True))
async def cancel(series_id: UUID, body: SeriesCancellation, call: Commanded, if_version: IfMatch) -> Response:
    """Call off what is to come; what has been stays. Customers are bound by the notice of each occurrence."""
    if body.reason is not None:
        await keep_series_note(call, body.reason, "series.cancel", series_id=series_id)
    wanted = CancelSeries(
        series_id=series_id, scope=body.scope, recurrence_id=body.recurrence_id, if_version=if_version
    )
    return answered(await call.submit(cancel_series, wanted))


def _telling(use_case: UseCase[C]) -> UseCase[C]:
    """The use case with what was skipped put into words, as it is answered and remembered for retries."""

    def told(view: View, command: C, actor: Actor, now: datetime) -> Decision:
        decision = use_case(view, command, actor, now)
        answer = cast(dict[str, object], decision.answer)
        skipped = cast(Sequence[Conflict], answer["skipped"])
        return replace(decision, answer={**answer, "skipped": [told_conflict(one, {}) for one in skipped]})

    return told


async def _nearest_to_moves(
    call: Call, series_id: UUID, refusal: SeriesConflicts, resource_ids: tuple[UUID, ...]
) -> Mapping[datetime, Slot]:
    """Where nobody was asked for, whom each visit has comes first."""
    series, visits = await _series_and_visits(call, series_id)
    by_wish: defaultdict[Sought, list[Conflict]] = defaultdict(list)
    for conflict in refusal.conflicts:
        visit = visits.get(conflict.recurrence_id)
        if visit is not None:  # else it was called off a moment ago
            own = tuple(allotment.resource_id for allotment in visit.allotments)
            sought = Sought(service_id=series.service_id, resource_ids=resource_ids or own, seats=visit.seats)
            by_wish[sought].append(conflict)
    found: dict[datetime, Slot] = {}
    for sought, conflicts in by_wish.items():
        found.update(await nearest_to_conflicts(call, conflicts, sought))
    return found


async def _series_and_visits(call: Call, series_id: UUID) -> tuple[Series, Mapping[datetime, Appointment]]:
    """One that a command has just found, and its visits by their recurrence ids."""
    series = folded((await call.ports.journal.load([series_id]))[series_id])
    assert isinstance(series, Series)
    visits = await visits_of(call.ports, series)
    return series, {
        one.recurrence_id: visits[one.appointment_id][0] for one in series.occurrences if one.appointment_id in visits
    }
