"""Appointments that stand where they can no longer take place: their resource was closed, or has other hours, since.

Nothing here moves or cancels one. It stays listed until someone did, or until the resource is open again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, LiteralString, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Cursor
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from application.journal import Recorded
from domain import appointment, resource
from domain.appointment import Appointment, AppointmentFact, AppointmentRescheduled, Status
from domain.refusals import OutsideWorkingHours, ResourceClosed
from domain.resource import Resource, ResourceClosedFor, ResourceFact, ResourceReopened, WorkingHoursSet
from projections.table import Table

OVER = frozenset({Status.FULFILLED, Status.CANCELLED, Status.NOSHOW})
RULING = WorkingHoursSet | ResourceClosedFor | ResourceReopened
"""The facts that change when a resource is open."""

_RESOURCE = Table("resource", {"id": "uuid NOT NULL", "state": "jsonb NOT NULL"}, key=("id",))
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
_COLUMNS = SQL(", ").join(map(SQL, [f'"{name}"' for name in _MARK.columns]))

_RESOURCE_STATE = msgspec.json.Decoder(Resource)
_VISIT_STATE = msgspec.json.Decoder(Appointment)

Reason = Literal["outside-working-hours", "resource-closed"]


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


class Place(NamedTuple):
    """Where a mark stands in the list."""

    start: datetime
    appointment_id: UUID
    resource_id: UUID


class Key(NamedTuple):
    """A mark's: a visit may be hit on several of its resources."""

    appointment_id: UUID
    resource_id: UUID


@dataclass(frozen=True, slots=True)
class _Rows:
    """``visits`` are those that are not over."""

    resources: dict[UUID, Resource]
    visits: dict[UUID, Appointment]
    marks: dict[Key, Mark]


class Attention:
    NAME: ClassVar = "attention"
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"""
    {_RESOURCE.ddl}
    {_VISIT.ddl}
    {_TAKEN.ddl}
    {_MARK.ddl}
    CREATE INDEX mark_in_order ON mark (organization_id, start, appointment_id, resource_id);
    CREATE INDEX mark_of_resource ON mark (resource_id, start, appointment_id);
    """

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        before = _load(cursor, batch)
        after = _Rows(dict(before.resources), dict(before.visits), dict(before.marks))
        for recorded in batch:
            match recorded.fact:
                case fact if isinstance(fact, ResourceFact):
                    _ruled(recorded, fact, after)
                case fact if isinstance(fact, AppointmentFact):
                    _visited(recorded, fact, after)
        _save(cursor, before, after)


def _ruled(recorded: Recorded, fact: ResourceFact, rows: _Rows) -> None:
    """The resource has other rules: hold them against every visit that is to take place there."""
    state = resource.evolve(rows.resources.get(fact.resource_id), fact)
    rows.resources[state.id] = state
    if not isinstance(fact, RULING):
        return
    for visit in rows.visits.values():
        if any(allotment.resource_id == state.id for allotment in visit.allotments):
            is_to_come = visit.visit.end > recorded.provenance.at
            _judge(recorded, visit, state, rows, may_enter=is_to_come and _may_hit(fact, visit))


def _may_hit(fact: RULING, visit: Appointment) -> bool:
    match fact:
        case WorkingHoursSet():
            return True
        case ResourceClosedFor(closed=closed):
            return closed.overlaps(visit.claim)
        case ResourceReopened():
            return False


def _visited(recorded: Recorded, fact: AppointmentFact, rows: _Rows) -> None:
    before = rows.visits.get(fact.appointment_id)
    visit = appointment.evolve(before, fact)
    if visit.status in OVER:
        rows.visits.pop(visit.id, None)
        for allotment in visit.allotments:
            rows.marks.pop(Key(visit.id, allotment.resource_id), None)
        return
    rows.visits[visit.id] = visit
    if before is not None and isinstance(fact, AppointmentRescheduled):
        _moved(recorded, before, visit, rows)


def _moved(recorded: Recorded, before: Appointment, visit: Appointment, rows: _Rows) -> None:
    """Marks are given up where the visit is open now. One that had none was put there knowingly: it gets none."""
    had = [key for allotment in before.allotments if (key := Key(visit.id, allotment.resource_id)) in rows.marks]
    takes = [allotment.resource_id for allotment in visit.allotments]
    for resource_id in takes if had else ():
        _judge(recorded, visit, rows.resources[resource_id], rows, may_enter=True)
    for key in had:
        if key.resource_id not in takes:
            del rows.marks[key]


def _judge(recorded: Recorded, visit: Appointment, state: Resource, rows: _Rows, *, may_enter: bool) -> None:
    """Mark the visit, or correct its mark, or take it away, as the resource's rules are now."""
    key = Key(visit.id, state.id)
    known = rows.marks.get(key)
    if known is None and not may_enter:
        return
    reason: Reason
    try:
        state.ensure_open(visit.claim)
    except ResourceClosed as refusal:
        reason, closure_id = "resource-closed", refusal.closure_id
    except OutsideWorkingHours:
        reason, closure_id = "outside-working-hours", None
    else:
        rows.marks.pop(key, None)
        return
    rows.marks[key] = Mark(
        **key._asdict(),
        organization_id=visit.organization_id,
        reason=reason,
        closure_id=closure_id,
        since=known.since if known else recorded.position,
        at=known.at if known else recorded.provenance.at,
        start=visit.visit.start,
        end=visit.visit.end,
    )


