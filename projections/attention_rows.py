"""The tables of ``projections.attention``, and those rows of them that a batch of facts touches."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from application.journal import Recorded
from domain.appointment import Appointment, AppointmentFact, AppointmentRescheduled
from domain.location import HolidaysSet, Location, LocationFact
from domain.resource import (
    Resource,
    ResourceAdded,
    ResourceClosedFor,
    ResourceFact,
    ResourceReinstated,
    ResourceReopened,
    ResourceRetiredFrom,
    WorkingHoursSet,
)
from projections.table import Table

RULING = WorkingHoursSet | ResourceClosedFor | ResourceReopened | ResourceRetiredFrom | ResourceReinstated | HolidaysSet
"""The facts that change when a resource is open."""

Reason = Literal["resource-retired", "resource-closed", "closed-for-holiday", "outside-working-hours"]

_LOCATION = Table("location", {"id": "uuid NOT NULL", "state": "jsonb NOT NULL"}, key=("id",))
_RESOURCE = Table("resource", {"id": "uuid NOT NULL", "location_id": "uuid", "state": "jsonb NOT NULL"}, key=("id",))
_VISIT = Table("visit", {"id": "uuid NOT NULL", "state": "jsonb NOT NULL"}, key=("id",))
_TAKEN = Table(
    "taken",
    {"resource_id": "uuid NOT NULL", "visit_end": "timestamptz NOT NULL", "appointment_id": "uuid NOT NULL"},
    key=("resource_id", "visit_end", "appointment_id"),
)
_MARK = Table(
    "mark",
    {
        "appointment_id": "uuid NOT NULL",
        "resource_id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "reason": "text NOT NULL",
        "closure_id": "uuid",
        "since": "bigint NOT NULL",
        "at": "timestamptz NOT NULL",
        "start": "timestamptz NOT NULL",
        "end": "timestamptz NOT NULL",
    },
    key=("appointment_id", "resource_id"),
)
MARK_COLUMNS = SQL(", ").join(map(SQL, [f'"{name}"' for name in _MARK.columns]))

TABLES = f"""
{_LOCATION.ddl}
{_RESOURCE.ddl}
CREATE INDEX resource_of_location ON resource (location_id) WHERE location_id IS NOT NULL;
{_VISIT.ddl}
{_TAKEN.ddl}
{_MARK.ddl}
CREATE INDEX mark_in_order ON mark (organization_id, start, appointment_id, resource_id);
CREATE INDEX mark_of_resource ON mark (resource_id, start, appointment_id);
"""

K = TypeVar("K")
V = TypeVar("V")

_LOCATION_STATE = msgspec.json.Decoder(Location)
_RESOURCE_STATE = msgspec.json.Decoder(Resource)
_VISIT_STATE = msgspec.json.Decoder(Appointment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An appointment that cannot take place on one of its resources, and why it cannot now.

    ``since`` is the position of the fact, and ``at`` its time, that hit the appointment first: another reason
    may have joined. ``start`` and ``end`` are the visit's.
    """

    appointment_id: UUID
    resource_id: UUID
    organization_id: UUID
    reason: Reason
    closure_id: UUID | None
    since: int
    at: datetime
    start: datetime
    end: datetime


class Key(NamedTuple):
    """A mark's: a visit may be hit on several of its resources."""

    appointment_id: UUID
    resource_id: UUID


@dataclass(frozen=True, slots=True)
class Rows:
    """``resources`` without the holidays that they keep; ``visits`` are those that are not over."""

    locations: dict[UUID, Location]
    resources: dict[UUID, Resource]
    visits: dict[UUID, Appointment]
    marks: dict[Key, Mark]

    def copied(self) -> "Rows":
        return Rows(dict(self.locations), dict(self.resources), dict(self.visits), dict(self.marks))

    def observing(self, resource_id: UUID) -> Resource:
        """The resource with the holidays of its location."""
        resource = self.resources[resource_id]
        return resource.observing(self.locations[resource.location_id] if resource.location_id else None)

    def ruled_by(self, fact: RULING) -> list[UUID]:
        """The resources that the fact is about."""
        if isinstance(fact, HolidaysSet):
            return [r.id for r in self.resources.values() if r.location_id == fact.location_id]
        return [fact.resource_id]


