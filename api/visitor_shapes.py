"""What a visitor is told of a visit: this and no more, whatever the answer of the command says besides."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from api.commanding import answered
from api.shapes import PriceShape
from application.writer import Answer
from domain.appointment import Status

_VISIT = "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11"
_SERVICE = "a6f5c2de-0d5d-4a5c-9c0e-9b8c7b8a1d22"


class HeldVisitShape(BaseModel):
    """``held_until``: confirm before."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": _VISIT,
                "status": "held",
                "service_id": _SERVICE,
                "start": "2027-03-01T08:00:00Z",
                "end": "2027-03-01T08:30:00Z",
                "held_until": "2027-02-20T08:15:00Z",
                "version": 1,
            }
        }
    )

    id: UUID
    status: Status
    service_id: UUID
    start: datetime
    end: datetime
    held_until: datetime | None = None
    version: int


class OwnVisitShape(HeldVisitShape):
    """``link_token`` manages the visit from now on. It is not shown again: a retry may come without."""

    link_token: str | None = None


class CodeSentShape(BaseModel):
    """``id`` of the visit; ``lasts_min`` minutes the code is good."""

    id: UUID
    lasts_min: int


class PlaceShape(BaseModel):
    name: str
    address: str | None


class ManagedVisitShape(HeldVisitShape):
    """``change_until``: until then it may be moved or cancelled, null if it may not (any more). ``service`` as it is
    offered now; ``place`` where there is one.
    """

    organization_id: UUID
    organization_name: str
    time_zone: str
    service_name: str
    duration_min: int
    price: PriceShape | None
    place: PlaceShape | None
    change_until: datetime | None


FIELDS: Collection[str] = frozenset(HeldVisitShape.model_fields)


def told(
    answer: Answer,
    *,
    status: int = 200,
    location: str | None = None,
    fields: Collection[str] = FIELDS,
    besides: Mapping[str, object] | None = None,
) -> Response:
    """A command's answer, as far as it is a visitor's business."""
    document = {name: value for name, value in msgspec.json.decode(answer.body).items() if name in fields}
    response = answered(answer, status=status, location=location)
    response.body = msgspec.json.encode({**document, **(besides or {})})
    response.headers["Content-Length"] = str(len(response.body))
    return response
