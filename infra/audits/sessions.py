"""No seat of a group appointment is sold twice, and whoever has one is a visit that knows of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from infra.audits.stored import Span, StoredFact, deadline, span
from infra.audits.visits import Visit, Visits
from infra.findings import ILLEGAL, OVERSOLD, SEATS_LOST, SEATS_MISMATCH, SESSION_TWICE, UNKNOWN, Findings

_Taker = tuple[int, datetime | None]
"""Seats, and until when; None: firm."""


@dataclass(slots=True)
class Session:
    seats: int
    claim: Span
    allotments: frozenset[tuple[str, int]]
    is_open: bool = True
    takers: dict[str, _Taker] = field(default_factory=dict)

    @property
    def until(self) -> datetime | None:
        """Until when its claims last: the latest deadline, for ever as soon as one seat is firm."""
        deadlines = [until for _, until in self.takers.values() if until is not None]
        return max(deadlines) if deadlines and len(deadlines) == len(self.takers) else None

    def taken_at(self, now: datetime) -> int:
        return sum(seats for seats, until in self.takers.values() if until is None or now < until)


@dataclass(slots=True)
class Sessions:
    """``touched``: the sessions of the present command, each with the position of its latest fact."""

    KINDS: ClassVar[tuple[str, ...]] = ("session",)

    findings: Findings
    visits: Visits
    by_id: dict[str, Session] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)
    _by_start: dict[tuple[str, datetime], str] = field(default_factory=dict)
    _dropped: list[tuple[int, str, dict[str, _Taker]]] = field(default_factory=list)
    _seated: dict[tuple[str, str], int] = field(default_factory=dict)
    _sold: dict[str, int] = field(default_factory=dict)

    def take(self, fact: StoredFact) -> None:
        its_id = fact.data.get("session_id", "")
        session = self.by_id.get(its_id)
        if fact.topic == "session.opened.v1":
            self._open(fact, its_id, session)
        elif session is None or not session.is_open:
            self.findings.report(ILLEGAL, fact.position, f"{fact.topic} of {its_id}, which is not open")
            return
        elif fact.topic == "session.seats_taken.v1":
            self._seat(fact, its_id)
            self._sold[its_id] = fact.position
            session.takers[fact.data["appointment_id"]] = fact.data["seats"], deadline(fact.data.get("until"))
        elif fact.topic == "session.seats_left.v1":
            self._seat(fact, its_id)
            if session.takers.pop(fact.data["appointment_id"], None) is None:
                self.findings.report(
                    ILLEGAL, fact.position, f"{fact.topic}: {fact.data['appointment_id']} has no seats in {its_id}"
                )
        elif fact.topic == "session.closed.v1":
            self._drop(fact, its_id, session)
            session.is_open = False
        else:
            self.findings.report(UNKNOWN, fact.position, fact.topic)
        self.touched[its_id] = fact.position

    def judge(self, now: datetime) -> None:
        for position, its_id, takers in self._dropped:
            lost = [taker for taker, (_, until) in takers.items() if until is None or now < until]
            if lost:
                self.findings.report(SEATS_LOST, position, f"session {its_id}, appointments {', '.join(sorted(lost))}")
        for its_id, position in self._sold.items():
            self._judge_fullness(its_id, position, now)
        pairs = dict(self._seated)
        for appointment_id, position in self.visits.touched.items():
            visit = self.visits.by_id[appointment_id]
            if visit.session_id is not None:
                pairs[visit.session_id, appointment_id] = position
        for (its_id, appointment_id), position in pairs.items():
            self._judge_pair(its_id, appointment_id, position, now)
        self._dropped.clear()
        self._seated.clear()
        self._sold.clear()
        self.touched.clear()

    def _open(self, fact: StoredFact, its_id: str, before: Session | None) -> None:
        data = fact.data
        if before is not None and before.is_open:
            self._drop(fact, its_id, before)
        at = data["service_id"], span(data["visit"])[0]
        other = self._by_start.setdefault(at, its_id)
        if other != its_id:
            self.findings.report(SESSION_TWICE, fact.position, f"{its_id} and {other} of service {at[0]} at {at[1]}")
        allotments = frozenset((each["resource_id"], each["quantity"]) for each in data["allotments"])
        self.by_id[its_id] = Session(data["seats"], span(data["claim"]), allotments)

    def _drop(self, fact: StoredFact, its_id: str, session: Session) -> None:
        self._dropped.append((fact.position, its_id, session.takers))
        session.takers = {}

    def _seat(self, fact: StoredFact, its_id: str) -> None:
        self._seated[its_id, fact.data["appointment_id"]] = fact.position

    def _judge_fullness(self, its_id: str, position: int, now: datetime) -> None:
        session = self.by_id[its_id]
        taken = session.taken_at(now)
        if taken > session.seats:
            self.findings.report(OVERSOLD, position, f"session {its_id}: {taken} of {session.seats} seats")

    def _judge_pair(self, its_id: str, appointment_id: str, position: int, now: datetime) -> None:
        session, visit = self.by_id.get(its_id), self.visits.by_id.get(appointment_id)
        has = session.takers.get(appointment_id) if session else None
        due = (visit.seats, visit.until) if visit and visit.takes and visit.session_id == its_id else None
        if visit and has is None and due and not visit.counts_at(now):
            return  # its deadline is over, and the session went on without it
        if has != due or (session and visit and has and not _alike(session, visit)):
            status = visit.status if visit else None
            self.findings.report(
                SEATS_MISMATCH, position, f"appointment {appointment_id} is {status}, due {due}, has {has} of {its_id}"
            )


def _alike(session: Session, visit: Visit) -> bool:
    return (session.claim, session.allotments) == (visit.claim, visit.allotments)
