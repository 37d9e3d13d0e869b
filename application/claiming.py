"""What a booking takes hold of: the resources that could serve it, their diary pages, its claims on them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from application.decision import View
from domain.allocation import Allocation, allocate, assigned, pages_touched
from domain.appointment import Appointment
from domain.fact import Fact
from domain.organization import Directory, directory_id
from domain.permissions import Actor
from domain.refusals import Refusal
from domain.resource import Resource
from domain.resource_day import Claim, ResourceDay, claim, release
from domain.rules import Rule
from domain.service import Requirement, Service
from domain.session import Session


def suitable_resources(
    view: View, service: Service, actor: Actor, wanted_ids: Sequence[UUID], preferred: Collection[UUID] = ()
) -> list[list[Resource]]:
    """For each requirement the resources that could meet it: those asked for alone, those preferred first."""
    candidates = [_candidates(view, requirement, actor) for requirement in service.terms.requirements]
    suitable = assigned(service, candidates, wanted_ids, lambda resource: resource.id)
    if preferred:
        return [sorted(ones, key=lambda r: r.id not in preferred) for ones in suitable]
    return suitable


def allocate_from(
    view: View,
    service: Service,
    candidates: list[list[Resource]],
    *,
    appointment_id: UUID,
    start: datetime,
    until: datetime | None,
    now: datetime,
    waived: frozenset[Rule] = frozenset(),
) -> Allocation:
    """Load the candidates' diary pages, then let the domain choose. ``waived`` rules are broken only if need be."""
    wanted = service.claim(start)
    view.prepare([stream_id for ones in candidates for r in ones for stream_id, _, _ in pages_touched(r, wanted)])
    pages = _Pages(view)
    try:
        return allocate(service, candidates, pages, appointment_id=appointment_id, start=start, until=until, now=now)
    except Refusal:
        if not waived:
            raise
    return allocate(
        service, candidates, pages, appointment_id=appointment_id, start=start, until=until, now=now, waived=waived
    )


def _candidates(view: View, requirement: Requirement, actor: Actor) -> list[Resource]:
    if requirement.resource_id is not None:
        return [view.require(Resource, requirement.resource_id, actor)]
    assert requirement.kind is not None
    directory = view.get(Directory, directory_id(actor.organization_id))
    resource_ids = directory.of_kind(requirement.kind) if directory else ()
    return [resource for resource in view.get_all(Resource, resource_ids) if resource is not None]


@dataclass(frozen=True, slots=True)
class _Pages:
    """Diary pages, read one by one: a decision depends on those that it looked at, not on all candidates' pages."""

    view: View

    def __getitem__(self, stream_id: UUID) -> ResourceDay | None:
        return self.view.get(ResourceDay, stream_id)


def releases(view: View, claimant: Appointment | Session, actor: Actor) -> list[tuple[UUID, Fact]]:
    return [(stream_id, release(page, claimant.id)) for stream_id, page, _, _ in claimed_pages(view, claimant, actor)]


def claimed_pages(
    view: View, claimant: Appointment | Session, actor: Actor
) -> list[tuple[UUID, ResourceDay, Claim, int]]:
    """Where it has a claim: the page's stream id, the page, the claim, the resource's capacity."""
    resources = [view.require(Resource, allotment.resource_id, actor) for allotment in claimant.allotments]
    touched = [(stream_id, r.capacity) for r in resources for stream_id, _, _ in pages_touched(r, claimant.claim)]
    pages = view.get_all(ResourceDay, [stream_id for stream_id, _ in touched])
    return [
        (stream_id, page, held, capacity)
        for (stream_id, capacity), page in zip(touched, pages, strict=True)
        if page and (held := page.claim_of(claimant.id))
    ]


def claims_until(
    view: View, claimant: Appointment | Session, until: datetime | None, actor: Actor, now: datetime
) -> list[tuple[UUID, Fact]]:
    """The same claims with another deadline, None: for good.

    By this process's clock they have kept everyone else out. By another's, a second ahead, a hold may have lapsed and
    the slot been given away; so they are claimed again like any other. Raises ``SlotTaken``.
    """
    return [
        (stream_id, claim(page, replace(held, until=until), capacity=capacity, now=now))
        for stream_id, page, held, capacity in claimed_pages(view, claimant, actor)
    ]
