"""The rows of resources' calendars: entries, seats of group appointments, and who has them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from domain.appointment import Status
from projections.table import Table

ENTRY = Table(
    "entry",
    {
        "id": "uuid NOT NULL",
        "resource_id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "kind": "text NOT NULL",
        "start": "timestamptz NOT NULL",
        "end": "timestamptz NOT NULL",
        "claim_start": "timestamptz NOT NULL",
        "claim_end": "timestamptz NOT NULL",
        "quantity": "integer",
        "status": "text",
        "customer_id": "uuid",
        "service_id": "uuid",
        "held_until": "timestamptz",
        "series_id": "uuid",
        "recurrence_id": "timestamp",
        "seats": "integer",
        "seats_taken": "integer",
        "version": "bigint NOT NULL",
        "position": "bigint NOT NULL",
    },
    key=("id", "resource_id"),
)
# Who has seats is told by the session's facts, who that is by the appointment's: neither waits for the other here.
SEAT = Table(
    "seat",
    {
        "session_id": "uuid NOT NULL",
        "appointment_id": "uuid NOT NULL",
        "seats": "integer NOT NULL",
        "until": "timestamptz",
        "position": "bigint NOT NULL",
    },
    key=("session_id", "appointment_id"),
)
GUEST = Table(
    "guest",
    {
        "appointment_id": "uuid NOT NULL",
        "organization_id": "uuid NOT NULL",
        "session_id": "uuid NOT NULL",
        "service_id": "uuid NOT NULL",
        "customer_id": "uuid NOT NULL",
        "status": "text NOT NULL",
        "start": "timestamptz NOT NULL",
        "end": "timestamptz NOT NULL",
        "seats": "integer NOT NULL",
        "held_until": "timestamptz",
        "series_id": "uuid",
        "recurrence_id": "timestamp",
        "version": "bigint NOT NULL",
    },
    key=("appointment_id",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """``id`` is the appointment's, the session's or the closure's; the claim adds the buffers to the visit.

    A session has ``seats`` and no customer and status of its own: its guests have. A closure claims all of the
    resource, and has no quantity either. ``version`` and ``position`` are those of the fact that last changed it.
    """

    id: UUID
    resource_id: UUID
    organization_id: UUID
    kind: Literal["appointment", "session", "closure"]
    start: datetime
    end: datetime
    claim_start: datetime
    claim_end: datetime
    quantity: int | None = None
    status: Status | None = None
    customer_id: UUID | None = None
    service_id: UUID | None = None
    held_until: datetime | None = None
    series_id: UUID | None = None
    recurrence_id: datetime | None = None
    seats: int | None = None
    seats_taken: int | None = None
    version: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """An appointment that has ``seats`` in a session."""

    appointment_id: UUID
    organization_id: UUID
    session_id: UUID
    service_id: UUID
    customer_id: UUID
    status: Status
    start: datetime
    end: datetime
    seats: int
    held_until: datetime | None
    series_id: UUID | None
    recurrence_id: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """``position`` is that of the fact by which they were first taken: in its order a session's guests are listed."""

    session_id: UUID
    appointment_id: UUID
    seats: int
    until: datetime | None
    position: int


def entry_from(row: dict[str, Any]) -> Entry:
    """A row as it was read."""
    return Entry(**_read(row))


def guest_from(row: dict[str, Any]) -> Guest:
    return Guest(**_read(row))


def seat_from(row: dict[str, Any]) -> Seat:
    return Seat(**_read(row))


def _read(row: dict[str, Any]) -> dict[str, Any]:
    its = {name: utc(value) if isinstance(value, datetime) else value for name, value in row.items()}
    return {**its, "status": Status(row["status"])} if row.get("status") else its


def utc(moment: datetime | None) -> datetime | None:
    """Whatever zone the connection shows: one representation of an instant keeps what is written the same.

    A wall-clock time, which has no zone, stays what it is.
    """
    return moment.astimezone(UTC) if moment and moment.tzinfo else moment
