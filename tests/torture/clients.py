"""Clients in a process of their own: they book, move and cancel against each other, and write down every call.

They ask again where they do not know. SIGUSR1: each finishes what it is about; SIGTERM: the subscribers are over, too.
``python -m tests.torture.clients WORLD DIRECTORY SEED CLIENTS SUBSCRIBERS PER_SECOND URL …``
"""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any, TextIO
from urllib.parse import quote
from uuid import UUID

import uvloop

from tests.torture.history import FAIL, OK, UNKNOWN, Call, write
from tests.torture.signing_in import SignIn
from tests.torture.subscribers import subscribe
from tests.torture.talking import Answer, Line, Unknown
from tests.torture.world import Place, World

GIVES_UP_AFTER_S = 60.0
"""A call whose fate is still unknown then stays so."""
MOVES = {
    "book": 42,
    "hold": 12,
    "confirm": 10,
    "reschedule": 10,
    "cancel": 18,
    "read": 10,
    "slots": 8,
    "misuse": 2,
    "next_door": 8,
}
KNOWN_MAX = 400


@dataclass(slots=True)
class Known:
    """A visit as a client was last told of it: ``position`` is that of the answer."""

    id: str
    version: int
    position: int


@dataclass(slots=True)
class Crowd:
    """What all clients share. Visits are everyone's, so that several want to change the same."""

    world: World
    urls: Sequence[str]
    sign_in: SignIn
    next_door: Sequence[SignIn]
    tired: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    visits: list[Known] = field(default_factory=list)
    seen: int = 0
    """The highest position that any answer told."""

    def remember(self, answer: Answer) -> None:
        position = answer.position or 0
        self.seen = max(self.seen, position)
        if isinstance(answer.body, dict) and "version" in answer.body and position:
            self.visits.append(Known(answer.body["id"], answer.body["version"], position))
            if len(self.visits) > KNOWN_MAX:
                del self.visits[: KNOWN_MAX // 4]


class Client:
    def __init__(self, number: int, crowd: Crowd, random: Random, diary: TextIO, pause_s: float) -> None:
        self._number, self._crowd, self._random, self._diary, self._pause_s = number, crowd, random, diary, pause_s
        self._lines = [Line(url) for url in crowd.urls]
        self._at = number

    async def run(self) -> None:
        while not self._crowd.tired.is_set():
            (move,) = self._random.choices(list(MOVES), list(MOVES.values()))
            await getattr(self, f"_{move}")()
            await asyncio.sleep(self._random.expovariate(1 / self._pause_s))

    # The moves

    async def _book(self) -> None:
        await self._command("book", "/v1/appointments", self._wanted(None))

    async def _hold(self) -> None:
        await self._command("hold", "/v1/appointments", self._wanted(self._random.choice((1, 10))))

    async def _confirm(self) -> None:
        if visit := self._some_visit():
            await self._command("confirm", f"/v1/appointments/{visit.id}/confirm", {}, visit=visit)

    async def _cancel(self) -> None:
        if visit := self._some_visit():
            path = f"/v1/appointments/{visit.id}/cancel"
            await self._command("cancel", path, {}, visit=visit, if_match=self._version(visit))

    async def _reschedule(self) -> None:
        if visit := self._some_visit():
            body = {"start": self._start(self._random.randrange(100))}
            path = f"/v1/appointments/{visit.id}/reschedule"
            await self._command("reschedule", path, body, visit=visit, if_match=self._version(visit))

    async def _read(self) -> None:
        if visit := self._some_visit():
            arguments = {"visit": visit.id, "version": visit.version}
            await self._query("read", f"/v1/appointments/{visit.id}", arguments, visit.position)

    async def _slots(self) -> None:
        place = self._place()
        start, end = self._crowd.world.start_of(0), self._crowd.world.start_of(place.slots)
        path = f"/v1/services/{place.service_id}/slots?start={quote(start)}&end={quote(end)}"
        await self._query("slots", path, {"service_id": place.service_id}, self._crowd.seen)

    async def _misuse(self) -> None:
        """The key of a booking that was made, with another body."""
        key = self._new_key()
        wanted = self._wanted(None)
        first = await self._command("book", "/v1/appointments", wanted, key=key)
        if first and first.status == 201:
            other = {**wanted, "start": self._start(700)}
            await self._command("misuse", "/v1/appointments", other, key=key)

    async def _next_door(self) -> None:
        """Something happens in another organization; what became of it nobody asks."""
        line, sign_in = self._lines[self._at % len(self._lines)], self._random.choice(self._crowd.next_door)
        headers = {"Idempotency-Key": self._new_key()}
        try:
            token = await sign_in.token(line.url)
            answer = await line.ask("POST", "/v1/customers", token=token, body={"display_name": "N"}, headers=headers)
        except Unknown:
            self._at += 1
        else:
            if answer.status == 401:
                sign_in.forget()

    # How

    def _place(self) -> Place:
        return self._random.choice(self._crowd.world.places)

    def _wanted(self, hold_min: int | None) -> dict[str, Any]:
        place = self._place()
        wanted = {
            "service_id": place.service_id,
            "start": self._start(self._random.randrange(place.slots)),
            "customer_id": self._random.choice(self._crowd.world.customers),
        }
        return wanted | ({"hold_min": hold_min} if hold_min else {})

    def _some_visit(self) -> Known | None:
        visits = self._crowd.visits
        return self._random.choice(visits[-60:]) if visits else None

    def _start(self, slot: int) -> str:
        """The same instant, as clients in other zones write it."""
        offset = timezone(timedelta(hours=self._random.choice((0, 2, -5))))
        return datetime.fromisoformat(self._crowd.world.start_of(slot)).astimezone(offset).isoformat()

    def _version(self, visit: Known) -> str:
        return "*" if self._random.random() < 0.5 else f'"v{visit.version}"'

    def _new_key(self) -> str:
        return str(UUID(int=self._random.getrandbits(128)))

    async def _command(
        self,
        kind: str,
        path: str,
        body: dict[str, Any],
        *,
        visit: Known | None = None,
        if_match: str | None = None,
        key: str | None = None,
    ) -> Answer | None:
        """Ask until the fate is known; now and then once more, which must change nothing."""
        key = key or self._new_key()
        headers = {"Idempotency-Key": key} | ({"If-Match": if_match} if if_match else {})
        arguments = {**body, "visit": visit.id if visit else None, "if_match": if_match}
        deadline = time.monotonic() + GIVES_UP_AFTER_S
        answer: Answer | None = None
        while time.monotonic() < deadline:
            outcome, answer = await self._one(kind, "POST", path, arguments, body=body, headers=headers, key=key)
            if outcome != UNKNOWN and (outcome == FAIL or self._random.random() > 0.05):
                break
            if outcome == UNKNOWN:
                await asyncio.sleep(self._random.uniform(0.05, 0.5))
            self._at += 1  # the other process may know
        if answer and answer.status < 300:
            self._crowd.remember(answer)
        return answer

    async def _query(self, kind: str, path: str, arguments: dict[str, Any], fence: int) -> None:
        headers = {"Journal-Position": str(fence)}
        await self._one(kind, "GET", path, arguments, headers=headers, fence=fence)

    async def _one(
        self,
        kind: str,
        method: str,
        path: str,
        arguments: dict[str, Any],
        *,
        headers: dict[str, str],
        body: object = None,
        key: str | None = None,
        fence: int | None = None,
    ) -> tuple[str, Answer | None]:
        line = self._lines[self._at % len(self._lines)]
        invoked_ns, invoked_at = time.monotonic_ns(), datetime.now(UTC)
        try:
            token = await self._crowd.sign_in.token(line.url)
            invoked_ns, invoked_at = time.monotonic_ns(), datetime.now(UTC)
            answer: Answer | None = await line.ask(method, path, token=token, body=body, headers=headers)
        except Unknown:
            answer = None
            self._at += 1
        returned_ns = time.monotonic_ns() if answer else None
        outcome = _outcome(answer)
        if answer and answer.status == 401:
            self._crowd.sign_in.forget()
        write(
            self._diary,
            Call(
                process=self._number,
                kind=kind,
                key=key,
                arguments=arguments,
                invoked_ns=invoked_ns,
                returned_ns=returned_ns,
                invoked_at=invoked_at.isoformat(),
                outcome=outcome,
                status=answer.status if answer else None,
                answer=answer.body if answer else None,
                position=answer.position if answer else None,
                fence=fence,
                replayed=bool(answer and answer.headers.get("idempotent-replay")),
            ),
        )
        return outcome, answer


def _outcome(answer: Answer | None) -> str:
    if answer is None or answer.status >= 500 or answer.status in {401, 429}:
        return UNKNOWN
    if answer.status < 300:
        return OK
    in_flight = str((answer.body or {}).get("type", "")).endswith("in-flight")
    return UNKNOWN if in_flight else FAIL


async def _main(arguments: Sequence[str]) -> None:
    world_path, directory, seed, clients, subscribers, per_second, *urls = arguments
    world = World.load(Path(world_path))
    crowd = Crowd(world, urls, SignIn(world.email), [SignIn(email) for email in world.neighbours])
    loop = asyncio.get_running_loop()
    for stopping in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(stopping, crowd.stop.set)
    loop.add_signal_handler(signal.SIGUSR1, crowd.tired.set)
    pause_s = int(clients) / float(per_second)
    books = [(Path(directory) / f"client-{n:02}.jsonl").open("a") for n in range(int(clients))]
    async with asyncio.TaskGroup() as group:
        at_work = [
            group.create_task(Client(number, crowd, Random(f"{seed}/{number}"), book, pause_s).run())
            for number, book in enumerate(books)
        ]
        topics = [f"resource:{room}:calendar" for place in world.places for room in place.rooms]
        for number in range(int(subscribers)):
            book = (Path(directory) / f"subscriber-{number:02}.jsonl").open("a")
            topic = topics[number % len(topics)]
            group.create_task(subscribe(1_000 + number, topic, urls, crowd.sign_in, book, crowd.stop))
        await asyncio.gather(*at_work)
        (Path(directory) / "clients-are-done").touch()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(sys.argv[1:]))
