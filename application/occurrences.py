"""What the commands about a series have in common: its visits as they stand, what they will read, how it is told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.booking_pages import pages_left, pages_read
from application.claiming import diary_pages, suitable_resources
from application.decision import View
from application.placing import Wish
from application.visits import appointment_answer
from domain.account import Role
from domain.allocation import pages_touched
from domain.appointment import Appointment
from domain.interval import Interval
from domain.permissions import Actor, ensure_may
from domain.refusals import Conflict, CustomerElsewhere, NotFound, Refusal
from domain.resource import Resource
from domain.rules import Rule, rule_of
from domain.series import Occurrence, Series
from domain.service import Service
from domain.session import session_id


@dataclass(frozen=True, slots=True)
class Standing:
    """An occurrence, and its visit as it is now."""

    occurrence: Occurrence
    visit: Appointment


def series_for(view: View, series_id: UUID, actor: Actor, operation: str) -> Series:
    """The series, if the actor may see it at all (else it is not found) and may do this to it."""
    series = view.require(Series, series_id, actor)
    if actor.role is Role.CUSTOMER and series.customer_id != actor.subject_id:
        raise NotFound("series", series_id)
    ensure_may(actor, operation, subject_id=series.customer_id)
    return series


def standings(view: View, occurrences: Sequence[Occurrence]) -> list[Standing]:
    visits = view.get_all(Appointment, [one.appointment_id for one in occurrences])
    return [Standing(one, visit) for one, visit in zip(occurrences, visits, strict=True) if visit]


def conflict_of(occurrence: Occurrence, start: datetime, refusal: Refusal) -> Conflict:
    """What stands in the way of one occurrence. Raises the refusal if it is none of when and where: it meets all."""
    if rule_of(refusal) in {None, Rule.SUITABLE_RESOURCE}:
        raise refusal
    return Conflict(occurrence.recurrence_id, start, refusal)


class Apart:
    """The instants that a series has taken so far. Two wall-clock starts of one spring morning may be one instant."""

    def __init__(self, service: Service, customer_id: UUID) -> None:
        self._service = service
        self._customer_id = customer_id
        self._taken: dict[datetime, UUID] = {}

    def ensure_free(self, start: datetime) -> None:
        """Raises ``CustomerElsewhere``: nobody is meant to visit twice at one instant, whatever the terms allow."""
        if start in self._taken:
            raise CustomerElsewhere(self._customer_id, self._taken[start], self._service.visit(start))

    def take(self, start: datetime, appointment_id: UUID) -> None:
        self._taken[start] = appointment_id


def prepare_places(view: View, wishes: Sequence[Wish], actor: Actor) -> None:
    """Have in memory what finding all these places may read, which differ in their starts only.

    Each would ask for its own streams, and each time the decision would begin again. Raises what
    ``suitable_resources`` does.
    """
    service = wishes[0].service
    choices = suitable_resources(view, service, actor, wishes[0].resource_ids)
    needed: dict[UUID, None] = {}
    for wish in wishes:
        needed.update(dict.fromkeys(pages_read(view, wish, actor)))
        needed.update(dict.fromkeys(diary_pages(choices, service.claim(wish.start))))
        if service.terms.seats > 1:
            needed[session_id(service.id, wish.start)] = None
    view.prepare(list(needed))


def prepare_leaving(view: View, visits: Iterable[Appointment], actor: Actor) -> None:
    """Have in memory what the leaving of all these visits may read."""
    claimed: dict[UUID, list[Interval]] = {}
    needed: dict[UUID, None] = {}
    for visit in visits:
        needed.update(dict.fromkeys(pages_left(view, visit, actor)))
        if visit.session_id is not None:
            needed[visit.session_id] = None
        for allotment in visit.allotments:
            claimed.setdefault(allotment.resource_id, []).append(visit.claim)
    for resource in view.get_all(Resource, list(claimed)):
        if resource:
            pages = (page for claim in claimed[resource.id] for page, _, _ in pages_touched(resource, claim))
            needed.update(dict.fromkeys(pages))
    view.prepare(list(needed))


def series_as_it_is(view: View, series_id: UUID) -> dict[str, object]:
    """The series as the contract shows it, with all that was recorded."""
    series = view.get(Series, series_id)
    assert series
    visits = {one.visit.id: (one.visit, view.version(one.visit.id)) for one in standings(view, series.occurrences)}
    return series_answer(series, view.version(series_id), visits)


def series_answer(series: Series, version: int, visits: Mapping[UUID, tuple[Appointment, int]]) -> dict[str, object]:
    """A series as the contract shows it; ``visits`` with their versions, by id."""
    return {
        "id": series.id,
        "service_id": series.service_id,
        "customer_id": series.customer_id,
        "start_local": series.start_local,
        "time_zone": series.time_zone,
        "rrule": series.rrule,
        "exdates": series.exdates,
        "occurrences": [
            appointment_answer(*visits[one.appointment_id])
            for one in series.occurrences
            if one.appointment_id in visits
        ],
        "version": version,
    }
