"""The shapes of a calendar's entries, for the OpenAPI document and its readers."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from domain.appointment import Status


class GuestShape(BaseModel):
    id: UUID
    status: Status
    customer_id: UUID
    seats: int
    version: int


class SessionEntryShape(BaseModel):
    """A group appointment. ``appointments``: who has its seats, in order; of a crowd only the first 200."""

    id: UUID
    service_id: UUID
    seats: int
    seats_taken: int
    appointments: list[GuestShape]


class CalendarEntryShape(BaseModel):
    """The claim is what the resource is taken for: the visit with its buffers. One of the three is set, by ``kind``."""

    kind: Literal["appointment", "session", "closure"]
    start: datetime
    end: datetime
    claim_start: datetime
    claim_end: datetime
    quantity: int | None
    appointment: dict[str, Any] | None
    session: SessionEntryShape | None
    closure_id: UUID | None
