"""Where another start may do: the nearest that can be had, found by deciding each in memory.

The one who refused knows best what is free beside it. As long as few resources come into question that costs less than
asking the read model, and nobody waits until that has heard of the booking that was in the way.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Protocol, cast
from uuid import UUID

from application.booking import Book, Reschedule
from application.decision import NotLoaded, UseCase
from application.slots import Slot
from domain.permissions import Actor
from domain.refusals import Refusal
from domain.service import Service

TRIED_MAX = 16
"""Starts that are decided, at most: as many as the read model is asked for in the same time."""


class Memory(Protocol):
    """The writer, who has in memory what it has just refused on."""

    def rehearse(self, use_case: UseCase[Any], command: object, actor: Actor) -> object:
        """The answer that the command would get. Raises what the use case does, ``NotLoaded`` among it."""


def close_by(
    memory: Memory, use_case: UseCase[Any], wish: Book | Reschedule, service: Service, actor: Actor, *, count: int
) -> Sequence[Slot] | None:
    """The ``count`` nearest starts at which ``wish`` would not be refused, the nearest first, of two the earlier.

    None where memory does not tell: so many are not close by, or whose choice of resources is wide.
    """
    if service.terms.seats > 1 or not _is_choice_narrow(service, wish):
        return None
    try:
        found = list(islice(_had(memory, use_case, wish, service, actor), count))
    except NotLoaded:
        return None
    return found if len(found) == count else None


def _is_choice_narrow(service: Service, wish: Book | Reschedule) -> bool:
    """Whether every requirement is met by one resource only: then a decision looks at a page or two."""
    named = [requirement.resource_id for requirement in service.terms.requirements]
    return all(named) or len(wish.resource_ids) == len(named)


def _had(
    memory: Memory, use_case: UseCase[Any], wish: Book | Reschedule, service: Service, actor: Actor
) -> Iterator[Slot]:
    for start in islice(_nearest_first(wish.start, service.terms.slot_step_min), TRIED_MAX):
        with suppress(Refusal):
            answer = memory.rehearse(use_case, replace(wish, start=start), actor)
            yield _slot(answer)


def _nearest_first(start: datetime, step_min: int) -> Iterator[datetime]:
    """Starts on the grid if ``start`` is on it; where the clock jumps some are not, and are refused."""
    away = timedelta()
    while True:
        away += timedelta(minutes=step_min)
        yield start - away
        yield start + away


def _slot(answer: object) -> Slot:
    visit = cast(dict[str, Any], answer)
    resource_ids: Sequence[UUID] = visit["resource_ids"]
    return Slot(visit["start"], visit["end"], tuple(resource_ids))
