"""The audit log, which is the journal itself."""

from base64 import b64encode
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from api.contract import query
from api.operation import Operation
from api.position import POSITION_MAX
from api.reading import Asked, Cursor, Limit, Listed, moment, page, place_of, shown
from api.shapes import FactShape, ProofShape
from api.values import DayOrInstant
from domain.permissions import ensure_may
from domain.refusals import NotFound
from projections import audit_trail
from projections.audit_trail import AuditedFact, AuditTrail
from projections.proofs import proof_of

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


@router.get("/proof", **query(ProofShape, "getAuditProof", "audit.read"))
async def get_proof(
    asked: Asked,
    position: Annotated[int, Query(ge=1, le=POSITION_MAX, description="The fact's.")],
    since: Annotated[
        int | None, Query(ge=1, le=POSITION_MAX, description="The size of a checkpoint's tree that you keep.")
    ] = None,
) -> Response:
    """That the fact is in the journal as it was signed. Not found: nor is one that no checkpoint covers yet."""
    ensure_may(asked.actor, "audit.read")
    await asked.caught_up(AuditTrail.NAME)
    proved = await proof_of(asked.reads, asked.actor.organization_id, position, since=since)
    if proved is None:
        raise NotFound("fact", UUID(int=position))
    return shown(
        {
            "position": position,
            "index": proved.index,
            "leaf": _text(proved.leaf),
            "size": proved.size,
            "checkpoint": proved.checkpoint,
            "inclusion": [_text(one) for one in proved.inclusion],
            "consistency": None if proved.consistency is None else [_text(one) for one in proved.consistency],
        }
    )


def _text(one: bytes) -> str:
    return b64encode(one).decode()


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
