"""Why a start can be booked or not: every rule, and the facts behind it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from api.contract import query
from api.operation import Operation
from api.problems import problem_of
from api.reading import Asked, shown
from api.values import Instant
from application.explaining import Question, Told, explained
from application.journal import Recorded
from domain.allocation import Allocation
from domain.booking_page import VisitEntered
from domain.refusals import Refusal
from domain.resource_day import SlotClaimed
from domain.rules import Rule
from domain.service import SEATS_MAX
from domain.session import SeatsTaken

router = APIRouter(prefix="/v1/services", tags=["services"], route_class=Operation)


class RefusalShape(BaseModel):
    """A problem document without its request; further members are what the refusal knows."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str


class FactBehindShape(BaseModel):
    """Where in the journal; of a claim also whose and when, buffers included, for those who may read appointments.

    The claim of a session bears the session's id; its visits are behind the rule ``seats``.
    """

    position: int
    topic: str
    at: datetime
    appointment_id: UUID | None = None
    start: datetime | None = None
    end: datetime | None = None


class RuleShape(BaseModel):
    """``refusal`` is null if the rule allows the start. ``decisive``: it blocks, and no other resource helps.

    ``requirement`` is an index into the service's requirements; null for rules of the whole service.
    """

    rule: Rule
    allows: bool
    decisive: bool
    requirement: int | None
    resource_id: UUID | None
    refusal: RefusalShape | None
    facts: list[FactBehindShape]


_EXAMPLE: dict[str, Any] = {
    "service_id": "a6f5c2de-0d5d-4a5c-9c0e-9b8c7b8a1d22",
    "start": "2027-03-02T09:00:00Z",
    "end": "2027-03-02T09:30:00Z",
    "asked_at": "2027-03-01T16:20:00Z",
    "bookable": False,
    "refusal": {
        "type": "/problems/slot-taken",
        "title": "The slot is taken.",
        "resource_id": "2f0e3a52-5a0c-4a39-9f55-4b8a6d0f8a11",
        "wanted": {"start": "2027-03-02T09:00:00Z", "end": "2027-03-02T09:30:00Z"},
    },
    "resource_ids": [],
    "rules": [
        {
            "rule": "capacity",
            "allows": False,
            "decisive": True,
            "requirement": 0,
            "resource_id": "2f0e3a52-5a0c-4a39-9f55-4b8a6d0f8a11",
            "refusal": {"type": "/problems/slot-taken", "title": "The slot is taken."},
            "facts": [
                {"position": 12, "topic": "resource.added.v1", "at": "2027-01-04T08:00:00Z"},
                {
                    "position": 4711,
                    "topic": "resource_day.slot_claimed.v1",
                    "at": "2027-02-20T11:05:00Z",
                    "appointment_id": "3b1c8f0a-8a2f-4f0e-b6a4-5d2f6f1b0a11",
                    "start": "2027-03-02T09:00:00Z",
                    "end": "2027-03-02T09:30:00Z",
                },
            ],
        }
    ],
}


class ExplanationShape(BaseModel):
    """``refusal`` is what a booking would be answered, or would have been at ``asked_at``; null if it is bookable.

    ``resource_ids`` are then those that it would take.
    """

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    service_id: UUID
    start: datetime
    end: datetime
    asked_at: datetime
    bookable: bool
    refusal: RefusalShape | None
    resource_ids: list[UUID]
    rules: list[RuleShape]


@router.get("/{service_id}/slots/explain", **query(ExplanationShape, "explainSlot", "slots.read"))
async def explain_slot(
    asked: Asked,
    service_id: UUID,
    start: Annotated[Instant, Query(description="When the visit would start.")],
    as_of: Annotated[Instant | None, Query(description="As a booking would have been answered then.")] = None,
    resource_id: Annotated[UUID | None, Query(description="As for a booking that asks for this resource.")] = None,
    seats: Annotated[int, Query(ge=1, le=SEATS_MAX, description="As for a booking of so many seats.")] = 1,
) -> Response:
    """Every rule that allows or blocks a start, with the facts behind each: from the journal, so never behind it."""
    question = Question(service_id=service_id, start=start, resource_id=resource_id, seats=seats, as_of=as_of)
    reasons = await explained(asked.ports.journal, asked.ports.clock, question, asked.actor)
    outcome = reasons.outcome
    taken = outcome.allotments if isinstance(outcome, Allocation) else ()
    return shown(
        {
            "service_id": service_id,
            "start": reasons.visit.start,
            "end": reasons.visit.end,
            "asked_at": reasons.asked_at,
            "bookable": isinstance(outcome, Allocation),
            "refusal": problem_of(outcome) if isinstance(outcome, Refusal) else None,
            "resource_ids": [allotment.resource_id for allotment in taken],
            "rules": [_shown_rule(told) for told in reasons.rules],
        }
    )


def _shown_rule(told: Told) -> dict[str, object]:
    finding = told.finding
    return {
        "rule": finding.rule.value,
        "allows": finding.refusal is None,
        "decisive": finding.decisive,
        "requirement": finding.requirement,
        "resource_id": finding.resource_id,
        "refusal": problem_of(finding.refusal) if finding.refusal else None,
        "facts": [_shown_fact(one) for one in told.facts],
    }


def _shown_fact(one: Recorded) -> dict[str, object]:
    """Never who caused it: a claim's actor may be its customer."""
    place: dict[str, object] = {"position": one.position, "topic": one.fact.TOPIC, "at": one.provenance.at}
    match one.fact:
        case (
            SlotClaimed(appointment_id=appointment_id, claim=taken)
            | VisitEntered(appointment_id=appointment_id, visit=taken)
        ):
            place |= {"appointment_id": appointment_id, "start": taken.start, "end": taken.end}
        case SeatsTaken(appointment_id=appointment_id):
            place["appointment_id"] = appointment_id
        case _:
            pass
    return place
