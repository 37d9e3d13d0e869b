"""A named set of interchangeable resources, and the strategy by which one of them is chosen."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from uuid import UUID, uuid5

from domain.fact import Fact, fact
from domain.refusals import InvalidValue

POOL_MAX = 500


class Strategy(StrEnum):
    LEAST_LOADED = "least_loaded"
    """Whoever has the least claimed on the local dates of the visit."""
    ROUND_ROBIN = "round_robin"
    """In turn: whoever comes after the one that was taken last."""
    PRIORITY = "priority"
    """The first of the list that is free."""
    BEST_FIT = "best_fit"
    """Whoever's free stretch around the visit is shortest: long stretches stay whole."""


@fact("pool.created.v1")
class PoolCreated(Fact):
    pool_id: UUID
    organization_id: UUID
    name: str
    resource_ids: tuple[UUID, ...]
    strategy: Strategy


@fact("pool.changed.v1")
class PoolChanged(Fact):
    pool_id: UUID
    name: str
    resource_ids: tuple[UUID, ...]
    strategy: Strategy


PoolFact = PoolCreated | PoolChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    id: UUID
    organization_id: UUID
    name: str
    resource_ids: tuple[UUID, ...]
    strategy: Strategy


def ensure_valid_pool(resource_ids: tuple[UUID, ...]) -> None:
    """Raises ``InvalidValue``."""
    if not 1 <= len(resource_ids) <= POOL_MAX:
        raise InvalidValue("resource_ids", f"between 1 and {POOL_MAX} resources")
    if len(set(resource_ids)) != len(resource_ids):
        raise InvalidValue("resource_ids", "each resource once")


def evolve(state: Pool | None, happened: PoolFact) -> Pool:
    match happened:
        case PoolCreated():
            organization_id = happened.organization_id
        case PoolChanged():
            assert state
            organization_id = state.organization_id
        case _:
            assert_never(happened)
    return Pool(
        id=happened.pool_id,
        organization_id=organization_id,
        name=happened.name,
        resource_ids=happened.resource_ids,
        strategy=happened.strategy,
    )


@fact("pool_turns.taken.v1")
class PoolTurnTaken(Fact):
    """A round-robin pool gave this resource; its turn comes again after all others'."""

    pool_id: UUID
    resource_id: UUID


PoolTurnsFact = PoolTurnTaken


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolTurns:
    """Whose turn it was last. A stream of its own, so that only round-robin bookings contend for it."""

    last: UUID


def turns_id(pool_id: UUID) -> UUID:
    return uuid5(pool_id, "turns")


def evolve_turns(state: PoolTurns | None, happened: PoolTurnsFact) -> PoolTurns:  # noqa: ARG001  the shape of every evolve
    match happened:
        case PoolTurnTaken():
            return PoolTurns(last=happened.resource_id)
        case _:
            assert_never(happened)
