"""How much whoever books for themselves may have open at once, so that nobody hoards what others wait for.

The house's own people may exceed it: they see whom they book for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.appointment import Appointment, Status
from domain.booking_page import BookingPage, months
from domain.refusals import InvalidValue, TooManyOpen

OPEN_MAX: Final = 1_000
COUNTED_AHEAD: Final = timedelta(days=366)
"""Visits further ahead count only against services that can be booked so far ahead themselves."""


class Open(StrEnum):
    """What is counted."""

    HOLDS = "holds"
    BOOKINGS = "bookings"
    """All visits to come: holds and requests are among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfServiceTerms:
    """An organization's. Of each customer, and of each contact that visitors without an account give."""

    open_holds_max: int = 3
    bookings_ahead_max: int = 20


def ensure_valid_self_service(terms: SelfServiceTerms) -> None:
    """Raises ``InvalidValue``."""
    for name, value in (("open_holds_max", terms.open_holds_max), ("bookings_ahead_max", terms.bookings_ahead_max)):
        if not 1 <= value <= OPEN_MAX:
            raise InvalidValue(f"self_service/{name}", f"between 1 and {OPEN_MAX}")


def months_counted(now: datetime, furthest: timedelta, zone: ZoneInfo) -> Iterator[date]:
    """The months whose pages are looked at for what is open. ``furthest``: the horizon of the service wanted."""
    first = now.astimezone(zone).date()
    return months(first, first + max(COUNTED_AHEAD, furthest))


def ensure_page_has_room(
    terms: SelfServiceTerms, pages: Sequence[BookingPage], appointment_id: UUID, *, is_hold: bool, now: datetime
) -> None:
    """Whether a customer may have one visit more; this one, if it is there already, is not counted.

    Raises ``TooManyOpen``.
    """
    ahead = {
        one.appointment_id: one.is_hold
        for page in pages
        for one in page.visits
        if one.interval.end > now and one.counts_at(now) and one.appointment_id != appointment_id
    }
    _ensure_room(terms, ahead.values(), is_hold=is_hold)


def ensure_contact_has_room(terms: SelfServiceTerms, visits: Iterable[Appointment | None], *, now: datetime) -> None:
    """Whether a contact may hold one visit more. Raises ``TooManyOpen``."""
    ahead = [visit.status is Status.HELD for visit in visits if visit and _is_ahead(visit, now)]
    _ensure_room(terms, ahead, is_hold=True)


def _is_ahead(visit: Appointment, now: datetime) -> bool:
    if visit.visit.end <= now or visit.status not in {Status.HELD, Status.PENDING, Status.BOOKED}:
        return False
    return visit.held_until is None or now < visit.held_until


def _ensure_room(terms: SelfServiceTerms, ahead: Iterable[bool], *, is_hold: bool) -> None:
    """``ahead``: for each visit to come, whether it is a hold."""
    open_now = list(ahead)
    if is_hold and sum(open_now) >= terms.open_holds_max:
        raise TooManyOpen(Open.HOLDS, terms.open_holds_max)
    if len(open_now) >= terms.bookings_ahead_max:
        raise TooManyOpen(Open.BOOKINGS, terms.bookings_ahead_max)
