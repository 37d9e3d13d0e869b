"""What a visit, a session and a closure write into resources' calendars; and what they were, by what is written."""

from collections.abc import Iterable, Iterator, Sequence

from application.journal import Recorded
from domain.appointment import Allotment, Appointment, InSeries
from domain.interval import Interval
from domain.resource import ResourceClosedFor
from domain.session import Session, Taker
from projections.calendar_rows import Entry, Guest, Seat, utc


def visit_entries(visit: Appointment, recorded: Recorded) -> Iterator[Entry]:
    """What a visit writes into calendars: nothing if it has seats of a session, or claims nothing any more."""
    for allotment in visit.allotments if visit.has_claims and visit.session_id is None else ():
        yield Entry(
            id=visit.id,
            resource_id=allotment.resource_id,
            organization_id=visit.organization_id,
            kind="appointment",
            start=visit.visit.start,
            end=visit.visit.end,
            claim_start=visit.claim.start,
            claim_end=visit.claim.end,
            quantity=allotment.quantity,
            status=visit.status,
            customer_id=visit.customer_id,
            service_id=visit.service_id,
            held_until=utc(visit.held_until),
            series_id=visit.occurrence.series_id if visit.occurrence else None,
            recurrence_id=visit.occurrence.recurrence_id if visit.occurrence else None,
            version=recorded.version,
            position=recorded.position,
        )


def guest_of(visit: Appointment, version: int) -> Guest | None:
    """The visit as a session's guest, None if it is none, or none any more."""
    if visit.session_id is None or not visit.has_claims:
        return None
    return Guest(
        appointment_id=visit.id,
        organization_id=visit.organization_id,
        session_id=visit.session_id,
        service_id=visit.service_id,
        customer_id=visit.customer_id,
        status=visit.status,
        start=visit.visit.start,
        end=visit.visit.end,
        seats=visit.seats,
        held_until=utc(visit.held_until),
        series_id=visit.occurrence.series_id if visit.occurrence else None,
        recurrence_id=visit.occurrence.recurrence_id if visit.occurrence else None,
        version=version,
    )


def session_entries(session: Session, version: int, position: int) -> Iterator[Entry]:
    """What a session writes into calendars: one entry for each resource, however many have seats in it."""
    for allotment in session.allotments if session.is_open else ():
        yield Entry(
            id=session.id,
            resource_id=allotment.resource_id,
            organization_id=session.organization_id,
            kind="session",
            start=session.visit.start,
            end=session.visit.end,
            claim_start=session.claim.start,
            claim_end=session.claim.end,
            quantity=allotment.quantity,
            service_id=session.service_id,
            held_until=utc(session.until),
            seats=session.seats,
            seats_taken=sum(taker.seats for taker in session.takers),
            version=version,
            position=position,
        )


def closure_entry(closed: ResourceClosedFor, recorded: Recorded) -> Entry:
    return Entry(
        id=closed.closure_id,
        resource_id=closed.resource_id,
        organization_id=recorded.provenance.organization_id,
        kind="closure",
        start=closed.closed.start,
        end=closed.closed.end,
        claim_start=closed.closed.start,
        claim_end=closed.closed.end,
        version=recorded.version,
        position=recorded.position,
    )


def visit_from(entries: Sequence[Entry]) -> Appointment:
    """The appointment as far as calendars know it, from its entries."""
    one = entries[0]
    assert one.status
    assert one.customer_id
    assert one.service_id
    return Appointment(
        id=one.id,
        organization_id=one.organization_id,
        service_id=one.service_id,
        customer_id=one.customer_id,
        status=one.status,
        visit=Interval(one.start, one.end),
        claim=Interval(one.claim_start, one.claim_end),
        allotments=tuple(Allotment(entry.resource_id, entry.quantity or 0) for entry in entries),
        held_until=one.held_until,
        occurrence=_occurrence(one),
    )


def visit_of(guest: Guest) -> Appointment:
    """The appointment as far as calendars know it: the resources are the session's."""
    visit = Interval(guest.start, guest.end)
    return Appointment(
        id=guest.appointment_id,
        organization_id=guest.organization_id,
        service_id=guest.service_id,
        customer_id=guest.customer_id,
        status=guest.status,
        visit=visit,
        claim=visit,
        allotments=(),
        held_until=guest.held_until,
        seats=guest.seats,
        session_id=guest.session_id,
        occurrence=_occurrence(guest),
    )


def session_from(entries: Sequence[Entry], seats: Iterable[Seat]) -> Session:
    one = entries[0]
    assert one.service_id
    assert one.seats
    return Session(
        id=one.id,
        organization_id=one.organization_id,
        service_id=one.service_id,
        visit=Interval(one.start, one.end),
        claim=Interval(one.claim_start, one.claim_end),
        allotments=tuple(Allotment(entry.resource_id, entry.quantity or 0) for entry in entries),
        seats=one.seats,
        takers=tuple(Taker(seat.appointment_id, seat.seats, seat.until) for seat in seats),
    )


def _occurrence(its: Entry | Guest) -> InSeries | None:
    return InSeries(its.series_id, its.recurrence_id) if its.series_id and its.recurrence_id else None
