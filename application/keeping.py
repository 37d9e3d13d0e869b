"""The waitlist's keeper: offers what became free without being given back, and lets go who waits for what is past.

What a decision releases it offers itself. Other free time (new hours, a resource that reopened, someone who joins while
there is room, a customer who is no longer elsewhere) is found here, in the read model of slots; whether and to whom it
is offered is then decided like everything else, so a round that is late, or is made twice, does no harm.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid5

from application.decision import UseCase
from application.firing import Submit
from application.offering import OFFERS_MAX, OfferTime, offer_time
from application.prospects import FreeVisit, Wanted, wanted_by
from application.slots import WINDOW_MAX, Sources, find_slots
from application.timekeeping import TIMEKEEPER_ID
from application.waiting import EndWaiting, end_waiting
from application.writer import Answer
from domain.account import Role
from domain.interval import Interval, joined
from domain.permissions import Actor
from domain.refusals import Refusal
from domain.waitlist import WaitlistEntry


class Behind(Exception):  # noqa: N818
    """A read model has not come as far as the fact that is to be looked into: try again in a moment."""


class Queue(Protocol):
    """The port to the read model of the waitlist."""

    async def __call__(self, organization_id: UUID) -> tuple[Sequence[WaitlistEntry], int]:
        """Who waits, in order; and the position up to which that is all."""


@dataclass(frozen=True, slots=True)
class Keeper:
    queue: Queue
    sources: Sources
    submit: Submit

    async def look(self, organization_id: UUID, position: int) -> datetime | None:
        """Offer what is free for those who wait, as of ``position`` or later.

        Answers when to look again, whatever happens: when somebody's last window ends. None: nobody waits. Raises
        ``Behind``, and what ``Submit`` raises.
        """
        entries, known = await self.queue(organization_id)
        if known < position:
            raise Behind
        now = self.sources.clock.now()
        free = [one async for one in self._free(organization_id, position, entries, now)]
        if free:
            wanted = OfferTime(free=tuple(dict.fromkeys(free)))
            answer = await self._submit(offer_time, wanted, organization_id, f"offers/{position}/{now.isoformat()}")
            if json.loads(answer.body)["offers"] >= OFFERS_MAX:
                return now
        if any(entry.is_over(now) for entry in entries):
            await self._submit(end_waiting, EndWaiting(), organization_id, f"ends/{position}/{now.isoformat()}")
        return min((entry.windows[-1].end for entry in entries if not entry.is_over(now)), default=None)

    async def _free(
        self, organization_id: UUID, position: int, entries: Sequence[WaitlistEntry], now: datetime
    ) -> AsyncIterator[FreeVisit]:
        by_wish: defaultdict[Wanted, list[WaitlistEntry]] = defaultdict(list)
        for entry in entries:
            if entry.offer is None or entry.offer.until <= now:
                by_wish[wanted_by(entry)].append(entry)
        for wanted, its in by_wish.items():
            for within in _looked_at(its, now):
                try:
                    found = await find_slots(
                        self.sources,
                        organization_id,
                        wanted.service_id,
                        within.start,
                        within.end,
                        resource_id=wanted.resource_id,
                        seats=wanted.seats,
                    )
                except Refusal:
                    break  # the service has changed: nobody could give it
                if found.position < position:
                    raise Behind
                for slot in found.slots:
                    visit = Interval(slot.start, slot.end)
                    if any(entry.suits(visit) for entry in its):
                        yield FreeVisit(wanted.service_id, visit)

    async def _submit(self, use_case: UseCase[Any], command: object, organization_id: UUID, name: str) -> Answer:
        actor = Actor(TIMEKEEPER_ID, organization_id, TIMEKEEPER_ID, Role.SERVICE)
        command_id = uuid5(organization_id, name)
        return await self.submit(use_case, command, actor=actor, command_id=command_id, fingerprint=command_id.bytes)


def _looked_at(entries: Sequence[WaitlistEntry], now: datetime) -> list[Interval]:
    """The entries' windows from now on, in parts that can be looked at."""
    windows = joined(window for entry in entries for window in entry.windows)
    parts = []
    for window in windows:
        start = max(window.start, now)
        while start < window.end:
            end = min(window.end, start + WINDOW_MAX)
            parts.append(Interval(start, end))
            start = end
    return parts
