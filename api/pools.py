"""Pools: resources that are as good as each other, and how one of them is chosen."""

from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.catalogue_lists import catalogue_rows, place_in_catalogue
from api.commanding import Changed, Commanded, IfMatch, answered
from api.contract import command, query
from api.operation import Operation
from api.reading import Asked, Cursor, Limit, Listed, page, shown
from api.resource_shapes import PoolShape
from api.values import Body, Change, Name
from application.pooling import ChangePool, CreatePool, change_pool, create_pool
from domain.permissions import ensure_may
from domain.pool import POOL_MAX, Pool, Strategy

router = APIRouter(prefix="/v1/pools", tags=["resources"], route_class=Operation)

Members = Annotated[tuple[UUID, ...], Field(min_length=1, max_length=POOL_MAX)]


class NewPool(Body):
    """``resource_ids`` in the order in which ``priority`` takes them, and that decides ties."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Fisioterapeutas",
                "resource_ids": ["a6f5c2de-0d5d-4a5c-9c0e-9b8c7b8a1d22", "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11"],
                "strategy": "least_loaded",
            }
        }
    )

    name: Name
    resource_ids: Members
    strategy: Strategy


class PoolChange(Change):
    """Visits keep the resources that they have."""

    model_config = ConfigDict(json_schema_extra={"example": {"strategy": "round_robin"}})

    NEVER_NULL: ClassVar = frozenset({"name", "resource_ids", "strategy"})

    name: Name | None = None
    resource_ids: Members | None = None
    strategy: Strategy | None = None


@router.post("", **command(PoolShape, "createPool", "pool.create", creates=True))
async def create(body: NewPool, call: Commanded) -> Response:
    pool_id = call.new_id("pool")
    wanted = CreatePool(pool_id=pool_id, name=body.name, resource_ids=body.resource_ids, strategy=body.strategy)
    answer = await call.submit(create_pool, wanted)
    return answered(answer, status=201, location=f"{call.path}/{pool_id}", besides=body.model_dump())


@router.get("", **query(Listed[PoolShape], "listPools", "pool.read", problems=()))
async def list_pools(asked: Asked, limit: Limit = 50, cursor: Cursor = None) -> Response:
    ensure_may(asked.actor, "pool.read")
    rows = await catalogue_rows(asked, Pool, limit, cursor)
    return page(rows, limit, lambda row: _shown(row.state, row.version), place_in_catalogue)


@router.get("/{pool_id}", **query(PoolShape, "getPool", "pool.read", etag=True))
async def get_pool(asked: Asked, pool_id: UUID) -> Response:
    ensure_may(asked.actor, "pool.read")
    pool, version = await asked.require(Pool, pool_id)
    return shown(_shown(pool, version), version=version)


@router.patch("/{pool_id}", **command(PoolShape, "changePool", "pool.change", key_required=False, if_match=True))
async def change(pool_id: UUID, body: PoolChange, call: Changed, if_version: IfMatch, asked: Asked) -> Response:
    ensure_may(call.actor, "pool.change")
    before, seen = await asked.require(Pool, pool_id)
    after = {
        "name": before.name,
        "resource_ids": before.resource_ids,
        "strategy": before.strategy,
        **body.changes(),
    }
    wanted = ChangePool(pool_id=pool_id, **after, if_version=seen if if_version is None else if_version)
    return answered(await call.submit(change_pool, wanted), besides=after)


def _shown(pool: Pool, version: int) -> dict[str, object]:
    return {
        "id": pool.id,
        "name": pool.name,
        "resource_ids": pool.resource_ids,
        "strategy": pool.strategy,
        "version": version,
    }
