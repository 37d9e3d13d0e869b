"""What anyone may see of an organization that opens services to the public: these services, and when they are free.

Nothing else of it: no people, no resources, no other services. An organization without public services is not found.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from api.catalogue_lists import place_in_catalogue
from api.contract import query
from api.operation import Operation
from api.ports import Ports, ports_of
from api.position import parsed_position
from api.reading import POSITION_HEADER, Cursor, Limit, Listed, page, place_of, shown, state_of
from api.shapes import PriceShape
from api.slots import MEDIA_TYPE, Question, document
from api.values import DayOrInstant, ZoneName
from domain.organization import Organization
from domain.refusals import NotFound
from domain.service import Service
from projections.availability import Availability
from projections.catalogue import Catalogue, Entry, public_services

router = APIRouter(prefix="/v1/public", tags=["public"], route_class=Operation)


class PublicHouseShape(BaseModel):
    id: UUID
    name: str
    time_zone: str


class PublicServiceShape(BaseModel):
    """``approval_required``: a booking is a request first. ``max_advance_days``, ``min_notice_min``: when one may book.

    Until ``cancellation_notice_min`` before the start a visit may be moved or cancelled.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11",
                "name": "Consultation",
                "duration_min": 30,
                "price": {"amount": 6000, "currency": "GBP"},
                "approval_required": False,
                "min_notice_min": 0,
                "max_advance_days": 365,
                "cancellation_notice_min": 1440,
            }
        }
    )

    id: UUID
    name: str
    duration_min: int
    price: PriceShape | None
    approval_required: bool
    min_notice_min: int
    max_advance_days: int
    cancellation_notice_min: int


class StartShape(BaseModel):
    start: str
    end: str


class StartsShape(BaseModel):
    """``position``: everything recorded up to it is taken into account."""

    slots: list[StartShape]
    position: int


@dataclass(slots=True)
class Passing:
    """A query by anyone."""

    ports: Ports
    position: str | None

    async def caught_up(self, sink: str, organization_id: UUID) -> None:
        """Raises ``NotReached``."""
        await self.ports.fence.pass_or_raise(sink, organization_id, self.position)


async def _passing(request: Request) -> Passing:
    position = request.headers.get(POSITION_HEADER)
    if position is not None:
        parsed_position(position)
    return Passing(ports_of(request), position)


Passed = Annotated[Passing, Depends(_passing)]


@router.get("/{organization_id}", **query(PublicHouseShape, "getPublicHouse", "service.read_public", by="anyone"))
async def get_house(passing: Passed, organization_id: UUID) -> Response:
    """Whose services these are, and the time zone of the house."""
    await passing.caught_up(Catalogue.NAME, organization_id)
    house = await _house(passing, organization_id)
    return shown({"id": house.id, "name": house.name, "time_zone": house.time_zone})


@router.get(
    "/{organization_id}/services",
    **query(Listed[PublicServiceShape], "listPublicServices", "service.read_public", by="anyone"),
)
async def list_services(passing: Passed, organization_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """What anyone may book, in the order in which it was first offered."""
    place = place_of(cursor, tuple[int])
    await passing.caught_up(Catalogue.NAME, organization_id)
    after = place[0] if place else None
    rows = await public_services(passing.ports.reads.of(organization_id), organization_id, after=after, limit=limit + 1)
    if not rows and after is None:
        raise NotFound("organization", organization_id)
    return page(rows, limit, _shown, place_in_catalogue)


@router.get(
    "/{organization_id}/services/{service_id}/slots",
    **query(StartsShape, "findPublicSlots", "slots.read_public", by="anyone"),
)
async def get_slots(
    passing: Passed,
    organization_id: UUID,
    service_id: UUID,
    start: Annotated[DayOrInstant, Query(description="A date in time_zone, or an instant.")],
    end: Annotated[DayOrInstant, Query(description="Exclusive; at most 62 days after the start.")],
    time_zone: Annotated[
        ZoneName | None, Query(description="Where dates are meant; the location's if left out.")
    ] = None,
) -> Response:
    """The starts that a booking would be given now, earliest first."""
    await passing.caught_up(Availability.NAME, organization_id)
    question = Question(organization_id, service_id, start, end, time_zone, public=True)
    sources = passing.ports.slots
    return Response(await sources.sharing.answer(question, lambda: document(sources, question)), 200, None, MEDIA_TYPE)


async def _house(passing: Passing, organization_id: UUID) -> Organization:
    """Raises ``NotFound``, also for an organization that is not open to the public."""
    house, _ = await state_of(passing.ports, Organization, organization_id)
    if house is None or not await public_services(passing.ports.reads.of(organization_id), organization_id, limit=1):
        raise NotFound("organization", organization_id)
    return house


def _shown(row: Entry[Service]) -> dict[str, object]:
    terms = row.state.terms
    return {
        "id": row.state.id,
        "name": terms.name,
        "duration_min": terms.duration_min,
        "price": terms.price,
        "approval_required": terms.approval_required,
        "min_notice_min": terms.min_notice_min,
        "max_advance_days": terms.max_advance_days,
        "cancellation_notice_min": terms.cancellation_notice_min,
    }
