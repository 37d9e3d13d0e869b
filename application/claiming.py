"""What a booking takes hold of: the resources that could serve it, their diary pages, its claims on them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

from application.decision import NotLoaded, View
from domain.allocation import Allocation, Choice, allocate, assigned, in_turn, pages_touched
from domain.appointment import Appointment
from domain.fact import Fact
from domain.interval import Interval
from domain.location import Location
from domain.organization import Directory, directory_id
from domain.permissions import Actor
from domain.pool import Pool, PoolTurns, Strategy, turns_id
from domain.refusals import Refusal, ResourceNotSuitable
from domain.resource import Resource
from domain.resource_day import Claim, ResourceDay, claim, page_id, release
from domain.rules import Rule
from domain.service import Requirement, Service
from domain.session import Session
from domain.wall_clock import local_days


def suitable_resources(
    view: View, service: Service, actor: Actor, wanted_ids: Sequence[UUID], preferred: Collection[UUID] = ()
) -> list[Choice[Resource]]:
    """For each requirement the resources that could meet it: those asked for alone, those preferred first."""
    requirements = service.terms.requirements
    try:
        listed = [_listed(view, requirement, actor) for requirement in requirements]
    except NotLoaded:
        view.prepare(list(dict.fromkeys(one for need in requirements for one in _found_by(need, actor))))
        raise
    resource_ids = list(dict.fromkeys([one for choice in listed for one in choice.candidates]))
    known = {one.id: one for one in observed(view, resource_ids, actor)}
    first = frozenset(preferred)
    choices = [
        choice.among([found for one in choice.candidates if (found := known.get(one))], first) for choice in listed
    ]
    return assigned(service, choices, wanted_ids, lambda resource: resource.id)


def observed(view: View, resource_ids: Sequence[UUID], actor: Actor) -> list[Resource]:
    """The resources with the holidays that their locations keep. No decision asks one without whether it is open."""
    found = [
        one for one in view.get_all(Resource, resource_ids) if one and one.organization_id == actor.organization_id
    ]
    places = list(dict.fromkeys([one.location_id for one in found if one.location_id is not None]))
    locations = dict(zip(places, view.get_all(Location, places), strict=True))
    return [one.observing(locations[one.location_id] if one.location_id else None) for one in found]


def session_resources(view: View, session: Session, wanted_ids: Sequence[UUID], actor: Actor) -> list[Resource]:
    """What a session has taken. Raises ``ResourceNotSuitable`` for a resource asked for that is not among it."""
    allotted = [allotment.resource_id for allotment in session.allotments]
    for wanted in wanted_ids:
        if wanted not in allotted:
            raise ResourceNotSuitable(wanted, session.service_id)
    return observed(view, allotted, actor)


def allocate_from(
    view: View,
    service: Service,
    choices: Sequence[Choice[Resource]],
    *,
    appointment_id: UUID,
    start: datetime,
    until: datetime | None,
    now: datetime,
    waived: frozenset[Rule] = frozenset(),
) -> Allocation:
    """Let the domain choose. ``waived`` rules are broken only if need be. Raises ``NotLoaded``."""
    asked = partial(
        allocate, service, choices, _Pages(view), appointment_id=appointment_id, start=start, until=until, now=now
    )
    try:
        try:
            return asked()
        except Refusal:
            if not waived:
                raise
            return asked(waived=waived)
    except NotLoaded:
        # Mostly the first candidates are in memory and will do. Else the pages of all are loaded in one round trip.
        view.prepare(diary_pages(choices, service.claim(start)))
        raise


def diary_pages(choices: Sequence[Choice[Resource]], wanted: Interval) -> list[UUID]:
    """The stream ids of the pages that a decision may look at."""
    zones = {one.id: one.time_zone for choice in choices for one in choice.candidates}
    # Many candidates live in few zones, and asking a zone for its dates takes longer than all the rest.
    dates = {zone: [day for day, _ in local_days(wanted, ZoneInfo(zone))] for zone in set(zones.values())}
    return [page_id(resource_id, day) for resource_id, zone in zones.items() for day in dates[zone]]


def _found_by(requirement: Requirement, actor: Actor) -> list[UUID]:
    """The streams that say who suits a requirement."""
    if requirement.pool_id is not None:
        return [requirement.pool_id, turns_id(requirement.pool_id)]
    return [requirement.resource_id or directory_id(actor.organization_id)]


def _listed(view: View, requirement: Requirement, actor: Actor) -> Choice[UUID]:
    if requirement.resource_id is not None:
        return Choice((view.require(Resource, requirement.resource_id, actor).id,))
    if requirement.kind is not None:
        directory = view.get(Directory, directory_id(actor.organization_id))
        return Choice(directory.of_kind(requirement.kind) if directory else ())
    assert requirement.pool_id is not None
    pool = view.require(Pool, requirement.pool_id, actor)
    listed = pool.resource_ids
    if pool.strategy is Strategy.ROUND_ROBIN:
        turns = view.get(PoolTurns, turns_id(pool.id))
        listed = in_turn(listed, turns.last if turns else None)
    return Choice(listed, pool.strategy, pool.id)


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
