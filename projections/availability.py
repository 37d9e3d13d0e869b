"""What slots are made of: claimed quantities as bit planes, and the rules of resources and services.

``projections.availability_queries`` reads it. No cost here grows with the number of bookings: a claim is added to, or
taken from, the planes of the one or two blocks that it lies in.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from psycopg import Cursor

from application.hints import Hints
from application.journal import Recorded
from application.masks import BlockKey, MaskSink
from domain import session
from domain.availability import blocks_of, minutes_in_block
from domain.bit_planes import add, subtract
from domain.booking_page import VisitEntered, VisitLeft
from domain.resource_day import ClaimReleased, SlotClaimed
from domain.session import SessionFact
from projections import availability_rows, changes
from projections.availability_rows import TOUCHING, ClaimKey, LiveClaim, Rows, Used, load
from projections.availability_ruling import RULING, Affected, ruled
from projections.changes import Change, ChangeLog


class Availability:
    """``masks`` None: without a cache, as for a rebuild beside the live read model or a replay."""

    NAME: ClassVar = "availability"
    FACTS: ClassVar = TOUCHING
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"{availability_rows.TABLES}{changes.TABLES}"

    def __init__(self, partitions: int, hints: Hints | None = None, masks: MaskSink | None = None) -> None:
        self._changes = ChangeLog(partitions, hints)
        self._masks = masks

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        rows = load(cursor, batch)
        news = [change for recorded in batch for change in _project_one(recorded, rows)]
        rows.save(cursor)
        # Before the commit: who sees the commit finds the cache at least as new. Should the batch be rolled
        # back, the cache is ahead of the rows for a while, but not of the journal.
        blocks = rows.written_blocks() if self._masks is not None else {}
        if self._masks is not None and blocks:
            self._masks.put(blocks)
        self._changes.record(cursor, news)

    def after_commit(self, batch: Sequence[Recorded]) -> None:  # noqa: ARG002  the changes are known
        self._changes.announce()


def _project_one(recorded: Recorded, rows: Rows) -> Iterator[Change]:
    """Change the rows, and tell the services whose slots may have changed with them."""
    told: Iterable[UUID]
    match recorded.fact:
        case SlotClaimed() | ClaimReleased() as fact:
            affected = _claimed(recorded, fact, rows)
            told = rows.rules.services_taking(fact.resource_id, recorded.provenance.organization_id)
        case fact if isinstance(fact, SessionFact):
            before = rows.sessions.get(fact.session_id)
            after = session.evolve(before, fact)
            affected = Affected(None, after.visit.start, after.visit.end)
            told = [after.service_id]
            if after.is_open:
                rows.sessions.put(after.id, after)
            else:
                rows.sessions.remove(after.id)
        case VisitEntered() | VisitLeft() as fact:
            affected, told = _counted(fact, rows)
        case fact if isinstance(fact, RULING):
            rows.rules.taking.clear()
            affected, told = ruled(recorded, fact, rows.rules)
        case _:
            raise AssertionError(recorded.fact)
    if affected is not None:
        for service_id in told:
            yield _change(recorded, service_id, affected)


def _claimed(recorded: Recorded, fact: SlotClaimed | ClaimReleased, rows: Rows) -> Affected | None:
    """What an appointment claims on a page is replaced, or gone. None if it takes the same as before."""
    key = ClaimKey(recorded.stream_id, fact.appointment_id)
    old = rows.claims.get(key)
    if isinstance(fact, SlotClaimed):
        new = LiveClaim(fact.resource_id, fact.claim, fact.quantity, fact.until)
        rows.claims.put(key, new)
    else:
        new = None
        rows.claims.remove(key)
    if old and new and old._replace(until=new.until) == new:
        return None  # a hold that was confirmed, say
    touched = []
    if old is not None:
        _apply(recorded, old, rows, add_it=False)
        touched.append(old.interval)
    if new is not None:
        _apply(recorded, new, rows, add_it=True)
        touched.append(new.interval)
    if not touched:
        return None
    return Affected(fact.resource_id, min(i.start for i in touched), max(i.end for i in touched))


def _apply(recorded: Recorded, claim: LiveClaim, rows: Rows, *, add_it: bool) -> None:
    change = add if add_it else subtract
    for number in blocks_of(claim.interval):
        key = BlockKey(claim.resource_id, number)
        used = rows.blocks.get(key)
        planes = change(used.planes if used else (), minutes_in_block(number, claim.interval), claim.quantity)
        rows.blocks.put(key, Used(recorded.position, planes))


def _counted(fact: VisitEntered | VisitLeft, rows: Rows) -> tuple[Affected | None, Iterable[UUID]]:
    """A visit that its service's limits count. What a customer's page says is no matter of slots."""
    if rows.rules.services.get(fact.holder_id) is None:
        return None, ()
    key = (fact.holder_id, fact.month, fact.appointment_id)
    if isinstance(fact, VisitEntered):
        rows.visits.put(key, fact)
    else:
        rows.visits.remove(key)
    return Affected(None), [fact.holder_id]


def _change(recorded: Recorded, service_id: UUID, affected: Affected) -> Change:
    return Change(
        position=recorded.position,
        organization_id=recorded.provenance.organization_id,
        topic=f"service:{service_id}:availability",
        at=recorded.provenance.at,
        data=msgspec.json.encode(affected._asdict()),
    )
