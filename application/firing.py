"""How timers that are due become commands: each fires until the journal has settled it, and takes effect once."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from application.decision import UseCase
from application.journal import JournalUnavailable
from application.timekeeping import Timer, command_of
from application.visits import lapse
from application.writer import Answer, Busy, InFlight
from domain.permissions import Actor
from domain.refusals import Refusal, TooEarly

TIMERS_TAKEN_MAX = 256
"""One batch of the writer."""


class Taken(Protocol):
    """Timers that no other process is given until the block ends."""

    @property
    def timers(self) -> Sequence[Timer]: ...

    async def done(self, timers: Sequence[Timer]) -> None:
        """They are gone for good."""

    async def put_off(self, timers: Sequence[Timer]) -> None:
        """They are given out again after a while."""


class Due(Protocol):
    def take(self, limit: int, now: datetime | None = None) -> AbstractAsyncContextManager[Taken]:
        """What is due at ``now``; None: by the clock of the place where timers are kept."""


class Submit(Protocol):
    """The writer's ``submit``."""

    async def __call__(
        self, use_case: UseCase[Any], command: object, *, actor: Actor, command_id: UUID, fingerprint: bytes
    ) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Fired:
    """How many commands took effect, were refused because nothing was left to do, and must be tried again."""

    settled: int = 0
    refused: int = 0
    put_off: int = 0

    @property
    def total(self) -> int:
        return self.settled + self.refused + self.put_off


async def fire(due: Due, submit: Submit, *, now: datetime | None = None, limit: int = TIMERS_TAKEN_MAX) -> Fired:
    """Fire what is due, all at once, so that it is decided and appended in one batch.

    A process that dies in here leaves its timers to the next one, whose commands have the same ids.
    """
    async with due.take(limit, now) as taken:
        ends = await asyncio.gather(*(_end_of(timer, submit) for timer in taken.timers))
        by_end = {end: [t for t, its in zip(taken.timers, ends, strict=True) if its == end] for end in set(ends)}
        later = by_end.get("put_off", [])
        await taken.done([timer for timer in taken.timers if timer not in later])
        await taken.put_off(later)
    return Fired(**{end: len(timers) for end, timers in by_end.items()})


async def _end_of(timer: Timer, submit: Submit) -> str:
    command, actor, command_id = command_of(timer)
    try:
        await submit(lapse, command, actor=actor, command_id=command_id, fingerprint=timer.id.bytes)
    except TooEarly:
        return "put_off"  # this machine's clock is behind the one by which the timer is due
    except Refusal:
        return "refused"  # confirmed or cancelled meanwhile: nothing is left for the clock to do
    except (Busy, InFlight, JournalUnavailable):
        return "put_off"
    return "settled"
