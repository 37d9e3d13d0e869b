"""Finding a visit its place: what a booking, a move, a series and an offer of the waitlist have in common.

``find_place`` decides; it records no more than the return of the customer's own holds. ``take`` records what was found,
``leave`` what a visit gives back.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from application.booking_pages import ensure_nowhere_else, entries, held_by_customer, leavings, pages_read, settled
from application.claiming import allocate_from, claims_until, diary_pages, releases, suitable_resources
from application.decision import NotLoaded, View
from application.hoarding import ensure_not_hoarding, pages_counted
from application.seating import find_seats, leave_seats, settle_seats
from domain import lifecycle
from domain.appointment import (
    Allotment,
    Appointment,
    AppointmentBooked,
    AppointmentHeld,
    AppointmentRequested,
    InSeries,
)
from domain.fact import Fact
from domain.interval import Interval
from domain.permissions import Actor
from domain.refusals import InvalidValue, OffGrid, TooSoon
from domain.rules import Rule, ensure_besides
from domain.service import Service
from domain.value import value


@value(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where a visit, new or present, is to be.

    ``entry_id``: it is an offer to that entry of the waitlist. ``resource_ids``: these of each requirement's
    candidates; ``preferred``: these first, where they are free. ``until``: claim only until then; ``is_hold``: its
    customer may have it back. ``waived``: rules that the house is ready to break.
    """

    appointment_id: UUID
    service: Service
    customer_id: UUID
    start: datetime
    resource_ids: tuple[UUID, ...] = ()
    preferred: tuple[UUID, ...] = ()
    seats: int = 1
    until: datetime | None = None
    is_hold: bool = False
    waived: frozenset[Rule] = frozenset()
    entry_id: UUID | None = None


