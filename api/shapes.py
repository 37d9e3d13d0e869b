"""The shapes of answers, for the OpenAPI document and its readers. Answers themselves are written as bytes."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from domain.account import Role
from domain.appointment import Status
from domain.rules import Rule
from domain.service import Holder, Period

_ID = "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11"
_ANOTHER_ID = "a6f5c2de-0d5d-4a5c-9c0e-9b8c7b8a1d22"


class VersionedShape(BaseModel):
    id: UUID
    version: int


class SelfServiceShape(BaseModel):
    open_holds_max: int
    bookings_ahead_max: int


class OrganizationShape(VersionedShape):
    """``second_factor_roles``: who has to sign in with a second factor. ``verified_customers_only``: whether customers
    book only once their e-mail address is verified.
    """

    name: str
    time_zone: str
    self_service: SelfServiceShape
    second_factor_roles: list[Role]
    verified_customers_only: bool


class NewOrganizationShape(VersionedShape):
    name: str
    time_zone: str
    owner_account_id: UUID


class CustomerShape(VersionedShape):
    """The personal fields are null once the customer was erased."""

    display_name: str | None
    email: str | None
    phone: str | None
    locale: str | None


class LocationShape(VersionedShape):
    name: str
    time_zone: str
    address: str | None


class SpanShape(BaseModel):
    start: str
    end: str


class ShiftShape(SpanShape):
    weekday: str


class OverrideShape(BaseModel):
    date: date
    hours: list[SpanShape]


class ResourceShape(VersionedShape):
    name: str | None
    kind: str
    location_id: UUID | None
    time_zone: str
    capacity: int
    working_hours: list[ShiftShape]
    overrides: list[OverrideShape]
    retired_at: datetime | None


class RequirementShape(BaseModel):
    """One of ``resource_id``, ``kind`` and ``pool_id`` is set."""

    resource_id: UUID | None
    kind: str | None
    pool_id: UUID | None
    quantity: int


class BookingLimitShape(BaseModel):
    per: Holder
    period: Period
    count: int


class PriceShape(BaseModel):
    amount: int
    currency: str


class ServiceShape(VersionedShape):
    name: str
    duration_min: int
    buffer_before_min: int
    buffer_after_min: int
    slot_step_min: int
    min_notice_min: int
    max_advance_days: int
    cancellation_notice_min: int
    requirements: list[RequirementShape]
    seats: int
    approval_required: bool
    customer_overlap_allowed: bool
    booking_limits: list[BookingLimitShape]
    offer_min: int
    no_show_after_min: int | None
    release_after_min: int | None
    remind_before_min: list[int]
    price: PriceShape | None
    public: bool


class AppointmentShape(VersionedShape):
    """``start`` and ``end`` exclude buffers. What does not apply is left out.

    ``held_until``: when a hold, or a request that waits for approval, lapses. ``session_id``: of the group appointment
    that its ``seats`` are in. ``series_id``: of its series, in which ``recurrence_id``, a wall-clock time, names it.
    ``waitlist_entry_id``: the entry that it was offered to. ``overridden``: rules that the house broke for it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": _ID,
                "status": "held",
                "service_id": _ANOTHER_ID,
                "customer_id": _ANOTHER_ID,
                "start": "2027-03-01T08:00:00Z",
                "end": "2027-03-01T08:30:00Z",
                "resource_ids": [_ANOTHER_ID],
                "seats": 2,
                "session_id": "5a0c4a39-9f55-4b8a-8d0f-8a112f0e3a52",
                "held_until": "2027-02-20T08:10:00Z",
                "overridden": ["working_hours"],
                "version": 1,
            }
        }
    )

    status: Status
    service_id: UUID
    customer_id: UUID
    start: datetime
    end: datetime
    resource_ids: list[UUID]
    seats: int
    held_until: datetime | None = None
    session_id: UUID | None = None
    series_id: UUID | None = None
    recurrence_id: Annotated[str | None, Field(examples=["2027-03-01T09:00:00"])] = None
    waitlist_entry_id: UUID | None = None
    overridden: list[Rule] | None = None


class AppointmentWithNotesShape(AppointmentShape):
    """``notes`` where there are any and the reader may see them."""

    notes: str | None = None


class HoursShape(VersionedShape):
    working_hours: list[ShiftShape]
    overrides: list[OverrideShape]


class HoursSetShape(HoursShape):
    """``appointments`` now lie outside; ``appointments_complete`` is false if the list may be behind."""

    appointments: list[AppointmentShape]
    appointments_complete: bool


class ClosureShape(BaseModel):
    id: UUID
    resource_id: UUID
    start: datetime
    end: datetime
    reason: str | None


class AttentionShape(BaseModel):
    """An appointment that cannot take place on ``resource_id`` as that is open now.

    ``since`` is the position, and ``at`` the time, of the change that hit it first. ``start`` and ``end`` exclude
    buffers.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "appointment_id": _ID,
                "resource_id": _ANOTHER_ID,
                "reason": "resource-closed",
                "closure_id": "5a0c4a39-9f55-4b8a-8d0f-8a112f0e3a52",
                "since": 4711,
                "at": "2027-02-01T07:12:00Z",
                "start": "2027-03-01T08:00:00Z",
                "end": "2027-03-01T08:30:00Z",
            }
        }
    )

    appointment_id: UUID
    resource_id: UUID
    reason: Literal["resource-retired", "resource-closed", "closed-for-holiday", "outside-working-hours"]
    closure_id: UUID | None
    since: int
    at: datetime
    start: datetime
    end: datetime


class SlotShape(BaseModel):
    start: datetime
    end: datetime
    resource_ids: list[UUID]


class SlotsShape(BaseModel):
    """``position``: everything recorded up to it is taken into account."""

    slots: list[SlotShape]
    position: int


class FactShape(BaseModel):
    """``data`` is the fact itself; its members depend on the ``topic``."""

    position: int
    stream_id: UUID
    version: int
    topic: str
    at: datetime
    actor_id: UUID
    data: dict[str, Any]


class ProofShape(BaseModel):
    """RFC 9162: ``leaf`` is the leaf ``index`` of the tree of ``size`` leaves, whose root ``checkpoint`` signs.

    Hashes are base64. ``inclusion`` leads from the leaf to the root; ``consistency`` from the tree of ``since`` leaves
    to this one, null where that was not asked or is larger. A leaf is the SHA-256 of 0x00, position (8 bytes), stream
    (16), version (8), the topic after its length (4), and the state as an export holds it.
    """

    position: int
    index: int
    leaf: str
    size: int
    checkpoint: str
    inclusion: list[str]
    consistency: list[str] | None


class VisitFactShape(FactShape):
    """``note`` is what was written with the command, where the reader may see it; ``override_reason`` likewise."""

    note: str | None = None
    override_reason: str | None = None


class NotificationShape(BaseModel):
    """One message: ``status`` since ``at``."""

    id: UUID
    position: int
    channel: str
    template: str
    recipient_id: UUID
    status: str
    reason: str | None
    provider_id: str | None
    at: datetime
