"""An independent audit of the journal: no minute claimed twice, nothing out of order.

It shares nothing with what it audits: its own SQL, its own JSON, its own sweep, and no import of the domain
or of the codec. A mistake that both made alike would have to be made twice.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from infra.findings import (
    DISORDER,
    DOUBLE_BOOKING,
    FOREIGN,
    GAP,
    ILLEGAL,
    MISMATCH,
    NOTHING_TO_RELEASE,
    UNKNOWN,
    UNREADABLE,
    Findings,
)

FETCH_ROWS = 5_000
AN_INSTANT = timedelta(microseconds=1)
A_MINUTE = timedelta(minutes=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")

Row = tuple[int, UUID, int, str, bytes]
"""Position, stream id, version, topic, state: as stored."""

TRANSITIONS: dict[str, dict[str | None, str]] = {
    "appointment.held.v1": {None: "held"},
    "appointment.booked.v1": {None: "booked"},
    "appointment.confirmed.v1": {"held": "booked"},
    "appointment.rescheduled.v1": {"held": "held", "booked": "booked"},
    "appointment.cancelled.v1": {"held": "cancelled", "booked": "cancelled"},
    "appointment.hold_lapsed.v1": {"held": "cancelled"},
    "appointment.arrived.v1": {"booked": "arrived"},
    "appointment.fulfilled.v1": {"arrived": "fulfilled"},
    "appointment.missed.v1": {"booked": "noshow"},
}
"""What each fact does to an appointment's status; None: not yet begun."""

KINDS_SWEPT = ("appointment", "resource_day")
"""Streams of which no fact may be unknown: it might claim something."""


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


@dataclass(slots=True)
class _Visit:
    status: str | None = None
    claim: tuple[datetime, datetime] | None = None
    allotments: dict[str, int] = field(default_factory=dict)


_Key = tuple[UUID, str]
"""Diary page (its stream) and appointment: a claim again under the same key replaces the one before."""


