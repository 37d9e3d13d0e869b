"""Free slots of a service."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response

from api.contract import query
from api.operation import Operation
from api.reading import Asked, window, zone_named
from api.shapes import SlotsShape
from api.values import DayOrInstant, ZoneName
from application.slots import FreeSlots, Slot, Sources, Told, free_slots, offer_of, outlook_of, time_zone_of
from domain.permissions import ensure_may
from domain.refusals import NotFound
from domain.service import SEATS_MAX
from domain.wall_clock import A_DAY, MINUTES_PER_DAY
from projections.availability import Availability

router = APIRouter(prefix="/v1/services", tags=["services"], route_class=Operation)

MEDIA_TYPE = "application/json"
_TIMES = [f"{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(MINUTES_PER_DAY)]


class Question(NamedTuple):
    """What somebody asks for; ``public``: by someone who need not know which resources there are."""

    organization_id: UUID
    service_id: UUID
    start: date
    end: date
    time_zone: str | None = None
    resource_id: UUID | None = None
    seats: int = 1
    public: bool = False


@router.get("/{service_id}/slots", **query(SlotsShape, "findSlots", "slots.read"))
async def get_slots(
    asked: Asked,
    service_id: UUID,
    start: Annotated[DayOrInstant, Query(description="A date in time_zone, or an instant.")],
    end: Annotated[DayOrInstant, Query(description="Exclusive; at most 62 days after the start.")],
    time_zone: Annotated[
        ZoneName | None, Query(description="Where dates are meant; the location's if left out.")
    ] = None,
    resource_id: Annotated[UUID | None, Query(description="Only slots that would take this resource.")] = None,
    seats: Annotated[int, Query(ge=1, le=SEATS_MAX, description="Only slots with so many seats left.")] = 1,
) -> Response:
    """The starts that a booking would be given now, earliest first, each with the resources that it would take.

    For anyone who is not elsewhere then and has not reached a limit for each customer. Of a group appointment, starts
    at which a session can be opened, and those of sessions with enough seats left.
    """
    ensure_may(asked.actor, "slots.read")
    await asked.caught_up(Availability.NAME)
    question = Question(asked.actor.organization_id, service_id, start, end, time_zone, resource_id, seats)
    sources = asked.ports.slots
    return Response(await sources.sharing.answer(question, lambda: document(sources, question)), 200, None, MEDIA_TYPE)


async def document(sources: Sources, question: Question) -> bytes:
    """The answer, as it was told before if nothing has changed that it depends on. Raises ``NotFound``."""
    offer = await offer_of(sources, question.organization_id, question.service_id)
    if question.public and not offer.service.terms.public:
        raise NotFound("service", question.service_id)
    start, end = window(question.start, question.end, zone_named(question.time_zone or time_zone_of(offer)))
    outlook = await outlook_of(sources, offer, start, end, resource_id=question.resource_id, seats=question.seats)
    told = sources.told.find(question)
    if told is not None and told.outlook == outlook:
        sources.told.tally.hits += 1
    else:
        sources.told.tally.misses += 1
        written = starts_as_json if question.public else as_json
        told = Told(outlook, written(await free_slots(sources.masks, outlook)) if outlook else b"[]")
        sources.told.put(question, told)
        sources.told.trim()
    return b'{"slots":%b,"position":%d}' % (told.slots, offer.position)


def as_json(slots: Sequence[Slot]) -> bytes:
    """The same as msgspec would write, in a tenth of the time where they are as they were found."""
    if not isinstance(slots, FreeSlots):
        return msgspec.json.encode(slots)
    if not slots:
        return b"[]"
    dates = _dates(slots)
    # Most slots would take one of a few resources.
    known: dict[tuple[UUID, ...], str] = {}
    told = []
    for start, resource_ids in slots.visits:
        end, ids = start + slots.duration_min, known.get(resource_ids)
        if ids is None:
            ids = known[resource_ids] = msgspec.json.encode(resource_ids).decode()
        told.append(
            f'{{"start":"{dates[start // MINUTES_PER_DAY]}{_TIMES[start % MINUTES_PER_DAY]}",'
            f'"end":"{dates[end // MINUTES_PER_DAY]}{_TIMES[end % MINUTES_PER_DAY]}","resource_ids":{ids}}}'
        )
    return f"[{','.join(told)}]".encode()


def starts_as_json(slots: Sequence[Slot]) -> bytes:
    """The same without the resources."""
    if not isinstance(slots, FreeSlots):
        return msgspec.json.encode([{"start": slot.start, "end": slot.end} for slot in slots])
    if not slots:
        return b"[]"
    dates, told = _dates(slots), []
    for start, _ in slots.visits:
        end = start + slots.duration_min
        told.append(
            f'{{"start":"{dates[start // MINUTES_PER_DAY]}{_TIMES[start % MINUTES_PER_DAY]}",'
            f'"end":"{dates[end // MINUTES_PER_DAY]}{_TIMES[end % MINUTES_PER_DAY]}"}}'
        )
    return f"[{','.join(told)}]".encode()


def _dates(slots: FreeSlots) -> list[str]:
    """Of each day of the window, as far as there are slots."""
    days = (slots.visits[-1][0] + slots.duration_min) // MINUTES_PER_DAY + 1
    return [f"{slots.origin + number * A_DAY:%Y-%m-%d}T" for number in range(days)]
