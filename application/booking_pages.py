"""The booking pages that a visit is entered on: its customer's, and its service's where that is limited."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from application.decision import View
from domain.appointment import Appointment, Status
from domain.booking_page import (
    BookingPage,
    Visit,
    VisitEntered,
    VisitLeft,
    booking_page_id,
    months,
    months_of,
    period_of,
    reached,
)
from domain.fact import Fact
from domain.interval import Interval
from domain.organization import Organization
from domain.permissions import Actor
from domain.refusals import BookingLimitReached, CustomerElsewhere, Refusal
from domain.rules import Rule, ensure_besides
from domain.service import BookingLimit, Holder, Service


class Entering(Protocol):
    """As much of a wish as matters here."""

    @property
    def appointment_id(self) -> UUID: ...
    @property
    def service(self) -> Service: ...
    @property
    def customer_id(self) -> UUID: ...
    @property
    def start(self) -> datetime: ...
    @property
    def until(self) -> datetime | None: ...
    @property
    def is_hold(self) -> bool: ...
    @property
    def waived(self) -> frozenset[Rule]: ...


def pages_read(view: View, wish: Entering, actor: Actor) -> list[UUID]:
    """The stream ids of all pages that a wish will be held against or entered on."""
    zone, visit = _zone(view, actor), wish.service.visit(wish.start)
    holders = _holders(wish.service, wish.customer_id)
    touched = {(holder_id, month): None for holder_id in holders for month in months_of(visit, zone)}
    for limit in wish.service.terms.booking_limits:
        for month in months(*period_of(limit.period, visit.start, zone)):
            touched[_counted(limit, wish), month] = None
    return [booking_page_id(holder_id, month) for holder_id, month in touched]


def held_by_customer(view: View, wish: Entering, actor: Actor, now: datetime) -> list[Appointment]:
    """The customer's own holds that would stand in the way of the new visit: whoever tries again is not locked out.

    Where visits may overlap that is only a hold of the same service at the same start.
    """
    visit = wish.service.visit(wish.start)
    found: dict[UUID, None] = {}
    for page in _pages(view, wish.customer_id, months_of(visit, _zone(view, actor))):
        for other in page.visits:
            if other.is_hold and other.counts_at(now) and other.appointment_id != wish.appointment_id:
                same = other.service_id == wish.service.id and other.interval.start == wish.start
                if same or (other.interval.overlaps(visit) and not _may_overlap(wish.service, other)):
                    found[other.appointment_id] = None
    holds = [view.require(Appointment, appointment_id, actor) for appointment_id in found]
    # An offer of the waitlist is no hold of one's own making: it is accepted or declined, not lost by booking.
    return [hold for hold in holds if hold.status is Status.HELD and hold.entry_id is None]


def entries(
    view: View, wish: Entering, visit: Interval, actor: Actor, now: datetime
) -> tuple[list[tuple[UUID, Fact]], frozenset[Rule]]:
    """The facts that enter a visit, and the rules that were waived for it and broken.

    Raises ``CustomerElsewhere``, ``BookingLimitReached``.
    """
    zone = _zone(view, actor)
    entry = Visit(
        wish.appointment_id,
        wish.service.id,
        visit,
        wish.until,
        wish.is_hold,
        wish.service.terms.customer_overlap_allowed,
    )
    touched = months_of(visit, zone)
    its_customers, *others = _holders(wish.service, wish.customer_id)
    pages = _pages(view, its_customers, touched)
    broken = ensure_besides(wish.waived, _reasons_against(view, wish, entry, pages, zone, now))
    for holder_id in others:
        pages += _pages(view, holder_id, touched)
    entered: list[tuple[UUID, Fact]] = []
    for page in pages:
        fact = VisitEntered(
            holder_id=page.holder_id,
            month=page.month,
            appointment_id=entry.appointment_id,
            service_id=entry.service_id,
            visit=visit,
            until=entry.until,
            is_hold=entry.is_hold,
            may_overlap=entry.may_overlap,
        )
        entered.append((booking_page_id(page.holder_id, page.month), fact))
    return entered, broken


def ensure_nowhere_else(view: View, visit: Appointment, actor: Actor, now: datetime) -> None:
    """Raises ``CustomerElsewhere`` if a visit that is about to become firm overlaps another one of its customer.

    By this process's clock it has kept its customer from that. By another's, a second ahead, the hold may have lapsed
    and the customer have booked something else. What the house has let overlap knowingly, may.
    """
    if Rule.CUSTOMER_OVERLAP in visit.overridden:
        return
    for page, own in _entries_of(view, visit, actor):
        is_its_customers = page.holder_id == visit.customer_id
        others = page.visits_at(own.interval) if is_its_customers and not own.may_overlap else []
        for other in others:
            elsewhere = other.appointment_id != own.appointment_id and other.counts_at(now)
            if elsewhere and not other.may_overlap:
                its = view.require(Appointment, other.appointment_id, actor)
                if Rule.CUSTOMER_OVERLAP not in its.overridden:
                    raise CustomerElsewhere(visit.customer_id, other.appointment_id, other.interval)


def settled(
    view: View, visit: Appointment, actor: Actor, until: datetime | None = None
) -> list[tuple[UUID, VisitEntered]]:
    """The visit's entries as they are once it is no hold any more; ``until``: it waits for approval."""
    return [
        (
            booking_page_id(page.holder_id, page.month),
            VisitEntered(
                holder_id=page.holder_id,
                month=page.month,
                appointment_id=entry.appointment_id,
                service_id=entry.service_id,
                visit=entry.interval,
                until=until,
                may_overlap=entry.may_overlap,
            ),
        )
        for page, entry in _entries_of(view, visit, actor)
    ]


