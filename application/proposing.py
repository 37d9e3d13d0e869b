"""Where visits could go that a closure hit: a proposal that moves them all, each to a slot of its own."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from application.slots import Slot, Sources, find_slots
from domain.appointment import Appointment
from domain.interval import Interval
from domain.refusals import InvalidValue
from domain.service import Service

PROPOSED_MAX = 50
"""Visits that are looked after at once, by start; the next come when these are moved."""
WITHIN = timedelta(days=14)
LOOKED_AT_MAX = 500

VisitsOf = Callable[[UUID, Interval], Awaitable[Sequence[Appointment]]]
"""A customer's visits to come in an interval."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """``slot``: None where nothing is free within a fortnight from when the visit was to be."""

    appointment_id: UUID
    slot: Slot | None


@dataclass(slots=True)
class _Planned:
    """What the proposals so far would take: of resources the claims, of customers the visits."""

    by_id: defaultdict[UUID, list[Interval]] = field(default_factory=lambda: defaultdict(list))

    def is_free(self, ids: Iterable[UUID], wanted: Interval) -> bool:
        return not any(taken.overlaps(wanted) for one in ids for taken in self.by_id[one])

    def take(self, ids: Iterable[UUID], taken: Interval) -> None:
        for one in ids:
            self.by_id[one].append(taken)


async def propose_moves(
    sources: Sources,
    organization_id: UUID,
    visits: Sequence[Appointment],
    *,
    closed: tuple[UUID, Interval],
    visits_of: VisitsOf,
) -> list[Proposal]:
    """For the first ``PROPOSED_MAX`` visits, by start, the first free slot from when each was to start.

    They can be made together and in any order: no two take the same resource at a time, nothing takes what is
    ``closed``, and no customer is in two places. The guests of a group appointment stay together. Nothing is changed:
    each move is still to be made, and is decided then like any other; a booking limit of its customer, say, holds.
    """
    together: dict[UUID, list[Appointment]] = {}
    for visit in sorted(visits, key=lambda visit: (visit.visit, visit.id))[:PROPOSED_MAX]:
        together.setdefault(visit.session_id or visit.id, []).append(visit)
    planned = _Planned()
    planned.take([closed[0]], closed[1])
    proposals = []
    for group in together.values():
        slot = await _proposed(sources, organization_id, group, planned, visits_of)
        proposals += [Proposal(visit.id, slot) for visit in group]
    return proposals


async def _proposed(
    sources: Sources, organization_id: UUID, group: Sequence[Appointment], planned: _Planned, visits_of: VisitsOf
) -> Slot | None:
    service_id, before = group[0].service_id, group[0].visit
    offer = await sources.offers.offer(organization_id, service_id)
    if offer is None:
        return None
    service, customers = offer.service, {visit.customer_id for visit in group}
    try:
        found = await find_slots(
            sources,
            organization_id,
            service_id,
            before.start,
            before.start + WITHIN,
            seats=sum(visit.seats for visit in group),
            limit=LOOKED_AT_MAX,
        )
    except InvalidValue:  # the service has fewer seats than when they were booked: they cannot stay together
        return None
    elsewhere = await _elsewhere(service, group, visits_of)
    for slot in found.slots:
        claim, visit = service.claim(slot.start), service.visit(slot.start)
        is_alone = not any(other.overlaps(visit) for other in elsewhere) and planned.is_free(customers, visit)
        if is_alone and planned.is_free(slot.resource_ids, claim):
            planned.take(slot.resource_ids, claim)
            planned.take(customers, visit)
            return slot
    return None


async def _elsewhere(service: Service, group: Sequence[Appointment], visits_of: VisitsOf) -> list[Interval]:
    """When the group's customers have other visits; those that are to be moved too, as long as they are not."""
    if service.terms.customer_overlap_allowed:
        return []
    start, moved = group[0].visit.start, {visit.id for visit in group}
    within = Interval(start - WITHIN, start + WITHIN + WITHIN)
    known = [visit for one in group for visit in await visits_of(one.customer_id, within)]
    return [visit.visit for visit in known if visit.id not in moved]
