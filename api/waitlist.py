"""The waitlist: who waits for a slot, and is offered what becomes free in the order in which they came.

Whoever waits sees no one else, nor how many; a slot is told to the one whom it is held for.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.commanding import Call, Changed, Commanded, answered
from api.contract import command, query
from api.operation import Operation
from api.ports import Ports
from api.reading import Asked, Cursor, Limit, Listed, page, place_of, shown
from api.shapes import AppointmentShape
from api.values import Body, Count, Instant, Nothing
from application import waiting
from application.decision import UseCase
from application.writer import Answer
from domain.account import Role
from domain.permissions import Actor, Reach, ensure_may, reach
from domain.refusals import NotFound, NothingOffered, NotInThatState, Refusal
from domain.waitlist import WINDOWS_MAX
from projections import waitlist_queue
from projections.waitlist_queue import Row, WaitlistQueue

router = APIRouter(prefix="/v1/waitlist", tags=["waitlist"], route_class=Operation)

_OfEntry = waiting.Accept | waiting.Decline | waiting.Leave
WaitlistStatus = Literal["waiting", "offered", "accepted", "left", "ended"]
_ID = "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11"
_ANOTHER_ID = "a6f5c2de-0d5d-4a5c-9c0e-9b8c7b8a1d22"


class Window(Body):
    start: Instant
    end: Instant


class WindowShape(BaseModel):
    start: datetime
    end: datetime


class OfferShape(WindowShape):
    """The visit that is held for the entry, ``until`` then."""

    appointment_id: UUID
    until: datetime


class WaitlistEntryShape(BaseModel):
    """``offer`` while there is one; ``appointment_id`` once it was accepted. ``place`` is shown to the house only."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": _ID,
                "status": "offered",
                "service_id": _ANOTHER_ID,
                "customer_id": _ANOTHER_ID,
                "windows": [{"start": "2027-03-01T08:00:00Z", "end": "2027-03-01T12:00:00Z"}],
                "seats": 1,
                "offer": {
                    "appointment_id": "5a0c4a39-9f55-4b8a-8d0f-8a112f0e3a52",
                    "start": "2027-03-01T09:00:00Z",
                    "end": "2027-03-01T09:30:00Z",
                    "until": "2027-02-27T14:30:00Z",
                },
                "place": 1,
            }
        }
    )

    id: UUID
    status: WaitlistStatus
    service_id: UUID
    customer_id: UUID
    windows: list[WindowShape]
    seats: int
    resource_id: UUID | None = None
    offer: OfferShape | None = None
    appointment_id: UUID | None = None
    place: Annotated[int | None, Field(description="Which it is of those who wait for the same service.")] = None


class AnsweredOfferShape(WaitlistEntryShape):
    """``appointment`` is the one that was offered, as it is now."""

    appointment: AppointmentShape


