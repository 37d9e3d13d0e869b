"""Series, as the second engine sees them: one wish after another, each against all that was there before it."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain.refusals import CustomerElsewhere, Refusal
from tests.engine.reference import EPOCH, House, Visit, minute_of, wall
from tests.engine.reference_choice import chosen, turns_after
from tests.engine.reference_ledger import began, left, moved
from tests.engine.reference_rules import Verdict, Wish, judge

LOOKED_AROUND_MIN = 16 * 60
"""No zone is further from UTC."""


@dataclass
class Occurrence:
    recurrence_id: datetime
    visit_id: UUID
    start_local: datetime


@dataclass
class Series:
    id: UUID
    service_id: UUID
    customer_id: UUID
    time_zone: str
    occurrences: list[Occurrence]

    def start_of(self, occurrence: Occurrence) -> int:
        return happens_at(self.time_zone, occurrence.start_local)


def happens_at(time_zone: str, shown: datetime) -> int:
    """The first minute at which the wall shows it. If it never does, as many minutes after the jump as it would be."""
    around = minute_of(shown.replace(tzinfo=EPOCH.tzinfo))
    before = around
    for minute in range(around - LOOKED_AROUND_MIN, around + LOOKED_AROUND_MIN):
        at = wall(time_zone, minute).now
        if at == shown:
            return minute
        if at < shown:
            before = minute
    return before + (shown - wall(time_zone, before).now) // timedelta(minutes=1)


Conflicts = Mapping[datetime, set[type[Refusal]]]


@dataclass(frozen=True)
class Step:
    """One occurrence: what is wished for it; the visit, if it is one that moves."""

    recurrence_id: datetime
    wish: Wish
    visit_id: UUID | None = None


def lift(house: House, visit: Visit) -> None:
    """For a moment it is nowhere."""
    visit.released = True
    if not visit.unseated:
        left(house, visit.session)
    visit.unseated = True


def foreseen(house: House, steps: Sequence[Step]) -> Conflicts | None:
    """Which of the steps cannot be had, and why not. None: it depends on who makes room for whom."""
    ahead, taken = deepcopy(house), set[int]()
    conflicts: dict[datetime, set[type[Refusal]]] = {}
    for step in steps:
        if step.visit_id:
            lift(ahead, ahead.visits[step.visit_id])
    preferred: Sequence[UUID] = ()
    for step in steps:
        visit = ahead.visits[step.visit_id] if step.visit_id else None
        if visit:
            preferred = [resource_id for resource_id, _ in visit.takes]
        verdict = judge(ahead, step.wish)
        against = verdict.against | ({CustomerElsewhere} if step.wish.start in taken else set())
        if against:
            conflicts[step.recurrence_id] = against
            continue
        answer = _guessed(ahead, step, verdict, preferred)
        if answer is None:
            return None
        taken.add(step.wish.start)
        preferred = answer["resource_ids"]
        if visit:
            visit.released = False
            moved(ahead, visit, step.wish, verdict, answer)
        else:
            began(ahead, step.wish, verdict, answer)
    return conflicts


def _guessed(house: House, step: Step, verdict: Verdict, preferred: Sequence[UUID]) -> Mapping[str, Any] | None:
    """What will be answered to a step that nothing is against."""
    wish, terms = step.wish, house.services[step.wish.service_id]
    session_id = UUID(int=wish.start) if terms.seats > 1 else None
    by: Sequence[UUID] | None
    if verdict.joins:
        session_id, by = verdict.joins[0].session_id, [resource_id for resource_id, _ in verdict.joins[0].takes]
    else:
        by = chosen(house, terms, wish.start, verdict.taken, preferred)
        if by is None:
            return None
        for pool_id, last in turns_after(house, terms, by, preferred).items():
            house.pools[pool_id].last = last
    return {
        "id": UUID(int=len(house.visits)),
        "status": "booked",
        "resource_ids": by,
        "session_id": session_id,
        "held_until": house.visits[step.visit_id].until if step.visit_id else None,
    }
