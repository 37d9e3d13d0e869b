"""No minute of a resource is claimed beyond its capacity, and diary pages hold exactly what appointments claim."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from infra.audits.sessions import Sessions
from infra.audits.stored import StoredFact, deadline, span
from infra.audits.visits import Visits
from infra.findings import DOUBLE_BOOKING, FOREIGN, MISMATCH, NOTHING_TO_RELEASE, UNKNOWN, Findings

AN_INSTANT = timedelta(microseconds=1)
A_MINUTE = timedelta(minutes=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")


class _Claim(NamedTuple):
    position: int
    resource_id: str
    start: datetime
    end: datetime
    quantity: int
    until: datetime | None


class _Resource(NamedTuple):
    capacity: int
    organization_id: str


class _Due(NamedTuple):
    """What an appointment or a session should claim: of each resource a quantity, all from start to end."""

    status: str | None
    allotments: frozenset[tuple[str, int]]
    start: datetime
    end: datetime
    until: datetime | None


_Key = tuple[UUID, str]
"""Diary page (its stream) and appointment or session: a claim again under the same key replaces the one before."""


@dataclass(slots=True)
class Claims:
    KINDS: ClassVar[tuple[str, ...]] = ("resource_day", "resource")

    findings: Findings
    visits: Visits
    sessions: Sessions
    _resources: dict[str, _Resource] = field(default_factory=dict)
    _standing: dict[_Key, _Claim] = field(default_factory=dict)
    _by_date: dict[tuple[str, int], dict[_Key, _Claim]] = field(default_factory=dict)
    _by_holder: dict[str, set[_Key]] = field(default_factory=dict)
    _overrun: set[tuple[str, int]] = field(default_factory=set)
    _claimed: list[_Key] = field(default_factory=list)
    _touched: dict[str, int] = field(default_factory=dict)

    def take(self, fact: StoredFact) -> None:
        if fact.topic == "resource_day.slot_claimed.v1":
            self._claim(fact, fact.data)
        elif fact.topic == "resource_day.claim_released.v1":
            self._release(fact.position, (fact.stream_id, fact.data["appointment_id"]))
        elif fact.topic == "resource.added.v1":
            self._resources[fact.data["resource_id"]] = _Resource(fact.data["capacity"], fact.organization_id)
            self.findings.resources += 1
        elif fact.topic.startswith("resource_day."):
            self.findings.report(UNKNOWN, fact.position, fact.topic)  # it might claim something

    def judge(self, now: datetime) -> None:
        """To be called while visits and sessions still know whom the command touched."""
        touched = {**self._touched, **self.visits.touched, **self.sessions.touched}
        for holder_id, position in touched.items():
            self._judge_holder(holder_id, position)
        for key in dict.fromkeys(self._claimed):
            if key in self._standing:
                self._judge_claim(key, self._standing[key], now)
        self._claimed.clear()
        self._touched.clear()

    def _claim(self, fact: StoredFact, data: dict[str, Any]) -> None:
        start, end = span(data["claim"])
        until = deadline(data.get("until"))
        claim = _Claim(fact.position, data["resource_id"], start, end, data["quantity"], until)
        self.findings.claims += 1
        resource = self._resources.get(claim.resource_id)
        if resource and resource.organization_id != fact.organization_id:
            self.findings.report(FOREIGN, fact.position, f"resource {claim.resource_id}")
        key = (fact.stream_id, data["appointment_id"])
        self._remove(key)
        self._stand(key, claim)
        self._touched[key[1]] = fact.position

    def _stand(self, key: _Key, claim: _Claim) -> None:
        self._standing[key] = claim
        self._by_holder.setdefault(key[1], set()).add(key)
        for day in _days(claim):
            self._by_date.setdefault((claim.resource_id, day), {})[key] = claim
        self._claimed.append(key)

    def _remove(self, key: _Key) -> bool:
        claim = self._standing.pop(key, None)
        if claim is None:
            return False
        self._by_holder[key[1]].discard(key)
        for day in _days(claim):
            del self._by_date[claim.resource_id, day][key]
        return True

    def _release(self, position: int, key: _Key) -> None:
        if not self._remove(key):
            self.findings.report(NOTHING_TO_RELEASE, position, f"of appointment {key[1]} on page {key[0]}")
        self._touched[key[1]] = position

    def _judge_claim(self, key: _Key, claim: _Claim, now: datetime) -> None:
        resource = self._resources.get(claim.resource_id)
        capacity = resource.capacity if resource else 0
        rivals = [other for other in self._overlapping(claim, now) if other is not claim]
        if sum(rival.quantity for rival in rivals) + claim.quantity <= capacity:
            return
        minutes = list(_overrun(claim, rivals, capacity))
        if minutes:
            self._overrun.update((claim.resource_id, minute) for minute in minutes)
            self.findings.overrun_minutes = len(self._overrun)
            detail = f"resource {claim.resource_id} (capacity {capacity}), appointment {key[1]}, {len(minutes)} min"
            self.findings.report(
                DOUBLE_BOOKING, claim.position, f"{detail} from {claim.start}", (rival.position for rival in rivals)
            )

    def _overlapping(self, claim: _Claim, now: datetime) -> Iterator[_Claim]:
        """What stands in the way of ``claim`` at this moment; a hold only until its deadline."""
        _, _, start, end, _, _ = claim
        for day in _days(claim):
            for other in self._by_date[claim.resource_id, day].values():
                meets = other.start < end and start < other.end and (other.until is None or now < other.until)
                # Two that share several dates meet on the first of them.
                if meets and day == max(start, other.start).toordinal():
                    yield other

    def _judge_holder(self, holder_id: str, position: int) -> None:
        due = self._due(holder_id)
        keys = self._by_holder.get(holder_id, set())
        claims = [self._standing[key] for key in keys]
        expected = {(each, quantity, due.start, due.end) for each, quantity in due.allotments} if due else set()
        overdue = [claim for claim in claims if due and expected and claim.until != due.until]
        if expected != set(_joined(claims)) or overdue:
            status = due.status if due else None
            detail = f"appointment {holder_id} is {status} and has {len(claims)} claims"
            self.findings.report(MISMATCH, position, detail, (claim.position for claim in claims))
        if due and overdue:
            # What its appointment says is what it takes, whether or not it was claimed so: judge it by that.
            for key in tuple(keys):
                claim = self._standing[key]
                self._remove(key)
                self._stand(key, claim._replace(until=due.until))

    def _due(self, holder_id: str) -> _Due | None:
        """None: nothing. An appointment with seats of a session claims nothing itself."""
        session = self.sessions.by_id.get(holder_id)
        if session:
            its = session.allotments if session.is_open else frozenset()
            return _Due("open" if session.is_open else "closed", its, *session.claim, session.until)
        visit = self.visits.by_id.get(holder_id)
        if visit is None:
            return None
        its = visit.allotments if visit.takes and visit.session_id is None else frozenset()
        return _Due(visit.status, its, *visit.claim, visit.until)


def _days(claim: _Claim) -> range:
    """The UTC dates that it touches, as ordinals."""
    return range(claim.start.toordinal(), (claim.end - AN_INSTANT).toordinal() + 1)


def _overrun(claim: _Claim, rivals: Sequence[_Claim], capacity: int) -> Iterator[int]:
    """The minutes since 1970 within ``claim`` at which it and its rivals exceed ``capacity``."""
    edges = sorted(
        {claim.start, claim.end, *(e for r in rivals for e in (r.start, r.end) if claim.start < e < claim.end)}
    )
    for start, end in pairwise(edges):
        level = claim.quantity + sum(r.quantity for r in rivals if r.start < end and start < r.end)
        if level > capacity:
            yield from range((start - EPOCH) // A_MINUTE, -((EPOCH - end) // A_MINUTE))


def _joined(claims: Iterable[_Claim]) -> Iterator[tuple[str, int, datetime, datetime]]:
    """Claims that touch (at midnight a claim continues on the next page) as one: resource, quantity, start, end."""
    open_: tuple[str, int, datetime, datetime] | None = None
    for claim in sorted(claims, key=lambda c: (c.resource_id, c.quantity, c.start)):
        if open_ and open_[:2] == (claim.resource_id, claim.quantity) and open_[3] == claim.start:
            open_ = (*open_[:3], claim.end)
            continue
        if open_:
            yield open_
        open_ = (claim.resource_id, claim.quantity, claim.start, claim.end)
    if open_:
        yield open_
