"""Rounds of a race: requests that leave at the same moment, for two API processes, again and again on fresh ground."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from infra.verification import verify
from tests.journeys.visitor import EVERY_DAY, TIME_ZONE, Visitor, owner_of_a_new_clinic
from tests.running import RunningStack

ROUNDS = 200
LANES = 8
"""So many rounds are on at once, each on a date of its own: a client of the same organization is never alone."""
OFFSET = "-03:00"
"""Of ``TIME_ZONE``, which has had no other since 2019."""


Command = tuple[str, dict[str, Any]]
"""Where it is posted, and its body."""


HEAD_STARTS_S = (0.0, 0.001, 0.002, 0.004, 0.008, 0.016)
"""Whoever is decided first is overtaken at every step of the way."""


@dataclass
class Track:
    """A clinic whose front desk sits at every API process."""

    clients: list[httpx.AsyncClient]

    async def post(self, at: int, path: str, body: object = None, **headers: str) -> httpx.Response:
        """``at``: which of the processes is asked; more than there are begin again with the first."""
        client = self.clients[at % len(self.clients)]
        return await client.post(f"/v1{path}", json=body, headers={"Idempotency-Key": uuid4().hex, **headers})

    async def duel(self, number: int, one: Command, other: Command) -> tuple[httpx.Response, httpx.Response]:
        """Two commands at two processes. Which goes where, which leaves first and by how much, takes turns."""
        ahead_s = HEAD_STARTS_S[number // 4 % len(HEAD_STARTS_S)]
        late, early = (ahead_s, 0.0) if number // 2 % 2 else (0.0, ahead_s)
        return await asyncio.gather(self._after(late, number, one), self._after(early, number + 1, other))

    async def _after(self, wait_s: float, at: int, command: Command) -> httpx.Response:
        await asyncio.sleep(wait_s)
        return await self.post(at, *command)


Round = Callable[[Track, int], Awaitable[str]]
"""One round: it is given its number, which is its date too, and says who won."""


def race(stack: RunningStack, owner: Visitor, one_round: Round) -> Counter[str]:
    """``ROUNDS`` rounds, ``LANES`` at once; then an audit of the journal, which must find nothing.

    Answers how often each has won: where it is always the same one, nobody has raced.
    """
    won = asyncio.run(_all_rounds(stack, owner, one_round))
    assert won.total() == ROUNDS
    findings = verify(stack.environment["DAYBOOK_DATABASE_URL"])
    assert findings.clean, findings.faults[:5]
    return won


async def _all_rounds(stack: RunningStack, owner: Visitor, one_round: Round) -> Counter[str]:
    won: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {owner.token}"}
    async with AsyncExitStack() as open_ones:
        clients = [
            await open_ones.enter_async_context(httpx.AsyncClient(base_url=url, headers=headers, timeout=60))
            for url in stack.urls
        ]
        track = Track(clients)

        async def run(lane: int) -> None:
            for number in range(lane, ROUNDS, LANES):
                won[await one_round(track, number)] += 1

        async with asyncio.TaskGroup() as lanes:
            for lane in range(LANES):
                lanes.create_task(run(lane))
    return won


def day_of(number: int, *, days_each: int = 1) -> date:
    return datetime.now(UTC).date() + timedelta(days=2 + number * days_each)


def at(day: date, clock: str) -> str:
    return f"{day}T{clock}:00{OFFSET}"


def a_clinic(stack: RunningStack) -> Visitor:
    return owner_of_a_new_clinic(stack.urls[0])


def rooms(owner: Visitor, count: int) -> list[str]:
    room = {"name": "Room", "kind": "room", "time_zone": TIME_ZONE, "working_hours": EVERY_DAY}
    return [owner.post("/resources", room)["id"] for _ in range(count)]


def customers(owner: Visitor, count: int) -> list[list[str]]:
    """So many for each lane: nobody is in two rounds at once."""
    return [[owner.post("/customers", {"display_name": "Crowd"})["id"] for _ in range(count)] for _ in range(LANES)]


def a_service(owner: Visitor, requirement: dict[str, Any], **terms: Any) -> str:
    """An hour, bookable years ahead."""
    wanted = {"name": "Visit", "duration_min": 60, "max_advance_days": 1_000, "requirements": [requirement], **terms}
    return str(owner.post("/services", wanted)["id"])


def told(answers: Sequence[httpx.Response]) -> list[str]:
    """What each was answered: its status, or its type of problem."""
    return sorted(
        str(answer.status_code) if answer.is_success else answer.json()["type"].removeprefix("/problems/")
        for answer in answers
    )
