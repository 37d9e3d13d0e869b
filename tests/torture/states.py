"""What stood when, by the journal alone: which claims on which rooms, and what became of each visit."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from tests.torture.evidence import Stored

BOOKED, HELD, CANCELLED = "booked", "held", "cancelled"
FOR_EVER = 1 << 63
"""Beyond every position that a clock answers."""


@dataclass(frozen=True, slots=True)
class Span:
    """A claim of ``holder``, from position ``since`` up to ``up_to``; a hold's is over at ``until``."""

    holder: str
    since: int
    up_to: int
    until: datetime | None
    decided: datetime

    def outlives(self, moment: datetime | None) -> bool:
        return self.until is None or moment is None or self.until > moment


class Occupancy:
    """Every claim, by room and start. One that is over stands until it is released, and blocks nobody meanwhile."""

    def __init__(self, journal: Sequence[Stored]) -> None:
        self.taken: defaultdict[tuple[str, datetime], list[Span]] = defaultdict(list)
        standing: dict[tuple[Any, str], tuple[list[Span], int]] = {}
        for fact in journal:
            if not fact.topic.startswith("resource_day."):
                continue
            holder = fact.data["appointment_id"]
            if (fact.stream_id, holder) in standing:
                spans, at = standing.pop((fact.stream_id, holder))
                spans[at] = replace(spans[at], up_to=fact.position)
            if fact.topic == "resource_day.slot_claimed.v1":
                spans = self.taken[fact.data["resource_id"], datetime.fromisoformat(fact.data["claim"]["start"])]
                standing[fact.stream_id, holder] = spans, len(spans)
                spans.append(Span(holder, fact.position, FOR_EVER, _moment(fact.data.get("until")), fact.at))

    def most(
        self,
        rooms: Collection[str],
        start: datetime,
        between: tuple[int, int],
        *,
        after: datetime | None = None,
        but: str | None = None,
    ) -> int:
        """How many claims stood at once at some position between the two (both included), at the most.

        Not counted: what was over by ``after``, and the claims of the visit ``but``.
        """
        return max(
            self._counts([s for s in self._spans(rooms, start) if s.outlives(after) and s.holder != but], between)
        )

    def least(
        self, rooms: Collection[str], start: datetime, between: tuple[int, int], *, until: datetime | None = None
    ) -> int:
        """At the least. A hold counts only where it is known to have stood: beyond ``until``."""
        certain = [s for s in self._spans(rooms, start) if s.until is None or (until is not None and s.until > until)]
        return min(self._counts(certain, between))

    def _spans(self, rooms: Collection[str], start: datetime) -> Iterator[Span]:
        return (span for room in rooms for span in self.taken.get((room, start), ()))

    def _counts(self, spans: Sequence[Span], between: tuple[int, int]) -> list[int]:
        low, high = between
        moments = {low} | {p for span in spans for p in (span.since, span.up_to) if low <= p <= high}
        return [sum(span.since <= moment < span.up_to for span in spans) for moment in moments]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """As it is from a fact on. ``rooms``: those that it claims."""

    id: str
    position: int
    version: int
    status: str
    service_id: str
    customer_id: str
    start: datetime
    rooms: frozenset[str]
    until: datetime | None


class Visits:
    """Every state of every visit that the journal tells of, in order."""

    def __init__(self, journal: Sequence[Stored]) -> None:
        self.states: dict[str, list[Visit]] = {}
        for fact in journal:
            if not fact.topic.startswith("appointment."):
                continue
            known = self.states.setdefault(fact.data["appointment_id"], [])
            known.append(_evolved(known[-1] if known else None, fact))

    def at(self, visit_id: str, position: int) -> Visit | None:
        """As it was at a position; None before it was made."""
        known = self.states.get(visit_id, [])
        at = bisect_right(known, position, key=lambda visit: visit.position)
        return known[at - 1] if at else None

    def of_customer(self, customer_id: str | None) -> Iterator[str]:
        """The ids of their visits."""
        return (visit_id for visit_id, states in self.states.items() if states[0].customer_id == customer_id)

    def of_version(self, visit_id: str, version: int) -> Visit | None:
        return next((visit for visit in self.states.get(visit_id, ()) if visit.version == version), None)

    def between(self, visit_id: str, between: tuple[int, int]) -> list[Visit]:
        """All that it was at some position between the two, both included."""
        low, high = between
        first = self.at(visit_id, low)
        later = [visit for visit in self.states.get(visit_id, ()) if low < visit.position <= high]
        return [first, *later] if first else later


def _evolved(before: Visit | None, fact: Stored) -> Visit:
    told, name = fact.data, fact.topic.split(".")[1]
    if before is None:
        return Visit(
            id=told["appointment_id"],
            position=fact.position,
            version=fact.version,
            status={"held": HELD}.get(name, BOOKED),
            service_id=told["service_id"],
            customer_id=told["customer_id"],
            start=datetime.fromisoformat(told["visit"]["start"]),
            rooms=_rooms(told),
            until=_moment(told.get("until")),
        )
    now = replace(before, position=fact.position, version=fact.version)
    match name:
        case "confirmed":
            return replace(now, status=BOOKED, until=None)
        case "rescheduled":
            start = datetime.fromisoformat(told["visit"]["start"])
            return replace(now, start=start, rooms=_rooms(told), until=_moment(told.get("until")))
        case "cancelled" | "hold_lapsed":
            return replace(now, status=CANCELLED, rooms=frozenset(), until=None)
        case other:
            raise ValueError(f"what becomes of a visit that is {other}?")


def _rooms(told: dict[str, Any]) -> frozenset[str]:
    return frozenset(allotment["resource_id"] for allotment in told["allotments"])


def _moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None