@dataclass(slots=True)
class _Sweep:
    findings: Findings = field(default_factory=Findings)
    position: int = 0
    versions: dict[UUID, int] = field(default_factory=dict)
    resources: dict[str, _Resource] = field(default_factory=dict)
    visits: dict[str, _Visit] = field(default_factory=dict)
    standing: dict[_Key, _Claim] = field(default_factory=dict)
    by_date: dict[tuple[str, int], dict[_Key, _Claim]] = field(default_factory=dict)
    by_visit: dict[str, set[_Key]] = field(default_factory=dict)
    overrun: set[tuple[str, int]] = field(default_factory=set)
    # The facts of one command are one step: only its end is judged.
    command: str | None = None
    now: datetime = EPOCH
    claimed: list[_Key] = field(default_factory=list)
    touched: dict[str, int] = field(default_factory=dict)

    def take(self, row: Row) -> None:
        position, stream_id, version, topic, state = row
        self.findings.facts += 1
        if position <= self.position:
            self.findings.report(DISORDER, position, f"it follows {self.position}")
        self.position = position
        expected = self.versions.get(stream_id, 0) + 1
        if version != expected:
            self.findings.report(GAP, position, f"version {version} of stream {stream_id}, not {expected}")
        self.versions[stream_id] = version
        try:
            self._take(position, stream_id, topic, json.loads(state))
        except (ValueError, KeyError, TypeError) as broken:
            self.findings.report(UNREADABLE, position, f"{topic}: {broken!r}")

    def end_command(self) -> None:
        """Judge what the command has brought about."""
        for key in dict.fromkeys(self.claimed):
            if key in self.standing:
                self._judge_claim(key, self.standing[key])
        for appointment_id, position in self.touched.items():
            self._judge_visit(appointment_id, position)
        self.claimed.clear()
        self.touched.clear()

    def _take(self, position: int, stream_id: UUID, topic: str, state: dict[str, Any]) -> None:
        meta, data = state["meta"], state["data"]
        if meta["command"] != self.command:
            self.end_command()
            self.command, self.now = meta["command"], datetime.fromisoformat(meta["at"])
        if topic == "resource_day.slot_claimed.v1":
            self._claim(position, stream_id, data, meta["org"])
        elif topic == "resource_day.claim_released.v1":
            self._release(position, (stream_id, data["appointment_id"]))
        elif topic in TRANSITIONS:
            self._move(position, topic, data)
        elif topic == "resource.added.v1":
            self.resources[data["resource_id"]] = _Resource(data["capacity"], meta["org"])
            self.findings.resources += 1
        elif topic.partition(".")[0] in KINDS_SWEPT:
            self.findings.report(UNKNOWN, position, topic)

    def _claim(self, position: int, stream_id: UUID, data: dict[str, Any], organization_id: str) -> None:
        start, end = (datetime.fromisoformat(data["claim"][edge]) for edge in ("start", "end"))
        until = data.get("until")
        claim = _Claim(
            position,
            data["resource_id"],
            start,
            end,
            data["quantity"],
            datetime.fromisoformat(until) if until else None,
        )
        self.findings.claims += 1
        resource = self.resources.get(claim.resource_id)
        if resource and resource.organization_id != organization_id:
            self.findings.report(FOREIGN, position, f"resource {claim.resource_id}")
        key = (stream_id, data["appointment_id"])
        self._remove(key)
        self._stand(key, claim)
        self.touched[key[1]] = position

    def _stand(self, key: _Key, claim: _Claim) -> None:
        self.standing[key] = claim
        self.by_visit.setdefault(key[1], set()).add(key)
        for day in _days(claim):
            self.by_date.setdefault((claim.resource_id, day), {})[key] = claim
        self.claimed.append(key)

    def _remove(self, key: _Key) -> bool:
        claim = self.standing.pop(key, None)
        if claim is None:
            return False
        self.by_visit[key[1]].discard(key)
        for day in _days(claim):
            del self.by_date[claim.resource_id, day][key]
        return True

    def _release(self, position: int, key: _Key) -> None:
        if not self._remove(key):
            self.findings.report(NOTHING_TO_RELEASE, position, f"of appointment {key[1]} on page {key[0]}")
        self.touched[key[1]] = position

    def _move(self, position: int, topic: str, data: dict[str, Any]) -> None:
        appointment_id = data["appointment_id"]
        visit = self.visits.setdefault(appointment_id, _Visit())
        after = TRANSITIONS[topic].get(visit.status)
        if after is None:
            self.findings.report(ILLEGAL, position, f"{topic} of {appointment_id}, which is {visit.status}")
            return
        self.findings.appointments += visit.status is None
        visit.status = after
        if "claim" in data:
            start, end = (datetime.fromisoformat(data["claim"][edge]) for edge in ("start", "end"))
            visit.claim = start, end
            visit.allotments = {each["resource_id"]: each["quantity"] for each in data["allotments"]}
        if topic == "appointment.confirmed.v1":
            # From now on its claims have no deadline, whether or not they are claimed again: judge them afresh.
            for key in tuple(self.by_visit.get(appointment_id, ())):
                claim = self.standing[key]
                self._remove(key)
                self._stand(key, claim._replace(until=None))
        self.touched[appointment_id] = position

    def _judge_claim(self, key: _Key, claim: _Claim) -> None:
        resource = self.resources.get(claim.resource_id)
        capacity = resource.capacity if resource else 0
        rivals = [other for other in self._overlapping(claim) if other is not claim]
        if sum(rival.quantity for rival in rivals) + claim.quantity <= capacity:
            return
        minutes = list(_overrun(claim, rivals, capacity))
        if minutes:
            self.overrun.update((claim.resource_id, minute) for minute in minutes)
            self.findings.overrun_minutes = len(self.overrun)
            detail = f"resource {claim.resource_id} (capacity {capacity}), appointment {key[1]}, {len(minutes)} min"
            self.findings.report(
                DOUBLE_BOOKING, claim.position, f"{detail} from {claim.start}", (rival.position for rival in rivals)
            )

    def _overlapping(self, claim: _Claim) -> Iterator[_Claim]:
        """What stands in the way of ``claim`` at this moment; a hold only until its deadline."""
        _, _, start, end, _, _ = claim
        for day in _days(claim):
            for other in self.by_date[claim.resource_id, day].values():
                meets = other.start < end and start < other.end and (other.until is None or self.now < other.until)
                # Two that share several dates meet on the first of them.
                if meets and day == max(start, other.start).toordinal():
                    yield other

    def _judge_visit(self, appointment_id: str, position: int) -> None:
        visit = self.visits.get(appointment_id, _Visit())
        claims = [self.standing[key] for key in self.by_visit.get(appointment_id, ())]
        expected: set[tuple[str, int, datetime, datetime]] = set()
        if visit.claim and visit.status != "cancelled":
            expected = {(each, quantity, *visit.claim) for each, quantity in visit.allotments.items()}
        if expected != set(_joined(claims)):
            detail = f"appointment {appointment_id} is {visit.status} and has {len(claims)} claims"
            self.findings.report(MISMATCH, position, detail, (claim.position for claim in claims))


def sweep(rows: Iterable[Row]) -> Findings:
    """Judge the journal. ``rows`` are all facts from the first on, in the order of positions."""
    state = _Sweep()
    for row in rows:
        state.take(row)
    state.end_command()
    return state.findings


def verify(database_url: str, advanced: Callable[[int], None] = lambda _: None) -> Findings:
    """Sweep the journal of a database, as it is at one moment. ``advanced`` hears how many facts more were read."""
    with psycopg.connect(database_url) as connection:
        return sweep(_counted(stored_facts(connection), advanced))


def stored_facts(connection: psycopg.Connection[Any]) -> Iterator[Row]:
    """All facts, streamed in the order of positions, from one snapshot."""
    query = "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
    with connection.transaction(), connection.cursor("verification", row_factory=psycopg.rows.tuple_row) as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(f"{query} ORDER BY notification_id", binary=True)
        yield from cursor


def _counted(rows: Iterable[Row], advanced: Callable[[int], None]) -> Iterator[Row]:
    waiting = 0
    for row in rows:
        yield row
        waiting += 1
        if waiting == FETCH_ROWS:
            advanced(waiting)
            waiting = 0
    advanced(waiting)


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
