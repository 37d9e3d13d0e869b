"""Pools: which resources are as good as each other, and how one of them is chosen."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.decision import Decision, View
from domain.fact import Fact
from domain.permissions import Actor, ensure_may
from domain.pool import Pool, PoolChanged, PoolCreated, Strategy, ensure_valid_pool
from domain.refusals import NotFound
from domain.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePool:
    """``resource_ids`` in the order in which ``priority`` takes them and ties are decided."""

    pool_id: UUID
    name: str
    resource_ids: tuple[UUID, ...]
    strategy: Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePool:
    """All of it anew. Visits keep the resources that they have."""

    pool_id: UUID
    name: str
    resource_ids: tuple[UUID, ...]
    strategy: Strategy
    if_version: int | None = None


def create_pool(view: View, command: CreatePool, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "pool.create")
    _ensure_members(view, command.resource_ids, actor)
    view.ensure_new(Pool, command.pool_id)
    created = PoolCreated(
        pool_id=command.pool_id,
        organization_id=actor.organization_id,
        name=command.name,
        resource_ids=command.resource_ids,
        strategy=command.strategy,
    )
    return _recorded(view, command.pool_id, created)


def change_pool(view: View, command: ChangePool, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "pool.change")
    _ensure_members(view, command.resource_ids, actor)
    view.require(Pool, command.pool_id, actor)
    view.ensure_version(command.pool_id, command.if_version)
    changed = PoolChanged(
        pool_id=command.pool_id, name=command.name, resource_ids=command.resource_ids, strategy=command.strategy
    )
    return _recorded(view, command.pool_id, changed)


def _ensure_members(view: View, resource_ids: tuple[UUID, ...], actor: Actor) -> None:
    """Raises ``InvalidValue`` for no set of resources, and ``NotFound`` for one that is not the organization's."""
    ensure_valid_pool(resource_ids)
    for resource_id, resource in zip(resource_ids, view.get_all(Resource, resource_ids), strict=True):
        if resource is None or resource.organization_id != actor.organization_id:
            raise NotFound("resource", resource_id)


def _recorded(view: View, pool_id: UUID, fact: Fact) -> Decision:
    view.record(pool_id, fact)
    return view.decision({"id": pool_id, "version": view.version(pool_id)})
