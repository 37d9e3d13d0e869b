"""How timers that are due become commands: each fires until the journal has settled it, and takes effect once."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from application.decision import UseCase
from application.journal import JournalUnavailable
from application.timekeeping import Timer, command_of
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
    """How many took effect, were refused because nothing was left to do, must be tried again, and failed."""

    settled: int = 0
    refused: int = 0
    put_off: int = 0
    broken: int = 0

    @property
    def total(self) -> int:
        return self.settled + self.refused + self.put_off + self.broken


def _unreported(_timer: Timer, _error: Exception) -> None: ...


async def fire(
    due: Due,
    submit: Submit,
    *,
    now: datetime | None = None,
    limit: int = TIMERS_TAKEN_MAX,
    report: Callable[[Timer, Exception], None] = _unreported,
) -> Fired:
    """Fire what is due, all at once, so that it is decided and appended in one batch; of one visit one after another.

    ``report`` hears of what failed, which is tried again like the rest. A process that dies in here leaves its timers
    to the next one, whose commands have the same ids.
    """
    async with due.take(limit, now) as taken:
        ends: dict[UUID, str] = {}

        async def in_order(timers: Sequence[Timer]) -> None:
            for timer in timers:
                ends[timer.id] = await _end_of(timer, submit, report)

        by_visit: dict[UUID, list[Timer]] = {}
        for timer in taken.timers:
            by_visit.setdefault(timer.about_id, []).append(timer)
        await asyncio.gather(*map(in_order, by_visit.values()))
        later = [timer for timer in taken.timers if ends[timer.id] in {"put_off", "broken"}]
        await taken.done([timer for timer in taken.timers if timer not in later])
        await taken.put_off(later)
    return Fired(**Counter(ends.values()))


async def _end_of(timer: Timer, submit: Submit, report: Callable[[Timer, Exception], None]) -> str:
    caused = command_of(timer)
    try:
        await submit(
            caused.use_case,
            caused.command,
            actor=caused.actor,
            command_id=caused.command_id,
            fingerprint=timer.id.bytes,
        )
    except TooEarly:
        return "put_off"  # this machine's clock is behind the one by which the timer is due
    except Refusal:
        return "refused"  # confirmed or cancelled meanwhile: nothing is left for the clock to do
    except (Busy, InFlight, JournalUnavailable):
        return "put_off"
    except Exception as error:  # noqa: BLE001  told; one that cannot be fired must not hold up the others
        report(timer, error)
        return "broken"
    return "settled"
