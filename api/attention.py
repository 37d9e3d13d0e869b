"""Appointments that someone has to look after: their resource is not open for them any more."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.contract import query
from api.operation import Operation
from api.reading import Asked, Cursor, Limit, Listed, page, place_of
from api.shapes import AttentionShape
from domain.permissions import ensure_may, only_assigned
from projections import attention
from projections.attention import Attention, Place
from projections.attention_rows import Mark

router = APIRouter(prefix="/v1/attention", tags=["appointments"], route_class=Operation)


@router.get("", **query(Listed[AttentionShape], "listAttention", "attention.read", problems=()))
async def list_attention(
    asked: Asked,
    resource_id: Annotated[UUID | None, Query(description="Only what cannot take place on this resource.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """By start: what a closure, new hours, a holiday or a retirement hit, until it is moved, over or open again."""
    resource_id = resource_id or only_assigned(asked.actor)
    ensure_may(asked.actor, "attention.read", resource_ids=(resource_id,) if resource_id else ())
    place = place_of(cursor, Place)
    await asked.caught_up(Attention.NAME)
    rows = await attention.listed(
        asked.reads, asked.actor.organization_id, resource_id=resource_id, after=place, limit=limit + 1
    )
    return page(rows, limit, _shown, lambda mark: (mark.start, mark.appointment_id, mark.resource_id))


def _shown(mark: Mark) -> dict[str, object]:
    shown = asdict(mark)
    del shown["organization_id"]
    return shown
