"""Where another start may do: the nearest that can be had, found by deciding each in memory.

The one who refused knows best what is free beside it. As long as few resources come into question that costs less than
asking the read model, and nobody waits until that has heard of the booking that was in the way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, cast
from uuid import UUID

from application.booking import Book, Reschedule
from application.decision import NotLoaded, Streams, UseCase, View
from application.slots import Slot
from domain.permissions import Actor
from domain.refusals import Refusal
from domain.service import Service

TRIED_MAX = 16
"""Starts that are decided at most; beyond, it is quicker to ask the read model."""


def close_by(
    memory: Streams,
    use_case: UseCase[Any],
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
    rehearse = partial(_rehearsed, memory, use_case, actor, now)
    wish = replace(wish, override=frozenset())  # it is no alternative to have to break a rule
    starts = islice(_nearest_first(wish.start, service.terms.slot_step_min), TRIED_MAX)
    try:
        found = list(islice(filter(None, (rehearse(replace(wish, start=start)) for start in starts)), count))
    except NotLoaded:
        return None
    return found if len(found) == count else None


def _rehearsed(
    memory: Streams, use_case: UseCase[Any], actor: Actor, now: datetime, wish: Book | Reschedule
) -> Slot | None:
    """What would come of a wish; None if it would be refused. Nothing comes of it. Raises ``NotLoaded``."""
    try:
        answer = use_case(View(memory), wish, actor, now).answer
    except Refusal:
        return None
    visit = cast(dict[str, Any], answer)
    return Slot(visit["start"], visit["end"], tuple(visit["resource_ids"]))


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
