"""Where another start may do: the nearest that can be had, found by deciding each in memory.

The one who refused knows best what is free beside it. As long as few resources come into question that costs less than
asking the read model, and nobody waits until that has heard of the booking that was in the way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from application.booking import Book, Reschedule, place_for
from application.decision import NotLoaded, Streams, View
from application.slots import Slot
from domain.allocation import pages_touched
from domain.permissions import Actor
from domain.refusals import Refusal
from domain.resource import Resource
from domain.resource_day import ResourceDay
from domain.service import Service

TRIED_MAX = 16
"""Starts that are looked at, at most; beyond, it is quicker to ask the read model."""

AT_LAST = datetime.max.replace(tzinfo=UTC)
"""By then every hold has ended: what is claimed still is claimed for good."""


def close_by(
    memory: Streams,
    wish: Book | Reschedule,
    service_id: UUID,
    actor: Actor,
    now: datetime,
    *,
    count: int,
) -> Sequence[Slot] | None:
    """The ``count`` nearest starts at which ``wish`` would not be refused, the nearest first, of two the earlier.

    ``memory`` is the writer's. None where it does not tell: so many are not close by, or the choice of resources is
    wide.
    """
    stream = memory.get(service_id)
    service = stream.state if stream else None
    if not isinstance(service, Service) or service.terms.seats > 1 or not _is_choice_narrow(service, wish):
        return None
    wish = replace(wish, override=frozenset())  # it is no alternative to have to break a rule
    starts = islice(_nearest_first(wish.start, service.terms.slot_step_min), TRIED_MAX)
    try:
        found = list(islice(_had(memory, service, wish, starts, actor, now), count))
    except NotLoaded:
        return None
    return found if len(found) == count else None


def _had(
    memory: Streams, service: Service, wish: Book | Reschedule, starts: Iterator[datetime], actor: Actor, now: datetime
) -> Iterator[Slot]:
    """What would come of the wish at those of the ``starts`` at which it would not be refused. Raises ``NotLoaded``."""
    view = View(memory)
    for start in starts:
        if _is_taken(view, service, start, besides=wish.appointment_id):
            continue
        try:
            place = place_for(view, replace(wish, start=start), actor, now)
            yield Slot(place.visit.start, place.visit.end, tuple([one.resource_id for one in place.allotments]))
        except Refusal:
            pass
        if view.facts:  # holds were given back, for this start only
            view = View(memory)


def _is_taken(view: View, service: Service, start: datetime, *, besides: UUID) -> bool:
    """Whether a resource that the service names has no room then, for good: next to what is taken, much is."""
    wanted = service.claim(start)
    for requirement in service.terms.requirements:
        resource = view.get(Resource, requirement.resource_id) if requirement.resource_id else None
        for stream_id, _, part in pages_touched(resource, wanted) if resource else ():
            page = view.get(ResourceDay, stream_id)
            taken = page.peak_quantity(part, now=AT_LAST, besides=besides) if page else 0
            if resource and taken + requirement.quantity > resource.capacity:
                return True
    return False


def _is_choice_narrow(service: Service, wish: Book | Reschedule) -> bool:
    """Whether every requirement is met by one resource only: then a decision looks at a page or two."""
    named = [requirement.resource_id for requirement in service.terms.requirements]
    return all(named) or len(wish.resource_ids) == len(named)


def _nearest_first(start: datetime, step_min: int) -> Iterator[datetime]:
    """Starts on the grid if ``start`` is on it; where the clock jumps some are not, and are refused."""
    away = timedelta()
    while True:
        away += timedelta(minutes=step_min)
        yield start - away
        yield start + away
