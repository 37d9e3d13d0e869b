"""When a resource can be had: its working hours, closures and retirement, and the holidays of its place."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from application.decision import Decision, View
from domain.fact import Fact
from domain.interval import Interval
from domain.location import Holiday, HolidaysSet, Location, ensure_valid_holidays
from domain.permissions import Actor, ensure_may
from domain.refusals import InvalidValue, NotFound, NotInThatState
from domain.resource import (
    CLOSURE_MAX,
    Override,
    Resource,
    ResourceClosedFor,
    ResourceReinstated,
    ResourceReopened,
    ResourceRetiredFrom,
    Shift,
    WorkingHoursSet,
    ensure_valid_hours,
)

RETIRED_AGO_MAX = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWorkingHours:
    resource_id: UUID
    shifts: tuple[Shift, ...]
    overrides: tuple[Override, ...] = ()
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseResource:
    resource_id: UUID
    closure_id: UUID
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenResource:
    resource_id: UUID
    closure_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireResource:
    """``retired_at``: None is now. Retired before, it is retired from then instead."""

    resource_id: UUID
    retired_at: datetime | None = None
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstateResource:
    resource_id: UUID
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHolidays:
    """All holidays of a location anew, by date, each date once; where they are from, if from a country's calendar."""

    location_id: UUID
    country: str | None
    subdivision: str | None
    holidays: tuple[Holiday, ...]
    if_version: int | None = None


def set_working_hours(view: View, command: SetWorkingHours, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "resource.change")
    ensure_valid_hours(command.shifts, command.overrides)
    view.require(Resource, command.resource_id, actor)
    view.ensure_version(command.resource_id, command.if_version)
    changed = WorkingHoursSet(resource_id=command.resource_id, shifts=command.shifts, overrides=command.overrides)
    return _changed(view, command.resource_id, changed)


def close_resource(view: View, command: CloseResource, actor: Actor, now: datetime) -> Decision:
    ensure_may(actor, "closure.create")
    if not command.start < command.end:
        raise InvalidValue("end", "after the start")
    if command.end - command.start > CLOSURE_MAX:
        raise InvalidValue("end", f"at most {CLOSURE_MAX.days} days after the start")
    if command.end <= now:
        raise InvalidValue("end", "in the future: a past closure would change nothing")
    view.require(Resource, command.resource_id, actor)
    closed = ResourceClosedFor(
        resource_id=command.resource_id,
        closure_id=command.closure_id,
        closed=Interval(command.start, command.end),
    )
    version = view.version(command.resource_id) + 1
    answer = {
        "id": command.closure_id,
        "resource_id": command.resource_id,
        "start": closed.closed.start,
        "end": closed.closed.end,
        "version": version,
    }
    return Decision([(command.resource_id, closed)], answer)


def reopen_resource(view: View, command: ReopenResource, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "closure.create")
    resource = view.require(Resource, command.resource_id, actor)
    if all(closure.id != command.closure_id for closure in resource.closures):
        raise NotFound("closure", command.closure_id)
    reopened = ResourceReopened(resource_id=command.resource_id, closure_id=command.closure_id)
    return _changed(view, command.resource_id, reopened)


def retire_resource(view: View, command: RetireResource, actor: Actor, now: datetime) -> Decision:
    ensure_may(actor, "resource.change")
    retired_at = command.retired_at or now
    if retired_at < now - RETIRED_AGO_MAX:
        raise InvalidValue("retired_at", f"at most {RETIRED_AGO_MAX.days} days ago")
    view.require(Resource, command.resource_id, actor)
    view.ensure_version(command.resource_id, command.if_version)
    retired = ResourceRetiredFrom(resource_id=command.resource_id, retired_at=retired_at)
    view.record(command.resource_id, retired)
    version = view.version(command.resource_id)
    return view.decision({"id": command.resource_id, "retired_at": retired_at, "version": version})


def reinstate_resource(view: View, command: ReinstateResource, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """To be had again. Raises ``NotInThatState`` if it was not retired."""
    ensure_may(actor, "resource.change")
    resource = view.require(Resource, command.resource_id, actor)
    view.ensure_version(command.resource_id, command.if_version)
    if resource.retired_at is None:
        raise NotInThatState(command.resource_id, "in-service", "resource.reinstate")
    return _changed(view, command.resource_id, ResourceReinstated(resource_id=command.resource_id))


def set_holidays(view: View, command: SetHolidays, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "location.change")
    ensure_valid_holidays(command.holidays)
    view.require(Location, command.location_id, actor)
    view.ensure_version(command.location_id, command.if_version)
    changed = HolidaysSet(
        location_id=command.location_id,
        country=command.country,
        subdivision=command.subdivision,
        holidays=command.holidays,
    )
    return _changed(view, command.location_id, changed)


def _changed(view: View, stream_id: UUID, fact: Fact) -> Decision:
    view.record(stream_id, fact)
    return view.decision({"id": stream_id, "version": view.version(stream_id)})