class Joining(Body):
    """Any visit suits that lies within one of the windows; with ``resource_id``, only on that resource."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "service_id": _ID,
                "customer_id": _ANOTHER_ID,
                "windows": [
                    {"start": "2027-03-01T09:00:00+01:00", "end": "2027-03-01T13:00:00+01:00"},
                    {"start": "2027-03-03T09:00:00+01:00", "end": "2027-03-03T18:00:00+01:00"},
                ],
            }
        }
    )

    service_id: UUID
    customer_id: UUID
    windows: Annotated[list[Window], Field(min_length=1, max_length=WINDOWS_MAX)]
    resource_id: UUID | None = None
    seats: Count = 1


@router.post("", **command(WaitlistEntryShape, "joinWaitlist", "waitlist.join", creates=True))
async def join(body: Joining, call: Commanded) -> Response:
    """Wait for a slot. What becomes free within the windows is held for the first in line whom it suits."""
    entry_id = call.new_id("waitlist entry")
    wanted = waiting.Join(
        entry_id=entry_id,
        service_id=body.service_id,
        customer_id=body.customer_id,
        windows=tuple((window.start, window.end) for window in body.windows),
        resource_id=body.resource_id,
        seats=body.seats,
    )
    return answered(await call.submit(waiting.join, wanted), status=201, location=f"{call.path}/{entry_id}")


@router.get("", **query(Listed[WaitlistEntryShape], "listWaitlist", "waitlist.read", problems=()))
async def list_waitlist(
    asked: Asked,
    service_id: UUID | None = None,
    customer_id: UUID | None = None,
    status: Annotated[WaitlistStatus | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """In the order in which they came; customers see their own."""
    if reach(asked.actor, "waitlist.read") is Reach.OWN:
        customer_id = customer_id or asked.actor.subject_id
    ensure_may(asked.actor, "waitlist.read", subject_id=customer_id)
    place = place_of(cursor, tuple[int])
    await asked.caught_up(WaitlistQueue.NAME)
    rows = await waitlist_queue.listed(
        asked.reads,
        asked.actor.organization_id,
        service_id=service_id,
        customer_id=customer_id,
        status=status,
        after=place[0] if place else None,
        limit=limit + 1,
    )
    return page(rows, limit, lambda row: _shown(row, asked.actor.role), lambda row: (row.joined,))


@router.get("/{entry_id}", **query(WaitlistEntryShape, "getWaitlistEntry", "waitlist.read"))
async def get_entry(asked: Asked, entry_id: UUID) -> Response:
    await asked.caught_up(WaitlistQueue.NAME)
    row = await _row_for(asked.ports, asked.actor, entry_id)
    ensure_may(
        asked.actor, "waitlist.read", subject_id=row.state.customer_id, resource_ids=waiting.waits_for(row.state)
    )
    return shown(_shown(row, asked.actor.role))


@router.post("/{entry_id}/accept", **command(AnsweredOfferShape, "acceptOffer", "waitlist.answer"))
async def accept(entry_id: UUID, call: Commanded, _: Nothing | None = None) -> Response:
    """Take what is offered: the hold becomes a booking, or a request where the house approves each."""
    wanted = waiting.Accept(entry_id=entry_id)
    return answered(await _submit(call, waiting.accept, wanted, "waitlist.answer", NothingOffered(entry_id)))


@router.post("/{entry_id}/decline", **command(AnsweredOfferShape, "declineOffer", "waitlist.answer"))
async def decline(entry_id: UUID, call: Commanded, _: Nothing | None = None) -> Response:
    """Let the offer go to the next in line, and wait on for another time."""
    wanted = waiting.Decline(entry_id=entry_id)
    return answered(await _submit(call, waiting.decline, wanted, "waitlist.answer", NothingOffered(entry_id)))


@router.delete("/{entry_id}", **command(WaitlistEntryShape, "leaveWaitlist", "waitlist.leave", key_required=False))
async def leave(entry_id: UUID, call: Changed) -> Response:
    """Wait no more. What was offered goes to the next in line."""
    wanted = waiting.Leave(entry_id=entry_id)
    return answered(await _submit(call, waiting.leave, wanted, "waitlist.leave", None))


async def _submit(call: Call, use_case: UseCase[Any], wanted: _OfEntry, operation: str, over: Refusal | None) -> Answer:
    """Of one who waits no more the decision knows nothing: then the answer is ``over``, or its state."""
    try:
        return await call.submit(use_case, wanted)
    except NotFound:
        actor, entry_id = call.actor, wanted.entry_id
        row = await _row_for(call.ports, actor, entry_id)
        ensure_may(actor, operation, subject_id=row.state.customer_id, resource_ids=waiting.waits_for(row.state))
        raise over or NotInThatState(entry_id, row.status, "leave") from None


async def _row_for(ports: Ports, actor: Actor, entry_id: UUID) -> Row:
    """The entry, if the actor may see it. Raises ``NotFound``, ``Forbidden``."""
    rows = await waitlist_queue.listed(ports.reads.of(actor.organization_id), actor.organization_id, entry_id=entry_id)
    if not rows or (actor.role is Role.CUSTOMER and rows[0].state.customer_id != actor.subject_id):
        raise NotFound("waitlist_entry", entry_id)
    return rows[0]


def _shown(row: Row, role: Role) -> dict[str, object]:
    entry = waitlist_queue.shown(row)
    if role is Role.CUSTOMER:
        entry.pop("place", None)
    return entry
