"""Nobody who waits is passed over, and every offer is backed by a hold of its own.

Whom an offer suited as well is judged as far as it can be without deciding anything anew: of those who came earlier and
wait for the same service, not who had another visit at the time, might have reached a limit, or asked for a resource
that the offer did not take.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from infra.audits.stored import Span, StoredFact, meet, span
from infra.audits.visits import TENTATIVE, Visits
from infra.findings import ILLEGAL, PASSED_OVER, UNBACKED, UNKNOWN, Findings


class Offer(NamedTuple):
    position: int
    appointment_id: str
    visit: Span
    until: datetime


@dataclass(slots=True)
class Entry:
    """Someone who waits. ``let_go``: the visits of offers that were declined or lapsed."""

    organization_id: str
    joined: int
    service_id: str
    customer_id: str
    windows: tuple[Span, ...]
    resource_id: str | None
    seats: int
    offer: Offer | None = None
    let_go: list[Span] = field(default_factory=list)

    def suits(self, visit: Span) -> bool:
        within = any(start <= visit[0] and visit[1] <= end for start, end in self.windows)
        return within and not any(meet(visit, other) for other in self.let_go)


@dataclass(slots=True)
class Waitlists:
    """``made`` and ``ended`` by the present command: offers by entry, and entries that were ended by an offer's end."""

    KINDS: ClassVar[tuple[str, ...]] = ("waitlist", "appointment", "service")

    findings: Findings
    visits: Visits
    entries: dict[str, Entry] = field(default_factory=dict)
    _queues: dict[str, dict[str, Entry]] = field(default_factory=dict)
    _terms: dict[str, dict[str, Any]] = field(default_factory=dict)
    _of_customer: dict[str, set[str]] = field(default_factory=dict)
    _offered_to: dict[str, str] = field(default_factory=dict)
    _made: list[tuple[str, Offer]] = field(default_factory=list)
    _ended: list[tuple[int, str, Offer]] = field(default_factory=list)
    _moved: dict[str, int] = field(default_factory=dict)

    def take(self, fact: StoredFact) -> None:
        kind = fact.topic.partition(".")[0]
        if kind == "service":
            self._terms[fact.data["service_id"]] = fact.data["terms"]
        elif kind == "appointment":
            self._visited(fact)
        elif fact.topic == "waitlist.joined.v1":
            self._join(fact)
        else:
            self._move(fact)

    def _visited(self, fact: StoredFact) -> None:
        appointment_id, entry_id = fact.data["appointment_id"], fact.data.get("entry_id")
        if "customer_id" in fact.data:
            self._of_customer.setdefault(fact.data["customer_id"], set()).add(appointment_id)
        if entry_id and fact.topic == "appointment.held.v1":
            self._offered_to[appointment_id] = entry_id
        elif appointment_id in self._offered_to:
            self._moved[appointment_id] = fact.position

    def _join(self, fact: StoredFact) -> None:
        data = fact.data
        entry = Entry(
            organization_id=fact.organization_id,
            joined=fact.position,
            service_id=data["service_id"],
            customer_id=data["customer_id"],
            windows=tuple(span(window) for window in data["windows"]),
            resource_id=data.get("resource_id"),
            seats=data["seats"],
        )
        self.entries[data["entry_id"]] = entry
        self._queues.setdefault(entry.service_id, {})[data["entry_id"]] = entry

    def _move(self, fact: StoredFact) -> None:
        entry_id = fact.data["entry_id"]
        entry = self.entries.get(entry_id)
        if entry is None:
            self.findings.report(ILLEGAL, fact.position, f"{fact.topic} of {entry_id}, who does not wait")
            return
        match fact.topic:
            case "waitlist.offered.v1":
                self._offer(fact, entry_id, entry)
            case "waitlist.declined.v1" | "waitlist.offer_lapsed.v1":
                if entry.offer:
                    entry.let_go.append(entry.offer.visit)
                self._end_offer(fact, entry)
            case "waitlist.accepted.v1" | "waitlist.left.v1" | "waitlist.ended.v1":
                self._end_offer(fact, entry)
                del self.entries[entry_id], self._queues[entry.service_id][entry_id]
            case _:
                self.findings.report(UNKNOWN, fact.position, fact.topic)

    def _offer(self, fact: StoredFact, entry_id: str, entry: Entry) -> None:
        if entry.offer:
            self.findings.report(ILLEGAL, fact.position, f"{entry_id} has an offer already", (entry.offer.position,))
        until = datetime.fromisoformat(fact.data["until"])
        entry.offer = Offer(fact.position, fact.data["appointment_id"], span(fact.data["visit"]), until)
        self._made.append((entry_id, entry.offer))

    def _end_offer(self, fact: StoredFact, entry: Entry) -> None:
        if entry.offer:
            self._ended.append((fact.position, fact.topic, entry.offer))
            entry.offer = None

    def judge(self, now: datetime) -> None:
        for entry_id, offer in self._made:
            entry = self.entries.get(entry_id)
            if entry and entry.offer is offer:
                self._judge_hold(entry_id, entry, offer, now)
                self._judge_turn(entry, offer, now)
        for position, topic, offer in self._ended:
            self._judge_end(position, topic, offer, now)
        for appointment_id, position in self._moved.items():
            entry = self.entries.get(self._offered_to[appointment_id])
            stands = entry is not None and entry.offer is not None and entry.offer.appointment_id == appointment_id
            if stands and self.visits.by_id[appointment_id].status != "held":
                self.findings.report(UNBACKED, position, f"appointment {appointment_id} ended before its offer")
        self._made.clear()
        self._ended.clear()
        self._moved.clear()

    def _judge_hold(self, entry_id: str, entry: Entry, offer: Offer, now: datetime) -> None:
        hold = self.visits.by_id.get(offer.appointment_id)
        backed = (
            hold is not None
            and hold.status == "held"
            and (hold.customer_id, hold.service_id) == (entry.customer_id, entry.service_id)
            and (hold.visit, hold.until, hold.seats) == (offer.visit, offer.until, entry.seats)
            and self._offered_to.get(offer.appointment_id) == entry_id
        )
        if not backed or offer.until <= now:
            self.findings.report(UNBACKED, offer.position, f"appointment {offer.appointment_id}")

    def _judge_turn(self, entry: Entry, offer: Offer, now: datetime) -> None:
        if not entry.suits(offer.visit):
            self.findings.report(PASSED_OVER, offer.position, "it does not suit who was offered it", (entry.joined,))
        passed = [other.joined for other in self._before(entry) if self._suited_too(other, entry, offer, now)]
        if passed:
            self.findings.report(PASSED_OVER, offer.position, f"appointment {offer.appointment_id}", passed)

    def _before(self, entry: Entry) -> Iterator[Entry]:
        for other in self._queues[entry.service_id].values():
            if other.joined >= entry.joined:
                return
            yield other

    def _suited_too(self, other: Entry, entry: Entry, offer: Offer, now: datetime) -> bool:
        """Whether there is no excuse."""
        if other.offer is not None or other.seats > entry.seats or not other.suits(offer.visit):
            return False
        terms = self._terms[other.service_id]
        if other.resource_id is not None:
            taken = {resource_id for resource_id, _ in self.visits.by_id[offer.appointment_id].allotments}
            if other.resource_id not in taken or len(terms["requirements"]) > 1:
                return False
        visits = (self.visits.by_id[its_id] for its_id in self._of_customer.get(other.customer_id, ()))
        own = [visit for visit in visits if visit.counts_at(now)]
        limited = any(limit["per"] == "customer" for limit in terms.get("booking_limits", ()))
        is_elsewhere = any(meet(visit.visit, offer.visit) for visit in own)
        return not is_elsewhere and not (limited and any(visit.service_id == other.service_id for visit in own))

    def _judge_end(self, position: int, topic: str, offer: Offer, now: datetime) -> None:
        """What was the offer's hold has come to what the waitlist says."""
        hold = self.visits.by_id.get(offer.appointment_id)
        status = hold.status if hold else None
        if topic == "waitlist.accepted.v1":
            right = status in {"booked", "pending"}
        else:
            # An offer whose time is up stands in nobody's way, whether or not the clock has ended its hold.
            right = status not in TENTATIVE or (topic == "waitlist.offer_lapsed.v1" and offer.until <= now)
        if not right:
            self.findings.report(UNBACKED, position, f"{topic}, and appointment {offer.appointment_id} is {status}")
