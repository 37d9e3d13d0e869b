"""What must hold for a person, or for a service as a whole: no two places at once, so many bookings in a period.

A booking page lists the visits of one holder in one month of the organization's calendar: of a customer always, of a
service while its terms limit how often it is given. It is to them what a diary page is to a resource.
"""

from collections.abc import Iterator, Mapping, Sequence, ValuesView
from dataclasses import field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import assert_never
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from domain.fact import Fact, fact
from domain.interval import Interval
from domain.resource_day import PAGE_IDS_KEPT
from domain.service import BookingLimit, Period
from domain.value import value
from domain.wall_clock import A_DAY, A_MOMENT


@fact("booking_page.visit_entered.v1")
class VisitEntered(Fact):
    """``month`` is its first day. Entered again, the new entry replaces the old.

    ``until`` is a deadline: an entry past it counts for nothing. ``is_hold``: its customer may have it back at any
    time. ``may_overlap``: the service allows its customers to be elsewhere at the same time.
    """

    holder_id: UUID
    month: date
    appointment_id: UUID
    service_id: UUID
    visit: Interval
    until: datetime | None = None
    is_hold: bool = False
    may_overlap: bool = False


@fact("booking_page.visit_left.v1")
class VisitLeft(Fact):
    holder_id: UUID
    month: date
    appointment_id: UUID


BookingPageFact = VisitEntered | VisitLeft


@value(frozen=True, slots=True)
class Visit:
    appointment_id: UUID
    service_id: UUID
    interval: Interval
    until: datetime | None
    is_hold: bool
    may_overlap: bool

    def counts_at(self, now: datetime) -> bool:
        return self.until is None or now < self.until


@value(frozen=True, slots=True, kw_only=True)
class BookingPage:
    holder_id: UUID
    month: date
    visit_by_appointment: Mapping[UUID, Visit] = field(default_factory=dict)

    @property
    def visits(self) -> ValuesView[Visit]:
        return self.visit_by_appointment.values()

    def visits_at(self, time: Interval) -> list[Visit]:
        """The visits that overlap ``time``, be they firm or not."""
        start, end = time.start, time.end
        # Spelt out, not ``overlaps``: of whoever comes often there are many.
        return [visit for visit in self.visits if visit.interval.start < end and start < visit.interval.end]


@lru_cache(PAGE_IDS_KEPT)
def booking_page_id(holder_id: UUID, month: date) -> UUID:
    """The stream id of a holder's page."""
    return uuid5(holder_id, f"{month:%Y-%m}")


def months(first: date, last: date) -> Iterator[date]:
    """The first days of the months that ``first`` … ``last`` touch."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + timedelta(days=31)).replace(day=1)


def months_of(visit: Interval, zone: ZoneInfo) -> tuple[date, ...]:
    """The pages that a visit is entered on."""
    first, last = visit.start.astimezone(zone).date(), (visit.end - A_MOMENT).astimezone(zone).date()
    return (first.replace(day=1),) if first == last else tuple(months(first, last))


def period_of(period: Period, start: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """First and last day of the period in which a visit starts; weeks begin on Monday (ISO 8601)."""
    day = start.astimezone(zone).date()
    match period:
        case Period.DAY:
            return day, day
        case Period.WEEK:
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=6)
        case Period.MONTH:
            first = day.replace(day=1)
            return first, (first + timedelta(days=31)).replace(day=1) - A_DAY
        case _:
            assert_never(period)


def counted(
    limit: BookingLimit, pages: Sequence[BookingPage], wanted: Visit, zone: ZoneInfo, *, now: datetime
) -> frozenset[UUID]:
    """The appointments that the limit counts in the period of ``wanted``: others of the same service.

    ``pages`` are the holder's, of all months that the period touches.
    """
    first, last = period_of(limit.period, wanted.interval.start, zone)
    return frozenset(
        visit.appointment_id
        for page in pages
        for visit in page.visits
        if visit.service_id == wanted.service_id
        and visit.appointment_id != wanted.appointment_id
        and visit.counts_at(now)
        and first <= visit.interval.start.astimezone(zone).date() <= last
    )


def reached(
    limit: BookingLimit, pages: Sequence[BookingPage], wanted: Visit, zone: ZoneInfo, *, now: datetime
) -> date | None:
    """The first day of the period of ``wanted`` if the limit is reached in it, else None."""
    if len(counted(limit, pages, wanted, zone, now=now)) < limit.count:
        return None
    return period_of(limit.period, wanted.interval.start, zone)[0]


def evolve(state: BookingPage | None, happened: BookingPageFact) -> BookingPage:
    visits = dict(state.visit_by_appointment) if state else {}
    match happened:
        case VisitEntered():
            visits[happened.appointment_id] = Visit(
                happened.appointment_id,
                happened.service_id,
                happened.visit,
                happened.until,
                happened.is_hold,
                happened.may_overlap,
            )
        case VisitLeft():
            visits.pop(happened.appointment_id, None)
        case _:
            assert_never(happened)
    return BookingPage(holder_id=happened.holder_id, month=happened.month, visit_by_appointment=visits)
