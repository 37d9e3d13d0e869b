"""What can be booked: duration, buffers, notice, horizon, slot grid, requirements, seats, limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.fact import Fact, fact
from domain.interval import Interval
from domain.refusals import InvalidValue, OffGrid, Refusal, TooFarAhead, TooSoon
from domain.wall_clock import A_DAY, MINUTE, minute_of_day

DURATION_MAX_MIN = 7 * 24 * 60
BUFFER_MAX_MIN = 24 * 60
NOTICE_MAX_MIN = 366 * 24 * 60
ADVANCE_MAX_DAYS = 3 * 366
REQUIREMENTS_MAX = 10
SEATS_MAX = 10_000
LIMITS_MAX = 10
LIMIT_COUNT_MAX = 10_000
OFFER_MAX_MIN = 7 * 24 * 60
REMINDERS_MAX = 5
AFTER_START_MAX_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class Requirement:
    """``quantity`` units of one resource: of ``resource_id``, or of any one of ``kind`` or of a pool.

    Exactly one of the three is set.
    """

    resource_id: UUID | None = None
    kind: str | None = None
    quantity: int = 1
    pool_id: UUID | None = None


class Holder(StrEnum):
    """Whose bookings a limit counts: of one customer, or all of the service."""

    CUSTOMER = "customer"
    SERVICE = "service"


class Period(StrEnum):
    """Of the organization's calendar; weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class BookingLimit:
    """At most ``count`` bookings of the service that start in one ``period``."""

    per: Holder
    period: Period
    count: int


@dataclass(frozen=True, slots=True)
class Price:
    """``amount`` in minor units of the ISO 4217 ``currency``."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a service promises and asks for; durations in minutes.

    ``seats`` above 1: a group appointment. ``offer_min`` is how long an offer to the waitlist stands. So long after
    the start a visit to which nobody came is marked a no-show, or also releases what it claims; None: never.
    ``public``: anyone may see and book it, without an account.
    """

    name: str
    duration_min: int
    requirements: tuple[Requirement, ...]
    buffer_before_min: int = 0
    buffer_after_min: int = 0
    slot_step_min: int = 15
    min_notice_min: int = 0
    max_advance_days: int = 365
    cancellation_notice_min: int = 0
    price: Price | None = None
    seats: int = 1
    approval_required: bool = False
    customer_overlap_allowed: bool = False
    booking_limits: tuple[BookingLimit, ...] = ()
    offer_min: int = 30
    no_show_after_min: int | None = None
    release_after_min: int | None = None
    remind_before_min: tuple[int, ...] = ()
    public: bool = False


@fact("service.offered.v1")
class ServiceOffered(Fact):
    service_id: UUID
    organization_id: UUID
    terms: Terms


@fact("service.terms_changed.v1")
class ServiceTermsChanged(Fact):
    service_id: UUID
    terms: Terms


ServiceFact = ServiceOffered | ServiceTermsChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    id: UUID
    organization_id: UUID
    terms: Terms

    def visit(self, start: datetime) -> Interval:
        return Interval(start, start + self.terms.duration_min * MINUTE)

    def claim(self, start: datetime) -> Interval:
        """The visit with its buffers: what it takes of a resource."""
        terms = self.terms
        return Interval(
            start - terms.buffer_before_min * MINUTE, start + (terms.duration_min + terms.buffer_after_min) * MINUTE
        )

    def ensure_bookable_at(self, start: datetime, *, now: datetime) -> None:
        """Raises ``TooSoon`` within the minimum notice and ``TooFarAhead`` beyond the horizon."""
        for reason in self.reasons_against(start, now=now):
            raise reason

    def reasons_against(self, start: datetime, *, now: datetime) -> Iterator[Refusal]:
        """What notice and horizon have against a start."""
        earliest = now + self.terms.min_notice_min * MINUTE
        if start < earliest:
            yield TooSoon(earliest)
        latest = now + self.terms.max_advance_days * A_DAY
        if start > latest:
            yield TooFarAhead(latest)

    def is_on_grid(self, start: datetime, zone: ZoneInfo) -> bool:
        """Whether the wall clock of ``zone`` shows a multiple of the step since midnight."""
        return not (start.second or start.microsecond or minute_of_day(start, zone) % self.terms.slot_step_min)

    def ensure_on_grid(self, start: datetime, zone: ZoneInfo) -> None:
        """Raises ``OffGrid`` unless it is."""
        if not self.is_on_grid(start, zone):
            raise OffGrid(self.terms.slot_step_min)


def ensure_valid_terms(terms: Terms) -> None:
    """Raises ``InvalidValue`` for terms under which nothing could be booked."""
    bounds: Sequence[tuple[str, int, int, int]] = (
        ("duration_min", terms.duration_min, 1, DURATION_MAX_MIN),
        ("buffer_before_min", terms.buffer_before_min, 0, BUFFER_MAX_MIN),
        ("buffer_after_min", terms.buffer_after_min, 0, BUFFER_MAX_MIN),
        ("slot_step_min", terms.slot_step_min, 1, 24 * 60),
        ("min_notice_min", terms.min_notice_min, 0, NOTICE_MAX_MIN),
        ("max_advance_days", terms.max_advance_days, 1, ADVANCE_MAX_DAYS),
        ("cancellation_notice_min", terms.cancellation_notice_min, 0, NOTICE_MAX_MIN),
        ("requirements", len(terms.requirements), 1, REQUIREMENTS_MAX),
        ("seats", terms.seats, 1, SEATS_MAX),
        ("booking_limits", len(terms.booking_limits), 0, LIMITS_MAX),
        *(("booking_limits", limit.count, 1, LIMIT_COUNT_MAX) for limit in terms.booking_limits),
        ("offer_min", terms.offer_min, 1, OFFER_MAX_MIN),
        ("no_show_after_min", terms.no_show_after_min or 0, 0, AFTER_START_MAX_MIN),
        ("release_after_min", terms.release_after_min or 0, 0, AFTER_START_MAX_MIN),
        ("remind_before_min", len(terms.remind_before_min), 0, REMINDERS_MAX),
        *(("remind_before_min", minutes, 1, NOTICE_MAX_MIN) for minutes in terms.remind_before_min),
    )
    for field, value, least, most in bounds:
        if not least <= value <= most:
            raise InvalidValue(field, f"between {least} and {most}")
    named = [r.resource_id for r in terms.requirements if r.resource_id]
    if len(set(named)) != len(named):
        raise InvalidValue("requirements", "a resource is named once, with its quantity")
    limited = [(limit.per, limit.period) for limit in terms.booking_limits]
    if len(set(limited)) != len(limited):
        raise InvalidValue("booking_limits", "one for each holder and period")
    for requirement in terms.requirements:
        named_by = (requirement.resource_id, requirement.kind, requirement.pool_id)
        if sum(one is not None for one in named_by) != 1:
            raise InvalidValue("requirements", "each names exactly one of resource_id, kind and pool_id")
        if requirement.quantity < 1:
            raise InvalidValue("requirements", "a quantity of at least 1")


def evolve(state: Service | None, happened: ServiceFact) -> Service:
    match happened:
        case ServiceOffered():
            return Service(id=happened.service_id, organization_id=happened.organization_id, terms=happened.terms)
        case ServiceTermsChanged():
            assert state
            return Service(id=state.id, organization_id=state.organization_id, terms=happened.terms)
        case _:
            assert_never(happened)
