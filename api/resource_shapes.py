"""The shapes of answers about pools, and about changes of when a resource can be had (see ``api.shapes``)."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from api.shapes import AppointmentShape, ClosureShape, SlotShape, VersionedShape
from domain.pool import Strategy

_ID = "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11"


class PoolShape(VersionedShape):
    """``resource_ids`` in the order in which ``priority`` takes them, and that decides ties."""

    name: str
    resource_ids: list[UUID]
    strategy: Strategy


class HolidayShape(BaseModel):
    date: date
    name: str


class HolidaysShape(VersionedShape):
    """By date. ``country`` and ``subdivision``: whose calendar they were taken from, if from one."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": _ID,
                "country": "BR",
                "subdivision": "ES",
                "holidays": [{"date": "2027-01-01", "name": "Confraternização Universal"}],
                "version": 2,
            }
        }
    )

    country: str | None
    subdivision: str | None
    holidays: list[HolidayShape]


class HolidaysSetShape(HolidaysShape):
    """``appointments`` lie on a holiday now; ``appointments_complete`` is false if the list may be behind."""

    appointments: list[AppointmentShape]
    appointments_complete: bool


class RetiredShape(VersionedShape):
    """``appointments`` end later than that; ``appointments_complete`` is false if the list may be behind."""

    retired_at: datetime
    appointments: list[AppointmentShape]
    appointments_complete: bool


class ProposalShape(BaseModel):
    """Where an appointment could be moved; null: nothing is free within a fortnight."""

    appointment_id: UUID
    slot: SlotShape | None


class ClosedShape(ClosureShape):
    """``appointments`` are those that the closure hits; ``appointments_complete`` is false if it may be behind.

    ``proposals``, if asked for: slots for the first 50 of them that can all be had together.
    """

    version: int
    appointments: list[AppointmentShape]
    appointments_complete: bool
    proposals: list[ProposalShape] | None = None