def leavings(view: View, visit: Appointment, actor: Actor) -> list[tuple[UUID, VisitLeft]]:
    """The facts that take a visit off the pages that it is on."""
    return [
        (
            booking_page_id(page.holder_id, page.month),
            VisitLeft(holder_id=page.holder_id, month=page.month, appointment_id=visit.id),
        )
        for page, _ in _entries_of(view, visit, actor)
    ]


def pages_left(view: View, visit: Appointment, actor: Actor) -> list[UUID]:
    """The stream ids of the pages that a visit may be on."""
    touched = months_of(visit.visit, _zone(view, actor))
    return [
        booking_page_id(holder_id, month) for holder_id in (visit.customer_id, visit.service_id) for month in touched
    ]


def _reasons_against(
    view: View, wish: Entering, entry: Visit, pages: Sequence[BookingPage], zone: ZoneInfo, now: datetime
) -> Iterator[Refusal]:
    """``pages``: the customer's, of the months of the visit."""
    for page in pages:
        for other in page.visits_at(entry.interval):
            elsewhere = other.appointment_id != entry.appointment_id and other.counts_at(now)
            if elsewhere and not _may_overlap(wish.service, other):
                yield CustomerElsewhere(wish.customer_id, other.appointment_id, other.interval)
    for limit in wish.service.terms.booking_limits:
        holder_id = _counted(limit, wish)
        of_period = tuple(months(*period_of(limit.period, entry.interval.start, zone)))
        first = reached(limit, _pages(view, holder_id, of_period), entry, zone, now=now)
        if first is not None:
            yield BookingLimitReached(limit.per, limit.period, limit.count, first)


def _counted(limit: BookingLimit, wish: Entering) -> UUID:
    """The holder whose bookings a limit counts."""
    return wish.customer_id if limit.per is Holder.CUSTOMER else wish.service.id


def _may_overlap(service: Service, other: Visit) -> bool:
    return service.terms.customer_overlap_allowed or other.may_overlap


def _holders(service: Service, customer_id: UUID) -> list[UUID]:
    """A service's page is kept only while its bookings are counted: every booking of the service contends for it."""
    return [customer_id, service.id] if _is_limited(service.terms.booking_limits) else [customer_id]


def _is_limited(limits: tuple[BookingLimit, ...]) -> bool:
    return any(limit.per is Holder.SERVICE for limit in limits)


def _entries_of(view: View, visit: Appointment, actor: Actor) -> list[tuple[BookingPage, Visit]]:
    """Whatever the terms say today: a visit leaves the pages that it was once entered on."""
    touched = months_of(visit.visit, _zone(view, actor))
    pages = [*_pages(view, visit.customer_id, touched), *_pages(view, visit.service_id, touched)]
    return [(page, one) for page in pages if (one := page.visit_by_appointment.get(visit.id))]


def _pages(view: View, holder_id: UUID, touched: Sequence[date]) -> list[BookingPage]:
    found = view.get_all(BookingPage, [booking_page_id(holder_id, month) for month in touched])
    return [page or BookingPage(holder_id=holder_id, month=month) for page, month in zip(found, touched, strict=True)]


def _zone(view: View, actor: Actor) -> ZoneInfo:
    """Days, weeks and months are those of the organization's calendar."""
    return ZoneInfo(view.require(Organization, actor.organization_id, actor).time_zone)
