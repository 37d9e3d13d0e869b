"""What facts do to the rules of ``projections.availability``, and whose slots may have changed with them."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, assert_never
from uuid import UUID

from application.journal import Recorded
from domain import location, pool, resource, service
from domain.location import HolidaysSet, LocationFact
from domain.organization import OrganizationRegistered, ResourceListed
from domain.pool import PoolFact, PoolTurnTaken
from domain.resource import ResourceClosedFor, ResourceDetailsChanged, ResourceFact, ResourceReopened
from domain.service import ServiceFact
from projections.availability_rules import RULING, Listing, Placed, Rules

__all__ = ["RULING", "Affected", "ruled"]


class Affected(NamedTuple):
    """Where slots may have come or gone. ``start`` and ``end`` None: anywhere; ``resource_id`` None: with anyone."""

    resource_id: UUID | None
    start: datetime | None = None
    end: datetime | None = None


def ruled(recorded: Recorded, fact: RULING, rules: Rules) -> tuple[Affected | None, Iterator[UUID]]:
    """Change the rules; where slots may have come or gone, None if nowhere, and of which services."""
    organization_id = recorded.provenance.organization_id
    match fact:
        case PoolTurnTaken():
            rules.turns.put(fact.pool_id, fact.resource_id)
        case OrganizationRegistered():
            rules.time_zones.put(fact.organization_id, fact.time_zone)
        case ResourceListed():
            rules.listings.put(fact.resource_id, Listing(organization_id, fact.kind, recorded.position))
            return Affected(fact.resource_id), rules.services_taking(fact.resource_id, organization_id)
        case _ if isinstance(fact, ResourceFact):
            return _resource(recorded, fact, rules), rules.services_taking(fact.resource_id, organization_id)
        case _ if isinstance(fact, LocationFact):
            return _location(recorded, fact, rules), (one.id for one in rules.services_of(organization_id))
        case _ if isinstance(fact, PoolFact):
            known = rules.pools.get(fact.pool_id)
            state = pool.evolve(known.state if known else None, fact)
            rules.pools.put(state.id, Placed(recorded.position, state))
            return Affected(None), rules.services_naming(state.id, organization_id)
        case _ if isinstance(fact, ServiceFact):
            before = rules.services.get(fact.service_id)
            offered = service.evolve(before.state if before else None, fact)
            rules.services.put(offered.id, Placed(recorded.position, offered))
            return Affected(None), iter([offered.id])
        case _:
            assert_never(fact)
    return None, iter(())


def _resource(recorded: Recorded, fact: ResourceFact, rules: Rules) -> Affected | None:
    """The resource has other rules. None if they are the same."""
    before = rules.resources.get(fact.resource_id)
    if isinstance(fact, ResourceDetailsChanged):
        return None
    after = resource.evolve(before.state if before else None, fact)
    rules.resources.put(fact.resource_id, Placed(recorded.position, after))
    if isinstance(fact, ResourceClosedFor):
        return Affected(fact.resource_id, fact.closed.start, fact.closed.end)
    if isinstance(fact, ResourceReopened) and before:
        for closure in before.state.closures:
            if closure.id == fact.closure_id:
                return Affected(fact.resource_id, closure.interval.start, closure.interval.end)
    return Affected(fact.resource_id)


def _location(recorded: Recorded, fact: LocationFact, rules: Rules) -> Affected | None:
    """The location has other holidays. None if it has another name."""
    before = rules.locations.get(fact.location_id)
    after = location.evolve(before.state if before else None, fact)
    rules.locations.put(fact.location_id, Placed(recorded.position, after))
    return Affected(None) if isinstance(fact, HolidaysSet) else None
