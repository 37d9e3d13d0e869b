"""What becomes of the second engine's lists when a command is accepted, and which commands a visit's state bars."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.refusals import CancelledTooLate, HoldLapsed, NotInThatState, Refusal, TooEarly
from domain.service import Terms
from tests.engine.reference import House, Visit, moment_of
from tests.engine.reference_rules import Verdict, Wish, claim_of

STATES: Mapping[str, set[str]] = {
    "confirm": {"held"},
    "approve": {"pending"},
    "reschedule": {"held", "pending", "booked"},
    "cancel": {"held", "pending", "booked"},
    "lapse": {"held", "pending"},
    "check_in": {"booked"},
    "fulfil": {"arrived"},
    "mark_no_show": {"booked"},
    "release": {"booked"},
}
NEED_LIFE = {"confirm", "approve", "reschedule"}
"""Of what is past its deadline, these make nothing any more."""


def barred(house: House, visit: Visit, move: str, *, as_customer: bool = False) -> set[type[Refusal]]:
    """What the state of a visit, and the time, have against a move."""
    if visit.status not in STATES[move]:
        return {NotInThatState}
    if move == "reschedule" and visit.status == "held" and visit.entry_id is not None:
        return {NotInThatState}  # an offer is of one slot
    if move in NEED_LIFE and not visit.is_live(house.now):
        return {HoldLapsed}
    asks = move == "confirm" and house.services[visit.service_id].approval_required
    if asks and house.now >= moment_of(visit.start):
        return {HoldLapsed}
    if move == "release" and visit.release_at is None:
        return {NotInThatState}
    opens = {
        "lapse": visit.until,
        "check_in": moment_of(visit.start) - timedelta(hours=4),
        "mark_no_show": visit.no_show_at or moment_of(visit.start) + timedelta(minutes=15),
        "release": visit.release_at,
    }.get(move)
    too_early = opens is not None and house.now < opens
    binds = as_customer and move in {"cancel", "reschedule"} and visit.status == "booked"
    notice = timedelta(minutes=house.services[visit.service_id].cancellation_notice_min)
    too_late = binds and house.now > moment_of(visit.start) - notice
    return ({TooEarly} if too_early else set()) | ({CancelledTooLate} if too_late else set())


def began(house: House, wish: Wish, verdict: Verdict, answer: Mapping[str, Any], **told: Any) -> Visit:
    """A new visit, as it was answered. ``told``: whose offer or series it is."""
    for hold in verdict.returned:
        gone(house, hold)
    assert wish.customer_id is not None
    visit = Visit(
        id=answer["id"],
        service_id=wish.service_id,
        customer_id=wish.customer_id,
        start=wish.start,
        end=0,
        begins=0,
        ends=0,
        takes=[],
        status=answer["status"],
        until=answer.get("held_until"),
        seats=wish.seats,
        **told,
    )
    _placed(house, visit, wish, verdict, answer)
    house.visits[visit.id] = visit
    return visit


def moved(house: House, visit: Visit, wish: Wish, verdict: Verdict, answer: Mapping[str, Any]) -> None:
    for hold in verdict.returned:
        gone(house, hold)
    before, was_seated = visit.session, not visit.unseated
    visit.session = None
    if was_seated and before != (wish.service_id, wish.start):
        left(house, before)
    visit.until = answer.get("held_until")
    _placed(house, visit, wish, verdict, answer)


def _placed(house: House, visit: Visit, wish: Wish, verdict: Verdict, answer: Mapping[str, Any]) -> None:
    terms = house.services[wish.service_id]
    session = (wish.service_id, wish.start) if terms.seats > 1 else None
    if verdict.joins:
        of_it = verdict.joins[0]
        visit.end, visit.begins, visit.ends = of_it.end, of_it.begins, of_it.ends
        visit.takes, visit.session_seats = of_it.takes, of_it.session_seats
    else:
        for other in house.seated(session, besides=[visit.id], recorded=True) if session else ():
            other.unseated = True
        visit.end = wish.start + terms.duration_min
        visit.begins, visit.ends = claim_of(terms, wish.start)
        quantities = [need.quantity for need in terms.requirements]
        visit.takes = list(zip(answer["resource_ids"], quantities, strict=True))
        visit.session_seats = terms.seats
    visit.start, visit.session, visit.session_id, visit.unseated = wish.start, session, answer.get("session_id"), False
    visit.overridden = frozenset(answer.get("overridden", ()))
    visit.may_overlap = terms.customer_overlap_allowed
    visit.counts_for_service = any(limit.per == "service" for limit in terms.booking_limits)
    visit.no_show_at = _after(wish.start, terms.no_show_after_min)
    visit.release_at = _after(wish.start, terms.release_after_min)


def _after(start: int, minutes: int | None) -> datetime | None:
    return None if minutes is None else moment_of(start + minutes)


def settled(terms: Terms, visit: Visit, move: str) -> None:
    """A hold was confirmed or a request approved."""
    asks = move == "confirm" and terms.approval_required
    visit.status = "pending" if asks else "booked"
    visit.until = moment_of(visit.start) if asks else None


def gone(house: House, visit: Visit, *, released: bool = False) -> None:
    """What it took is free again."""
    visit.status, visit.released = ("noshow", True) if released else ("cancelled", False)
    if not visit.unseated:
        left(house, visit.session)


def left(house: House, session: tuple[UUID, int] | None) -> None:
    """Without anybody whose seats count, the session is over."""
    if session and not house.seated(session):
        for other in house.seated(session, recorded=True):
            other.unseated = True
