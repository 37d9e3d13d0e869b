"""A group appointment: one claim on the resources, N seats. It opens with its first seat, and closes with its last.

A seat that is held, or waits for approval, counts until its deadline and not a moment longer; and so does the session's
claim on its resources while no seat is firm.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID, uuid5

from domain.appointment import Allotment
from domain.fact import Fact, fact
from domain.interval import Interval
from domain.refusals import SessionFull


@fact("session.opened.v1")
class SessionOpened(Fact):
    """``seats`` is how many there are."""

    session_id: UUID
    organization_id: UUID
    service_id: UUID
    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]
    seats: int


@fact("session.seats_taken.v1")
class SeatsTaken(Fact):
    """Taken again by the same appointment, the new seats replace the old; ``until`` is a deadline, None: firm."""

    session_id: UUID
    appointment_id: UUID
    seats: int
    until: datetime | None = None


@fact("session.seats_left.v1")
class SeatsLeft(Fact):
    session_id: UUID
    appointment_id: UUID
    seats: int


@fact("session.closed.v1")
class SessionClosed(Fact):
    """The last seat was given up: the resources are released."""

    session_id: UUID


SessionFact = SessionOpened | SeatsTaken | SeatsLeft | SessionClosed


@dataclass(frozen=True, slots=True)
class Taker:
    """An appointment and its seats."""

    appointment_id: UUID
    seats: int
    until: datetime | None

    def counts_at(self, now: datetime) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: UUID
    organization_id: UUID
    service_id: UUID
    visit: Interval
    claim: Interval
    allotments: tuple[Allotment, ...]
    seats: int
    takers: tuple[Taker, ...] = ()
    is_open: bool = True

    def seats_taken(self, *, now: datetime, besides: UUID | None = None) -> int:
        return sum(t.seats for t in self.takers if t.counts_at(now) and t.appointment_id != besides)

    def seats_free(self, *, now: datetime, besides: UUID | None = None) -> int:
        return self.seats - self.seats_taken(now=now, besides=besides)

    def is_held_at(self, now: datetime) -> bool:
        """Whether anyone has a seat that counts: else the session blocks no one and may open anew."""
        return self.is_open and any(taker.counts_at(now) for taker in self.takers)

    @property
    def until(self) -> datetime | None:
        """How long its claim lasts: None as soon as one seat is firm, else the latest deadline."""
        deadlines = [taker.until for taker in self.takers]
        firm = not deadlines or any(until is None for until in deadlines)
        return None if firm else max(until for until in deadlines if until is not None)

    def taker(self, appointment_id: UUID) -> Taker | None:
        return next((taker for taker in self.takers if taker.appointment_id == appointment_id), None)


def session_id(service_id: UUID, start: datetime) -> UUID:
    """The stream id: a service has one session at a start, however many ask for it at once."""
    return uuid5(service_id, f"session/{start.astimezone(UTC).isoformat()}")


def take_seats(session: Session, wanted: Taker, *, now: datetime) -> SeatsTaken:
    """Raises ``SessionFull`` if fewer seats are free, besides those that the appointment has already."""
    free = session.seats_free(now=now, besides=wanted.appointment_id)
    if wanted.seats > free:
        raise SessionFull(session.id, free)
    return SeatsTaken(
        session_id=session.id, appointment_id=wanted.appointment_id, seats=wanted.seats, until=wanted.until
    )


def evolve(state: Session | None, happened: SessionFact) -> Session:
    if isinstance(happened, SessionOpened):
        return Session(
            id=happened.session_id,
            organization_id=happened.organization_id,
            service_id=happened.service_id,
            visit=happened.visit,
            claim=happened.claim,
            allotments=happened.allotments,
            seats=happened.seats,
        )
    assert state
    match happened:
        case SeatsTaken():
            new = Taker(happened.appointment_id, happened.seats, happened.until)
            return replace(state, takers=(*_others(state, happened.appointment_id), new))
        case SeatsLeft():
            return replace(state, takers=_others(state, happened.appointment_id))
        case SessionClosed():
            return replace(state, is_open=False, takers=())
        case _:
            assert_never(happened)


def _others(state: Session, appointment_id: UUID) -> tuple[Taker, ...]:
    return tuple(taker for taker in state.takers if taker.appointment_id != appointment_id)
