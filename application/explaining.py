"""Why a start can be booked or not, now or at an instant of the past: every rule, and the facts behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from application.claiming import suitable_resources
from application.clock import Clock
from application.decision import NotLoaded, Stream, View, evolved
from application.journal import Journal, Recorded
from domain.allocation import Allocation, pages_touched
from domain.explaining import Explanation, Finding, explain
from domain.fact import Fact
from domain.interval import Interval
from domain.permissions import Actor, Reach, ensure_may, reach
from domain.refusals import InvalidValue, Refusal, ResourceClosed
from domain.resource import ResourceAdded, ResourceClosedFor, ResourceReopened, WorkingHoursSet
from domain.resource_day import ResourceDay, SlotClaimed
from domain.rules import Rule
from domain.service import Service, ServiceOffered, ServiceTermsChanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """``resource_id``: would a booking that asks for it be given it. ``as_of``: as one would have been told then."""

    service_id: UUID
    start: datetime
    resource_id: UUID | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A finding and the recorded facts that it rests on, oldest first: never none."""

    finding: Finding
    facts: tuple[Recorded, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """``asked_at`` is the ``now`` of every rule; ``outcome`` what a booking would have been given then."""

    visit: Interval
    asked_at: datetime
    outcome: Allocation | Refusal
    rules: tuple[Told, ...]


@dataclass(slots=True)
class _Past:
    """Streams as they were at an instant (None: as they are), for a ``View``."""

    journal: Journal
    until: datetime | None
    recorded: dict[UUID, Sequence[Recorded]] = field(default_factory=dict)
    folded: dict[UUID, Stream] = field(default_factory=dict)

    def get(self, stream_id: UUID) -> Stream | None:
        return self.folded.get(stream_id)

    async def load(self, stream_ids: Sequence[UUID]) -> None:
        for stream_id, recorded in (await self.journal.load(stream_ids)).items():
            # A prefix: where clocks differ, a fact may bear an earlier time than the one that it builds on.
            known = list(takewhile(self._was_known, recorded))
            stream = Stream()
            for one in known:
                stream = Stream(one.version, evolved(stream.state, one.fact))
            self.recorded[stream_id], self.folded[stream_id] = known, stream

    def _was_known(self, one: Recorded) -> bool:
        return self.until is None or one.provenance.at <= self.until

    def latest(self, stream_id: UUID, *kinds: type[Fact]) -> Recorded:
        """The last fact of these kinds on a stream that has one."""
        return next(one for one in reversed(self.recorded[stream_id]) if isinstance(one.fact, kinds))


async def explained(journal: Journal, clock: Clock, question: Question, actor: Actor) -> Reasons:
    """The answer of the journal itself, so always of the present, or of ``as_of``.

    Claims are told apart (which fact, so which appointment) for those only who may read all appointments. Raises
    ``Forbidden``, ``NotFound`` (service), ``ResourceNotSuitable`` and ``InvalidValue`` (``as_of`` in the future).
    """
    ensure_may(actor, "slots.read")
    now = clock.now()
    if question.as_of is not None and question.as_of > now:
        raise InvalidValue("as_of", "not in the future")
    past, asked_at = _Past(journal, question.as_of), question.as_of or now
    while True:
        try:
            service, found = _asked(View(past), question, actor, asked_at)
            break
        except NotLoaded as missing:
            await past.load(missing.stream_ids)
    tells_claims = reach(actor, "appointment.read") is Reach.ALL
    return Reasons(
        visit=service.visit(question.start),
        asked_at=asked_at,
        outcome=found.outcome,
        rules=tuple(Told(one, _facts_behind(past, service.id, one, tells_claims)) for one in found.findings),
    )


def _asked(view: View, question: Question, actor: Actor, now: datetime) -> tuple[Service, Explanation]:
    """What a booking would look at. Raises ``NotLoaded``."""
    service = view.require(Service, question.service_id, actor)
    candidates = suitable_resources(view, service, actor, (question.resource_id,) if question.resource_id else ())
    wanted = service.claim(question.start)
    page_ids = [page_id for ones in candidates for one in ones for page_id, _, _ in pages_touched(one, wanted)]
    pages: Mapping[UUID, ResourceDay | None] = dict(
        zip(page_ids, view.get_all(ResourceDay, page_ids), strict=True),
    )
    return service, explain(service, candidates, pages, start=question.start, now=now)


def _facts_behind(past: _Past, service_id: UUID, finding: Finding, tells_claims: bool) -> tuple[Recorded, ...]:
    """The facts that set what the rule speaks of; where nothing was ever set, the one that added the resource."""
    terms = past.latest(service_id, ServiceOffered, ServiceTermsChanged)
    if finding.resource_id is None or finding.rule is Rule.ONE_REQUIREMENT:
        return (terms,)
    added = past.latest(finding.resource_id, ResourceAdded)
    match finding.rule:
        case Rule.SLOT_GRID:  # the step, and the zone in which it is counted
            return _in_order(terms, added)
        case Rule.WORKING_HOURS:
            return (past.latest(finding.resource_id, ResourceAdded, WorkingHoursSet),)
        case Rule.CLOSURES if isinstance(finding.refusal, ResourceClosed):
            return (_closing(past, finding.resource_id, finding.refusal.closure_id),)
        case Rule.CLOSURES:
            return (past.latest(finding.resource_id, ResourceAdded, ResourceReopened),)
        case _:  # the capacity, and what was taken of it
            return _in_order(added, *(_claiming(past, finding) if tells_claims else ()))


def _closing(past: _Past, resource_id: UUID, closure_id: UUID) -> Recorded:
    return next(
        one
        for one in past.recorded[resource_id]
        if isinstance(one.fact, ResourceClosedFor) and one.fact.closure_id == closure_id
    )


def _claiming(past: _Past, finding: Finding) -> list[Recorded]:
    """For each claim that counts the fact that made it what it is."""
    assert finding.page_id
    latest = {
        one.fact.appointment_id: one for one in past.recorded[finding.page_id] if isinstance(one.fact, SlotClaimed)
    }
    return [latest[claim.appointment_id] for claim in finding.claims]


def _in_order(*facts: Recorded) -> tuple[Recorded, ...]:
    return tuple(sorted(facts, key=lambda one: one.position))