def load(cursor: Cursor[Any], batch: Sequence[Recorded]) -> Rows:
    """What the batch may change. Visits that only begin in it cost no read."""
    facts = [recorded.fact for recorded in batch]
    wanted = {fact.resource_id for fact in facts if isinstance(fact, ResourceFact)}
    for fact in facts:
        if isinstance(fact, AppointmentRescheduled):
            wanted |= {allotment.resource_id for allotment in fact.allotments}
    resting = {fact.location_id for fact in facts if isinstance(fact, HolidaysSet)}
    resources = {state.id: state for state in map(_RESOURCE_STATE.decode, _resources(cursor, wanted, resting))}
    places = {fact.location_id for fact in facts if isinstance(fact, LocationFact | ResourceAdded)}
    places |= {resource.location_id for resource in resources.values()}
    locations = map(_LOCATION_STATE.decode, _states(cursor, _LOCATION, places - {None}))
    visits = {r.fact.appointment_id for r in batch if isinstance(r.fact, AppointmentFact) and r.version > 1}
    ruling = [recorded for recorded in batch if isinstance(recorded.fact, RULING)]
    ruled = {fact.resource_id for fact in facts if isinstance(fact, RULING) and not isinstance(fact, HolidaysSet)}
    ruled |= {resource.id for resource in resources.values() if resource.location_id in resting}
    visits |= _concerned(cursor, ruling, ruled)
    return Rows(
        {state.id: state for state in locations},
        resources,
        {state.id: state for state in map(_VISIT_STATE.decode, _states(cursor, _VISIT, visits))},
        _marks(cursor, visits),
    )


def _resources(cursor: Cursor[Any], ids: Collection[UUID], location_ids: Collection[UUID]) -> list[str]:
    if not ids and not location_ids:
        return []
    statement = "SELECT state::text FROM resource WHERE id = ANY(%s) OR location_id = ANY(%s)"
    cursor.execute(statement, (list(ids), list(location_ids)), prepare=True)
    return [state for (state,) in cursor]


def _concerned(cursor: Cursor[Any], ruling: Collection[Recorded], resource_ids: Collection[UUID]) -> set[UUID]:
    """The visits that new rules may hit, and those that are marked already."""
    if not ruling:
        return set()
    cursor.execute(
        "SELECT appointment_id FROM taken WHERE resource_id = ANY(%s) AND visit_end > %s"
        " UNION SELECT appointment_id FROM mark WHERE resource_id = ANY(%s)",
        (list(resource_ids), min(recorded.provenance.at for recorded in ruling), list(resource_ids)),
        prepare=True,
    )
    return {appointment_id for (appointment_id,) in cursor}


def _states(cursor: Cursor[Any], table: Table, ids: Collection[UUID | None]) -> list[str]:
    if not ids:
        return []
    statement = SQL("SELECT state::text FROM {} WHERE id = ANY(%s)").format(Identifier(table.name))
    cursor.execute(statement, (list(ids),), prepare=True)
    return [state for (state,) in cursor]


def _marks(cursor: Cursor[Any], visits: Collection[UUID]) -> dict[Key, Mark]:
    if not visits:
        return {}
    statement = SQL("SELECT {} FROM mark WHERE appointment_id = ANY(%s)").format(MARK_COLUMNS)
    cursor.execute(statement, (list(visits),), prepare=True)
    return {Key(mark.appointment_id, mark.resource_id): mark for mark in map(mark_of, cursor)}


def mark_of(row: tuple[Any, ...]) -> Mark:
    values = dict(zip(_MARK.columns, row, strict=True))
    # Whatever zone the session shows: one representation of an instant keeps what is written the same.
    return Mark(**values | {name: values[name].astimezone(UTC) for name in ("at", "start", "end")})


def save(cursor: Cursor[Any], before: Rows, after: Rows) -> None:
    """Write what is different."""
    _LOCATION.upsert(cursor, _new(before.locations, after.locations))
    _RESOURCE.upsert(
        cursor,
        [(key, state.location_id, state) for key, state in _new(before.resources, after.resources)],
    )
    _VISIT.delete(cursor, [(visit_id,) for visit_id in before.visits.keys() - after.visits.keys()])
    visits = {key: (key, state) for key, state in _new(before.visits, after.visits)}
    _VISIT.save(cursor, visits, before.visits)
    were, are = _taken(before), _taken(after)
    _TAKEN.delete(cursor, were - are)
    _TAKEN.insert(cursor, are - were)
    _MARK.delete(cursor, before.marks.keys() - after.marks.keys())
    _MARK.upsert(cursor, _MARK.rows_of(mark for _, mark in _new(before.marks, after.marks)))


def _new(before: Mapping[K, V], after: Mapping[K, V]) -> list[tuple[K, V]]:
    return [(key, value) for key, value in after.items() if value != before.get(key)]


def _taken(rows: Rows) -> set[tuple[UUID, datetime, UUID]]:
    return {(a.resource_id, visit.visit.end, visit.id) for visit in rows.visits.values() for a in visit.allotments}
