"""Every appointment makes only moves that an appointment can make. Other parts ask here how it stands."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from infra.audits.stored import Span, StoredFact, deadline, span
from infra.findings import ILLEGAL, UNKNOWN, Findings

RELEASED = "appointment.released.v1"
TRANSITIONS: dict[str, dict[str | None, str]] = {
    "appointment.held.v1": {None: "held"},
    "appointment.requested.v1": {None: "pending", "held": "pending"},
    "appointment.booked.v1": {None: "booked"},
    "appointment.confirmed.v1": {"held": "booked"},
    "appointment.approved.v1": {"pending": "booked"},
    "appointment.rescheduled.v1": {"held": "held", "pending": "pending", "booked": "booked"},
    "appointment.cancelled.v1": {"held": "cancelled", "pending": "cancelled", "booked": "cancelled"},
    "appointment.hold_lapsed.v1": {"held": "cancelled", "pending": "cancelled"},
    "appointment.arrived.v1": {"booked": "arrived"},
    "appointment.fulfilled.v1": {"arrived": "fulfilled"},
    "appointment.missed.v1": {"booked": "noshow"},
    RELEASED: {"booked": "noshow", "noshow": "noshow"},
}
"""What each fact does to an appointment's status; None: not yet begun."""
TENTATIVE = ("held", "pending")
_NONE: Span = (datetime.min, datetime.min)  # noqa: DTZ901  no appointment is then


@dataclass(slots=True)
class Visit:
    """``takes``: it still has its claims, or its seats. ``overridden``: rules that the house broke for it."""

    organization_id: str
    customer_id: str = ""
    service_id: str = ""
    status: str | None = None
    visit: Span = _NONE
    claim: Span = _NONE
    allotments: frozenset[tuple[str, int]] = frozenset()
    seats: int = 1
    session_id: str | None = None
    until: datetime | None = None
    overridden: tuple[str, ...] = ()
    takes: bool = False

    def counts_at(self, now: datetime) -> bool:
        return self.takes and (self.until is None or now < self.until)


@dataclass(slots=True)
class Visits:
    """``by_id``; ``touched`` by the present command, each with the position of its latest fact."""

    KINDS: ClassVar[tuple[str, ...]] = ("appointment",)

    findings: Findings
    by_id: dict[str, Visit] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)
    _by_day: dict[tuple[str, int], set[str]] = field(default_factory=dict)

    def take(self, fact: StoredFact) -> None:
        moves = TRANSITIONS.get(fact.topic)
        if moves is None:
            self.findings.report(UNKNOWN, fact.position, fact.topic)
            return
        its_id = fact.data["appointment_id"]
        visit = self.by_id.setdefault(its_id, Visit(fact.organization_id))
        after = moves.get(visit.status)
        given_back_twice = fact.topic == RELEASED and not visit.takes
        if after is None or given_back_twice:
            self.findings.report(ILLEGAL, fact.position, f"{fact.topic} of {its_id}, which is {visit.status}")
            return
        self.findings.appointments += visit.status is None
        visit.status = after
        self._forget_days(its_id, visit)
        if "claim" in fact.data:
            _place(visit, fact)
        if "customer_id" in fact.data:
            visit.customer_id, visit.service_id = fact.data["customer_id"], fact.data["service_id"]
        visit.takes = after != "cancelled" and fact.topic != RELEASED
        if after not in TENTATIVE:
            visit.until = None
        for day in _days(visit) if visit.takes else ():
            self._by_day.setdefault((visit.customer_id, day), set()).add(its_id)
        self.touched[its_id] = fact.position

    def of_customer_near(self, visit: Visit) -> set[str]:
        """The visits of its customer, itself among them, on the dates that it touches."""
        return {its_id for day in _days(visit) for its_id in self._by_day.get((visit.customer_id, day), ())}

    def _forget_days(self, its_id: str, visit: Visit) -> None:
        for day in _days(visit):
            self._by_day.get((visit.customer_id, day), set()).discard(its_id)

    def judge(self, now: datetime) -> None:  # noqa: ARG002  its facts are judged one by one
        self.touched.clear()


def _days(visit: Visit) -> range:
    """The UTC dates that it touches, as ordinals."""
    return range(visit.visit[0].toordinal(), visit.visit[1].toordinal() + 1)


def _place(visit: Visit, fact: StoredFact) -> None:
    data = fact.data
    visit.claim = span(data["claim"])
    visit.visit = span(data["visit"]) if "visit" in data else visit.claim
    visit.allotments = frozenset((each["resource_id"], each["quantity"]) for each in data["allotments"])
    visit.seats = data.get("seats", visit.seats)
    visit.session_id = data.get("session_id")
    visit.until = deadline(data.get("until")) or visit.until
    visit.overridden = tuple(data.get("overridden", ()))
