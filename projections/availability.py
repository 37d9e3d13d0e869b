"""What slots are made of: claimed quantities as bit planes, and the rules of resources and services.

``projections.availability_queries`` reads it. No cost here grows with the number of bookings: a claim is added to, or
taken from, the planes of the one or two blocks that it lies in.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Cursor

from application.hints import Hints
from application.journal import Recorded
from application.masks import BlockKey, MaskSink
from domain import resource, service
from domain.availability import blocks_of, minutes_in_block
from domain.bit_planes import add, subtract
from domain.interval import Interval
from domain.organization import ResourceListed
from domain.resource import ResourceClosedFor, ResourceDetailsChanged, ResourceFact, ResourceReopened
from domain.resource_day import ClaimReleased, SlotClaimed
from domain.service import Service, ServiceFact
from projections import availability_rows, changes
from projections.availability_rows import TOUCHING, ClaimKey, Listing, LiveClaim, Placed, Rows, Used, load
from projections.changes import Change, ChangeLog


class Affected(NamedTuple):
    """Where slots may have come or gone. ``start`` and ``end`` None: anywhere."""

    resource_id: UUID | None
    start: datetime | None = None
    end: datetime | None = None


class Availability:
    """``masks`` None: without a cache, as for a rebuild beside the live read model or a replay."""

    NAME: ClassVar = "availability"
    DURABLE: ClassVar = False
    TABLES: ClassVar = f"{availability_rows.TABLES}{changes.TABLES}"

    def __init__(self, partitions: int, hints: Hints | None = None, masks: MaskSink | None = None) -> None:
        self._changes = ChangeLog(partitions, hints)
        self._masks = masks

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        touching = [recorded for recorded in batch if isinstance(recorded.fact, TOUCHING)]
        news: list[Change] = []
        if touching:
            rows = load(cursor, touching)
            for recorded in touching:
                news += _project_one(recorded, rows)
            rows.save(cursor)
            # Before the commit: who sees the commit finds the cache at least as new. Should the batch be rolled
            # back, the cache is ahead of the rows for a while, but not of the journal.
            blocks = rows.written_blocks()
            if self._masks is not None and blocks:
                self._masks.put(blocks)
        self._changes.record(cursor, news)

    def after_commit(self, batch: Sequence[Recorded]) -> None:  # noqa: ARG002  the changes are known
        self._changes.announce()


def _project_one(recorded: Recorded, rows: Rows) -> Iterator[Change]:
    """Change the rows, and tell the services whose slots may have changed with them."""
    match recorded.fact:
        case SlotClaimed() | ClaimReleased() as fact:
            affected = _claimed(recorded, fact, rows)
        case fact if isinstance(fact, ResourceFact):
            affected = _ruled(recorded, fact, rows)
        case ResourceListed(resource_id=resource_id, kind=kind):
            listing = Listing(recorded.provenance.organization_id, kind, recorded.position)
            rows.listings.put(resource_id, listing)
            affected = Affected(resource_id)
        case fact if isinstance(fact, ServiceFact):
            before = rows.services.get(fact.service_id)
            state = service.evolve(before.state if before else None, fact)
            rows.services.put(state.id, Placed(recorded.position, state))
            yield _change(recorded, state.id, Affected(None))
            return
        case _:
            raise AssertionError(recorded.fact)
    if affected is not None and affected.resource_id is not None:
        for service_id in _services_taking(affected.resource_id, recorded.provenance.organization_id, rows):
            yield _change(recorded, service_id, affected)


def _claimed(recorded: Recorded, fact: SlotClaimed | ClaimReleased, rows: Rows) -> Affected | None:
    """What an appointment claims on a page is replaced, or gone. None if it stays as it was."""
    key = ClaimKey(recorded.stream_id, fact.appointment_id)
    old = rows.claims.get(key)
    new = LiveClaim(fact.claim, fact.quantity) if isinstance(fact, SlotClaimed) else None
    if old == new:
        return None  # a hold that was confirmed, say
    touched = []
    if old is not None:
        _apply(recorded, fact.resource_id, old, rows, add_it=False)
        touched.append(old.interval)
    if new is not None:
        _apply(recorded, fact.resource_id, new, rows, add_it=True)
        touched.append(new.interval)
        rows.claims.put(key, new)
    else:
        rows.claims.remove(key)
    return Affected(fact.resource_id, min(i.start for i in touched), max(i.end for i in touched))


def _apply(recorded: Recorded, resource_id: UUID, claim: LiveClaim, rows: Rows, *, add_it: bool) -> None:
    change = add if add_it else subtract
    for number in blocks_of(claim.interval):
        key = BlockKey(resource_id, number)
        used = rows.blocks.get(key)
        planes = change(used.planes if used else (), minutes_in_block(number, claim.interval), claim.quantity)
        rows.blocks.put(key, Used(recorded.position, planes))


def _ruled(recorded: Recorded, fact: ResourceFact, rows: Rows) -> Affected | None:
    """The resource has other rules. None if they are the same."""
    before = rows.resources.get(fact.resource_id)
    if isinstance(fact, ResourceDetailsChanged):
        return None
    after = resource.evolve(before.state if before else None, fact)
    rows.resources.put(fact.resource_id, Placed(recorded.position, after))
    interval: Interval | None = None
    if isinstance(fact, ResourceClosedFor):
        interval = fact.closed
    elif isinstance(fact, ResourceReopened) and before:
        interval = next((c.interval for c in before.state.closures if c.id == fact.closure_id), None)
    return Affected(fact.resource_id, interval.start, interval.end) if interval else Affected(fact.resource_id)


def _services_taking(resource_id: UUID, organization_id: UUID, rows: Rows) -> Iterator[UUID]:
    listing = rows.listings.get(resource_id)
    for placed in rows.services.values():
        if placed.state.organization_id == organization_id and _takes(placed.state, resource_id, listing):
            yield placed.state.id


def _takes(state: Service, resource_id: UUID, listing: Listing | None) -> bool:
    return any(
        requirement.resource_id == resource_id or (listing is not None and requirement.kind == listing.kind)
        for requirement in state.terms.requirements
    )


def _change(recorded: Recorded, service_id: UUID, affected: Affected) -> Change:
    return Change(
        position=recorded.position,
        organization_id=recorded.provenance.organization_id,
        topic=f"service:{service_id}:availability",
        at=recorded.provenance.at,
        data=msgspec.json.encode(affected._asdict()),
    )
