"""Seats of a group appointment: its session opens with the first, and gives its resources back with the last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from application.claiming import (
    allocate_from,
    claimed_pages,
    claims_until,
    observed,
    releases,
    suitable_resources,
)
from application.decision import View
from domain.appointment import Allotment, Appointment
from domain.fact import Fact
from domain.interval import Interval
from domain.permissions import Actor
from domain.refusals import HoldLapsed, ResourceNotSuitable
from domain.resource_day import shorten
from domain.rules import Rule, ensure_besides
from domain.service import Service
from domain.session import SeatsLeft, Session, SessionClosed, SessionOpened, Taker, evolve, session_id, take_seats


class SeatWish(Protocol):
    """As much of a wish as matters here."""

    @property
    def appointment_id(self) -> UUID: ...
    @property
    def service(self) -> Service: ...
    @property
    def start(self) -> datetime: ...
    @property
    def resource_ids(self) -> tuple[UUID, ...]: ...
    @property
    def preferred(self) -> tuple[UUID, ...]: ...
    @property
    def seats(self) -> int: ...
    @property
    def until(self) -> datetime | None: ...
    @property
    def waived(self) -> frozenset[Rule]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A session that has the seats, and the facts by which they are taken."""

    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]
    session_id: UUID
    overridden: frozenset[Rule]
    facts: tuple[tuple[UUID, Fact], ...]


def find_seats(view: View, wish: SeatWish, actor: Actor, now: datetime) -> Seat:
    """Seats of the session at the wished start, which is opened if nobody has one."""
    its_id = session_id(wish.service.id, wish.start)
    session = view.get(Session, its_id)
    if session is not None and session.is_held_at(now):
        return _joined(view, session, wish, actor, now)
    return _opened(view, session, wish, actor, now)


def _opened(view: View, before: Session | None, wish: SeatWish, actor: Actor, now: datetime) -> Seat:
    service, its_id = wish.service, session_id(wish.service.id, wish.start)
    candidates = suitable_resources(view, service, actor, wish.resource_ids, wish.preferred)
    found = allocate_from(
        view,
        service,
        candidates,
        appointment_id=its_id,
        start=wish.start,
        until=wish.until,
        now=now,
        waived=wish.waived,
    )
    opened = SessionOpened(
        session_id=its_id,
        organization_id=actor.organization_id,
        service_id=service.id,
        visit=service.visit(wish.start),
        claim=service.claim(wish.start),
        allotments=found.allotments,
        seats=service.terms.seats,
    )
    session = evolve(before, opened)
    taken = take_seats(session, Taker(wish.appointment_id, wish.seats, wish.until), now=now)
    claimed = {stream_id for stream_id, _ in found.claims}
    # Seats that were held and never confirmed may have left claims behind, which block nobody any more.
    stale = [(stream_id, fact) for stream_id, fact in _claims_of(view, before, actor) if stream_id not in claimed]
    return _seat(session, found.overridden, [(its_id, opened), (its_id, taken), *stale, *found.claims, *found.turns])


def _joined(view: View, session: Session, wish: SeatWish, actor: Actor, now: datetime) -> Seat:
    allotted = [allotment.resource_id for allotment in session.allotments]
    for wanted in wish.resource_ids:
        if wanted not in allotted:
            raise ResourceNotSuitable(wanted, session.service_id)
    overridden: frozenset[Rule] = frozenset()
    for resource in observed(view, allotted, actor):
        overridden |= ensure_besides(wish.waived, resource.reasons_against(session.claim))
    taken = take_seats(session, Taker(wish.appointment_id, wish.seats, wish.until), now=now)
    after = evolve(session, taken)
    return _seat(after, overridden, [(session.id, taken), *_reclaimed(view, session, after, actor, now)])


def settle_seats(view: View, visit: Appointment, until: datetime | None, actor: Actor, now: datetime) -> None:
    """Give a visit's seats another deadline, None: for good.

    Raises ``HoldLapsed`` if the session went on without it, ``SessionFull`` or ``SlotTaken`` if its time was lost.
    """
    assert visit.session_id
    session = view.require(Session, visit.session_id, actor)
    if session.taker(visit.id) is None:
        raise HoldLapsed(visit.id, visit.held_until or now)
    taken = take_seats(session, Taker(visit.id, visit.seats, until), now=now)
    view.record(session.id, taken)
    for stream_id, fact in _reclaimed(view, session, evolve(session, taken), actor, now):
        view.record(stream_id, fact)


def leave_seats(view: View, visit: Appointment, actor: Actor, now: datetime) -> None:
    """Give a visit's seats back, and with the last ones the session's resources."""
    assert visit.session_id
    session = view.require(Session, visit.session_id, actor)
    taker = session.taker(visit.id)
    if taker is None:
        return  # they were held, lapsed, and the session opened anew without them
    left = SeatsLeft(session_id=session.id, appointment_id=visit.id, seats=taker.seats)
    view.record(session.id, left)
    after = evolve(session, left)
    changed: Sequence[tuple[UUID, Fact]]
    if not after.is_held_at(now):
        view.record(session.id, SessionClosed(session_id=session.id))
        changed = releases(view, session, actor)
    elif after.until != session.until:
        pages = claimed_pages(view, session, actor)
        changed = [(stream_id, shorten(page, session.id, after.until)) for stream_id, page, _, _ in pages]
    else:
        changed = ()
    for stream_id, fact in changed:
        view.record(stream_id, fact)


def _reclaimed(view: View, before: Session, after: Session, actor: Actor, now: datetime) -> list[tuple[UUID, Fact]]:
    """The session's claims last as long as its longest seat. Raises ``SlotTaken``."""
    return claims_until(view, after, after.until, actor, now) if after.until != before.until else []


def _claims_of(view: View, session: Session | None, actor: Actor) -> list[tuple[UUID, Fact]]:
    return releases(view, session, actor) if session is not None and session.is_open else []


def _seat(session: Session, overridden: frozenset[Rule], facts: list[tuple[UUID, Fact]]) -> Seat:
    return Seat(
        visit=session.visit,
        claim=session.claim,
        allotments=session.allotments,
        session_id=session.id,
        overridden=overridden,
        facts=tuple(facts),
    )