def _load(cursor: Cursor[Any], batch: Sequence[Recorded]) -> _Rows:
    """What the batch may change. Visits that only begin in it cost no read."""
    facts = [recorded.fact for recorded in batch]
    resources = {fact.resource_id for fact in facts if isinstance(fact, ResourceFact)}
    for fact in facts:
        if isinstance(fact, AppointmentRescheduled):
            resources |= {allotment.resource_id for allotment in fact.allotments}
    visits = {r.fact.appointment_id for r in batch if isinstance(r.fact, AppointmentFact) and r.version > 1}
    visits |= _concerned(cursor, [recorded for recorded in batch if isinstance(recorded.fact, RULING)])
    return _Rows(
        {state.id: state for state in map(_RESOURCE_STATE.decode, _states(cursor, _RESOURCE, resources))},
        {state.id: state for state in map(_VISIT_STATE.decode, _states(cursor, _VISIT, visits))},
        _marks(cursor, visits),
    )


def _concerned(cursor: Cursor[Any], ruling: Collection[Recorded]) -> set[UUID]:
    """The visits that new rules may hit, and those that are marked already."""
    if not ruling:
        return set()
    resources = list({recorded.fact.resource_id for recorded in ruling if isinstance(recorded.fact, RULING)})
    cursor.execute(
        "SELECT appointment_id FROM taken WHERE resource_id = ANY(%s) AND visit_end > %s"
        " UNION SELECT appointment_id FROM mark WHERE resource_id = ANY(%s)",
        (resources, min(recorded.provenance.at for recorded in ruling), resources),
        prepare=False,
    )
    return {appointment_id for (appointment_id,) in cursor}


def _states(cursor: Cursor[Any], table: Table, ids: Collection[UUID]) -> list[str]:
    if not ids:
        return []
    statement = SQL("SELECT state::text FROM {} WHERE id = ANY(%s)").format(Identifier(table.name))
    cursor.execute(statement, (list(ids),), prepare=False)
    return [state for (state,) in cursor]


def _marks(cursor: Cursor[Any], visits: Collection[UUID]) -> dict[Key, Mark]:
    if not visits:
        return {}
    statement = SQL("SELECT {} FROM mark WHERE appointment_id = ANY(%s)").format(_COLUMNS)
    cursor.execute(statement, (list(visits),), prepare=False)
    return {Key(mark.appointment_id, mark.resource_id): mark for mark in map(_mark, cursor)}


def _mark(row: tuple[Any, ...]) -> Mark:
    values = dict(zip(_MARK.columns, row, strict=True))
    # Whatever zone the session shows: one representation of an instant keeps what is written the same.
    return Mark(**values | {name: values[name].astimezone(UTC) for name in ("at", "start", "end")})


def _save(cursor: Cursor[Any], before: _Rows, after: _Rows) -> None:
    _RESOURCE.upsert(cursor, _changed(before.resources, after.resources))
    _VISIT.delete(cursor, [(visit_id,) for visit_id in before.visits.keys() - after.visits.keys()])
    _VISIT.upsert(cursor, _changed(before.visits, after.visits))
    were, are = _taken(before), _taken(after)
    _TAKEN.delete(cursor, were - are)
    _TAKEN.insert(cursor, [dict(zip(_TAKEN.key, key, strict=True)) for key in are - were])
    _MARK.delete(cursor, before.marks.keys() - after.marks.keys())
    _MARK.upsert(cursor, [mark for key, mark in after.marks.items() if mark != before.marks.get(key)])


def _changed(
    before: dict[UUID, Resource] | dict[UUID, Appointment], after: dict[UUID, Resource] | dict[UUID, Appointment]
) -> list[dict[str, object]]:
    return [{"id": key, "state": state} for key, state in after.items() if state != before.get(key)]


def _taken(rows: _Rows) -> set[tuple[UUID, datetime, UUID]]:
    return {(a.resource_id, visit.visit.end, visit.id) for visit in rows.visits.values() for a in visit.allotments}


async def listed(
    pool: AsyncConnectionPool,
    organization_id: UUID,
    *,
    resource_id: UUID | None = None,
    after: Place | None = None,
    limit: int,
) -> list[Mark]:
    """The organization's marks, or those of one resource, in the order of ``Place``, those after ``after``."""
    conditions: list[tuple[LiteralString, tuple[object, ...]]] = [("organization_id = %s", (organization_id,))]
    if resource_id:
        conditions.append(("resource_id = %s", (resource_id,)))
    if after:
        conditions.append(('("start", appointment_id, resource_id) > (%s, %s, %s)', after))
    statement = SQL(
        'SELECT {} FROM attention.mark WHERE {} ORDER BY "start", appointment_id, resource_id LIMIT %s'
    ).format(_COLUMNS, SQL(" AND ").join(SQL(condition) for condition, _ in conditions))
    values = [value for _, its in conditions for value in its]
    async with pool.connection() as connection:
        rows = await connection.execute(statement, [*values, limit])
        return [_mark(row) async for row in rows]
