"""Every reason to say no, as a type that carries facts. Words and status codes belong to ``api.problems``."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from domain.interval import Interval


class Refusal(Exception):  # noqa: N818  a refusal is an answer, not an error
    """The domain said no. Nothing changed."""


@dataclass(eq=False, slots=True)
class NotFound(Refusal):
    """No such object in this organization (another organization's object is not found either)."""

    kind: str
    id: UUID


@dataclass(eq=False, slots=True)
class Forbidden(Refusal):
    """The actor's role does not allow the operation on this object."""

    operation: str


@dataclass(eq=False, slots=True)
class VersionMismatch(Refusal):
    """The object is no longer the version that the client saw."""

    id: UUID
    expected: int
    current: int


@dataclass(eq=False, slots=True)
class AlreadyExists(Refusal):
    """An object with this id was made before, by another command."""

    kind: str
    id: UUID


@dataclass(eq=False, slots=True)
class KeyReused(Refusal):
    """The idempotency key was used before with another request."""


@dataclass(eq=False, slots=True)
class EmailTaken(Refusal):
    """The e-mail address already signs in to an account."""


@dataclass(eq=False, slots=True)
class SlotTaken(Refusal):
    """A claim would exceed the resource's capacity at some minute."""

    resource_id: UUID
    wanted: Interval


@dataclass(eq=False, slots=True)
class OutsideWorkingHours(Refusal):
    resource_id: UUID
    wanted: Interval


@dataclass(eq=False, slots=True)
class ResourceClosed(Refusal):
    resource_id: UUID
    closure_id: UUID
    closed: Interval


@dataclass(eq=False, slots=True)
class ClosedForHoliday(Refusal):
    """The resource's location keeps a public holiday on ``day``."""

    resource_id: UUID
    day: date


@dataclass(eq=False, slots=True)
class ResourceRetired(Refusal):
    """From ``retired_at`` on the resource is no longer to be had."""

    resource_id: UUID
    retired_at: datetime


@dataclass(eq=False, slots=True)
class SessionFull(Refusal):
    """The session at that start has fewer free seats than were asked for."""

    session_id: UUID
    seats_free: int


@dataclass(eq=False, slots=True)
class CustomerElsewhere(Refusal):
    """The customer has another visit at that time: nobody is in two places."""

    customer_id: UUID
    appointment_id: UUID
    elsewhere: Interval


@dataclass(eq=False, slots=True)
class BookingLimitReached(Refusal):
    """``per`` customer or service: so many bookings of the service in the ``period`` (day, week, month) that
    began on ``period_start``, and no more.
    """

    per: str
    period: str
    count: int
    period_start: date


@dataclass(eq=False, slots=True)
class TooManyOpen(Refusal):
    """Whoever books for themselves may have so many open at once: ``counted`` are holds, or all bookings to come.

    Give one back, or ask the house.
    """

    counted: str
    allowed: int


@dataclass(eq=False, slots=True)
class SeriesConflicts(Refusal):
    """Occurrences of a series that cannot be had, all of them; nothing was written."""

    conflicts: tuple["Conflict", ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """One occurrence, by its wall-clock start in the series' zone, and why it cannot be had."""

    recurrence_id: datetime
    start: datetime
    refusal: Refusal


@dataclass(eq=False, slots=True)
class AlreadyWaiting(Refusal):
    """The customer waits for this service already."""

    entry_id: UUID


@dataclass(eq=False, slots=True)
class WaitlistFull(Refusal):
    """The waitlist, or the customer's part of it, has as many entries as it takes."""

    entries_max: int


@dataclass(eq=False, slots=True)
class TooManyWebhooks(Refusal):
    """The organization has as many endpoints as it may have."""

    webhooks_max: int


@dataclass(eq=False, slots=True)
class WebhookIsDisabled(Refusal):
    """Nothing is delivered to the endpoint until it is enabled again."""

    webhook_id: UUID
    cause: str


@dataclass(eq=False, slots=True)
class NothingOffered(Refusal):
    """The waitlist entry has no offer that stands."""

    entry_id: UUID


@dataclass(eq=False, slots=True)
class NothingOffersThis(Refusal):
    """No resource of the organization meets a requirement of the service."""

    service_id: UUID
    kind: str | None


@dataclass(eq=False, slots=True)
class ResourceNotSuitable(Refusal):
    """A resource that the client asked for is of no use to the service."""

    resource_id: UUID
    service_id: UUID


@dataclass(eq=False, slots=True)
class TooSoon(Refusal):
    """The start lies within the service's minimum notice, or in the past."""

    earliest: datetime


@dataclass(eq=False, slots=True)
class TooFarAhead(Refusal):
    latest: datetime


@dataclass(eq=False, slots=True)
class OffGrid(Refusal):
    """The start is not on the service's slot grid: every ``slot_step_min`` minutes from local midnight."""

    slot_step_min: int


@dataclass(eq=False, slots=True)
class NotInThatState(Refusal):
    """The transition does not exist from the appointment's present status."""

    id: UUID
    status: str
    operation: str


@dataclass(eq=False, slots=True)
class HoldLapsed(Refusal):
    id: UUID
    lapsed_at: datetime


@dataclass(eq=False, slots=True)
class CancelledTooLate(Refusal):
    """The cancellation notice of the service had begun."""

    deadline: datetime


@dataclass(eq=False, slots=True)
class TooEarly(Refusal):
    """The transition opens later: a check-in shortly before the visit, a no-show after a grace period."""

    opens_at: datetime


@dataclass(eq=False, slots=True)
class TooManyCodes(Refusal):
    """No more than ``codes_max`` codes are sent for one visit."""

    codes_max: int


@dataclass(eq=False, slots=True)
class LinkOver(Refusal):
    """The link manages no visit: it never did, a newer one was sent since, or the visit was long ago."""


@dataclass(eq=False, slots=True)
class HoursOverlap(Refusal):
    """Two working-hour spans of one day overlap."""

    day: str | date


@dataclass(eq=False, slots=True)
class InvalidValue(Refusal):
    """A value that no object of this kind can have; ``field`` is its name in the contract."""

    field: str
    reason: str