@value(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the visit can be, and the facts on diary pages, session and booking pages that put it there."""

    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]
    session_id: UUID | None
    overridden: tuple[str, ...]
    facts: tuple[tuple[UUID, Fact], ...]


def find_place(view: View, wish: Wish, actor: Actor, now: datetime) -> Place:
    """Raises the refusal of the first rule that stands in the way and is not waived."""
    service, terms = wish.service, wish.service.terms
    if not 1 <= wish.seats <= terms.seats:
        raise InvalidValue("seats", f"between 1 and {terms.seats}")
    if wish.start < now:
        raise TooSoon(now)
    if wish.start.second or wish.start.microsecond:  # everything is whole minutes, whoever waives the grid
        raise OffGrid(terms.slot_step_min)
    untimely = ensure_besides(wish.waived, service.reasons_against(wish.start, now=now))
    try:
        found = _seated(view, wish, actor, now) if terms.seats > 1 else _allocated(view, wish, actor, now)
        entered, unheeded = entries(view, wish, found.visit, actor, now)
        ensure_not_hoarding(view, wish, actor, now)
    except NotLoaded:
        _prepare(view, wish, actor, now)
        raise
    return Place(
        visit=found.visit,
        claim=found.claim,
        allotments=found.allotments,
        session_id=found.session_id,
        overridden=tuple(sorted({*found.overridden, *untimely, *unheeded})),
        facts=(*found.facts, *entered),
    )


def _prepare(view: View, wish: Wish, actor: Actor, now: datetime) -> None:
    """Something is missing: have all loaded at once that finding the place may look at. Raises ``NotLoaded``."""
    pages = [*pages_read(view, wish, actor), *pages_counted(view, wish, actor, now)]
    if wish.service.terms.seats == 1:
        candidates = suitable_resources(view, wish.service, actor, wish.resource_ids, wish.preferred)
        pages.extend(diary_pages(candidates, wish.service.claim(wish.start)))
    view.prepare(pages)


def _allocated(view: View, wish: Wish, actor: Actor, now: datetime) -> Place:
    service = wish.service
    candidates = suitable_resources(view, service, actor, wish.resource_ids, wish.preferred)
    _return_holds(view, wish, actor, now)
    found = allocate_from(
        view,
        service,
        candidates,
        appointment_id=wish.appointment_id,
        start=wish.start,
        until=wish.until,
        now=now,
        waived=wish.waived,
    )
    return Place(
        visit=service.visit(wish.start),
        claim=service.claim(wish.start),
        allotments=found.allotments,
        session_id=None,
        overridden=tuple(found.overridden),
        facts=(*found.claims, *found.turns),
    )


def _seated(view: View, wish: Wish, actor: Actor, now: datetime) -> Place:
    _return_holds(view, wish, actor, now)
    found = find_seats(view, wish, actor, now)
    return Place(
        visit=found.visit,
        claim=found.claim,
        allotments=found.allotments,
        session_id=found.session_id,
        overridden=tuple(found.overridden),
        facts=found.facts,
    )


def _return_holds(view: View, wish: Wish, actor: Actor, now: datetime) -> None:
    if wish.entry_id is not None:
        return  # an offer must not take away what the customer is about to book
    for hold in held_by_customer(view, wish, actor, now):
        view.record(hold.id, lifecycle.cancel(hold, notice=None, now=now))
        leave(view, hold, actor, now)


def begin(
    view: View,
    wish: Wish,
    place: Place,
    actor: Actor,
    now: datetime,
    *,
    occurrence: InSeries | None = None,
) -> None:
    """Record a new visit in its place. Its own fact comes first: whoever follows knows the visit before its claims."""
    told: Mapping[str, Any] = {
        "appointment_id": wish.appointment_id,
        "organization_id": actor.organization_id,
        "service_id": wish.service.id,
        "customer_id": wish.customer_id,
        "visit": place.visit,
        "claim": place.claim,
        "allotments": place.allotments,
        "seats": wish.seats,
        "session_id": place.session_id,
        "occurrence": occurrence,
        "entry_id": wish.entry_id,
        "overridden": place.overridden,
        "deadlines": lifecycle.deadlines(wish.service, place.visit.start, now=now),
    }
    if wish.until is None:
        view.record(wish.appointment_id, AppointmentBooked(**told))
    elif wish.is_hold:
        view.record(wish.appointment_id, AppointmentHeld(**told, until=wish.until))
    else:
        view.record(wish.appointment_id, AppointmentRequested(**told, until=wish.until))
    take(view, place)


def take(view: View, place: Place) -> None:
    for stream_id, fact in place.facts:
        view.record(stream_id, fact)


def settle(view: View, visit: Appointment, actor: Actor, now: datetime, *, until: datetime | None = None) -> None:
    """A hold becomes firm, or with ``until`` a request.

    Raises ``SlotTaken``, ``SessionFull``, ``HoldLapsed`` or ``CustomerElsewhere`` if it was lost.
    """
    ensure_nowhere_else(view, visit, actor, now)
    if visit.session_id is not None:
        settle_seats(view, visit, until, actor, now)
    else:
        for stream_id, claimed in claims_until(view, visit, until, actor, now):
            view.record(stream_id, claimed)
    for stream_id, entered in settled(view, visit, actor, until):
        view.record(stream_id, entered)


def leave(
    view: View, visit: Appointment, actor: Actor, now: datetime, *, keeping: Collection[UUID] = frozenset()
) -> None:
    """Give back what a visit claims, besides on the streams of ``keeping``, where it claims something else now."""
    leave_claims(view, visit, actor, now, keeping=keeping)
    for stream_id, left in leavings(view, visit, actor):
        if stream_id not in keeping:
            view.record(stream_id, left)


def leave_claims(
    view: View, visit: Appointment, actor: Actor, now: datetime, *, keeping: Collection[UUID] = frozenset()
) -> None:
    """As ``leave``, but the visit stays on the booking pages."""
    if visit.session_id is None:
        for stream_id, released in releases(view, visit, actor):
            if stream_id not in keeping:
                view.record(stream_id, released)
    elif visit.session_id not in keeping:
        leave_seats(view, visit, actor, now)
