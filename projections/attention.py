"""Appointments that stand where they can no longer take place, since their resource has other rules.

It was closed, has other hours, retired, or its location keeps a holiday. Nothing here moves or cancels an appointment.
It stays listed until someone did, or until the resource is open again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar, LiteralString, NamedTuple
from uuid import UUID

from psycopg import Cursor
from psycopg.sql import SQL

from application.journal import Recorded
from domain import appointment, location, resource
from domain.appointment import Appointment, AppointmentFact, AppointmentRescheduled, Status
from domain.location import LocationFact
from domain.refusals import ClosedForHoliday, OutsideWorkingHours, Refusal, ResourceClosed, ResourceRetired
from domain.resource import Resource, ResourceFact
from domain.rules import rule_of
from projections.attention_rows import MARK_COLUMNS, RULING, TABLES, Key, Mark, Reason, Rows, load, mark_of, save
from projections.reads import Reads

OVER = frozenset({Status.FULFILLED, Status.CANCELLED, Status.NOSHOW})

_REASONS: dict[type[Refusal], Reason] = {
    ResourceRetired: "resource-retired",
    ResourceClosed: "resource-closed",
    ClosedForHoliday: "closed-for-holiday",
    OutsideWorkingHours: "outside-working-hours",
}


class Place(NamedTuple):
    """Where a mark stands in the list."""

    start: datetime
    appointment_id: UUID
    resource_id: UUID


class Attention:
    NAME: ClassVar = "attention"
    FACTS: ClassVar = AppointmentFact | ResourceFact | LocationFact
    DURABLE: ClassVar = False
    TABLES: ClassVar = TABLES

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        before = load(cursor, batch)
        after = before.copied()
        for recorded in batch:
            match recorded.fact:
                case fact if isinstance(fact, RULING):
                    _ruled(recorded, fact, after)
                case fact if isinstance(fact, ResourceFact | LocationFact):
                    _evolve(fact, after)
                case fact if isinstance(fact, AppointmentFact):
                    _visited(recorded, fact, after)
        save(cursor, before, after)


def _evolve(fact: ResourceFact | LocationFact, rows: Rows) -> None:
    if isinstance(fact, LocationFact):
        rows.locations[fact.location_id] = location.evolve(rows.locations.get(fact.location_id), fact)
    else:
        rows.resources[fact.resource_id] = resource.evolve(rows.resources.get(fact.resource_id), fact)


def _ruled(recorded: Recorded, fact: RULING, rows: Rows) -> None:
    """Resources have other rules: hold them against every visit that is to take place there."""
    ruled = rows.ruled_by(fact)
    before = {resource_id: rows.observing(resource_id) for resource_id in ruled}
    _evolve(fact, rows)
    for resource_id in ruled:
        after = rows.observing(resource_id)
        for visit in rows.visits.values():
            if any(allotment.resource_id == resource_id for allotment in visit.allotments):
                is_to_come = visit.visit.end > recorded.provenance.at
                may_enter = is_to_come and _is_hit(visit, before[resource_id], after)
                _judge(recorded, visit, after, rows, may_enter=may_enter)


def _is_hit(visit: Appointment, before: Resource, after: Resource) -> bool:
    """Whether there is a reason against the visit that there was not: what the house broke knowingly is none."""
    known = {_told(reason) for reason in before.reasons_against(visit.claim)}
    return any(_told(reason) not in known for reason in after.reasons_against(visit.claim))


def _told(reason: Refusal) -> tuple[object, ...]:
    """What makes one reason another than the next. A retirement that is put off is still the same."""
    match reason:
        case ResourceClosed(closure_id=closure_id):
            return ResourceClosed, closure_id
        case ClosedForHoliday(day=day):
            return ClosedForHoliday, day
        case _:
            return (type(reason),)


def _visited(recorded: Recorded, fact: AppointmentFact, rows: Rows) -> None:
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


def _moved(recorded: Recorded, before: Appointment, visit: Appointment, rows: Rows) -> None:
    """Marks are given up where the visit is open now, or where the house moved it against the rules knowingly.

    One that had none was put there knowingly: it gets none.
    """
    had = [key for allotment in before.allotments if (key := Key(visit.id, allotment.resource_id)) in rows.marks]
    takes = [allotment.resource_id for allotment in visit.allotments]
    for resource_id in takes if had else ():
        _judge(recorded, visit, rows.observing(resource_id), rows, may_enter=True, waived=visit.overridden)
    for key in had:
        if key.resource_id not in takes:
            del rows.marks[key]


def _judge(
    recorded: Recorded,
    visit: Appointment,
    state: Resource,
    rows: Rows,
    *,
    may_enter: bool,
    waived: Collection[str] = (),
) -> None:
    """Mark the visit, or correct its mark, or take it away, as the resource's rules are now."""
    key = Key(visit.id, state.id)
    known = rows.marks.get(key)
    if known is None and not may_enter:
        return
    reason = next((one for one in state.reasons_against(visit.claim) if rule_of(one) not in waived), None)
    if reason is None:
        rows.marks.pop(key, None)
        return
    rows.marks[key] = Mark(
        **key._asdict(),
        organization_id=visit.organization_id,
        reason=_REASONS[type(reason)],
        closure_id=reason.closure_id if isinstance(reason, ResourceClosed) else None,
        since=known.since if known else recorded.position,
        at=known.at if known else recorded.provenance.at,
        start=visit.visit.start,
        end=visit.visit.end,
    )


async def listed(
    pool: Reads,
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
    ).format(MARK_COLUMNS, SQL(" AND ").join(SQL(condition) for condition, _ in conditions))
    values = [value for _, its in conditions for value in its]
    async with pool.connection() as connection:
        rows = await connection.execute(statement, [*values, limit])
        return [mark_of(row) async for row in rows]
