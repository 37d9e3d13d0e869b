"""The audit log, which is the journal itself."""

from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from api.contract import query
from api.operation import Operation
from api.position import POSITION_MAX
from api.reading import Asked, Cursor, Limit, Listed, moment, page, place_of
from api.shapes import FactShape
from api.values import DayOrInstant
from domain.permissions import ensure_may
from projections import audit_trail
from projections.audit_trail import AuditedFact, AuditTrail

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=Operation)

UTC_ZONE = ZoneInfo("UTC")


@router.get("/facts", **query(Listed[FactShape], "listFacts", "audit.read", problems=()))
async def list_facts(  # noqa: PLR0913, PLR0917  one argument per filter of the contract
    asked: Asked,
    after: Annotated[int, Query(ge=0, le=POSITION_MAX, description="Facts after this position.")] = 0,
    limit: Limit = 50,
    cursor: Cursor = None,
    stream_id: UUID | None = None,
    topic: Annotated[str | None, Query(pattern=r"^[a-z0-9_.]{1,100}$")] = None,
    actor_id: UUID | None = None,
    start: Annotated[DayOrInstant | None, Query(description="Decided then or later; a date is UTC.")] = None,
    end: Annotated[DayOrInstant | None, Query(description="Decided before.")] = None,
) -> Response:
    """Every fact of the organization, in journal order, with who caused it and when."""
    ensure_may(asked.actor, "audit.read")
    place = place_of(cursor, tuple[int])
    await asked.caught_up(AuditTrail.NAME)
    rows = await audit_trail.facts(
        asked.reads,
        asked.actor.organization_id,
        after=place[0] if place else after,
        limit=limit + 1,
        stream_id=stream_id,
        topic=topic,
        actor_id=actor_id,
        start=moment(start, UTC_ZONE) if start else None,
        end=moment(end, UTC_ZONE) if end else None,
    )
    return page(rows, limit, _shown, lambda row: (row.position,))


def _shown(fact: AuditedFact) -> dict[str, object]:
    return {
        "position": fact.position,
        "stream_id": fact.stream_id,
        "version": fact.version,
        "topic": fact.topic,
        "at": fact.at,
        "actor_id": fact.actor_id,
        "data": msgspec.Raw(fact.data),
    }
