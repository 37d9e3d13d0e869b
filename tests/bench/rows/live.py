"""How soon a booking is seen: in the read models, and by those who follow over WebSocket, with everything running.

The load is half of what one API process books at its peak with nothing beside it. Times are from the moment of the
decision, which the fact itself tells: a little before the commit, so the figures are never flattering.
"""

import asyncio
import json
import re
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

import msgspec
import psycopg
import uvloop
import websockets

from api.stream_frames import SUBPROTOCOL
from projections.checkpoint import PROGRESS_CHANNEL
from tests.bench.bench import FOLLOWERS, Bench, await_followers
from tests.bench.figures import Figure
from tests.bench.house import Bookings, House, open_house
from tests.bench.load import put_load
from tests.bench.pacing import keep_pace
from tests.running import RunningStack

KEYS = ("lag_p99_ms", "socket_p99_ms")
READ_MODELS = ("appointments", "resource_calendars", "customer_calendars")
ROOMS, SUBSCRIBERS = 70, 200
PER_SECOND_MAX = 6_000
SEEN_WITHIN_S = 10.0
_POSITION = re.compile(r'"position":(\d+)')
_DECIDED = """
SELECT notification_id, (convert_from(state, 'UTF8')::json #>> '{meta,at}')::timestamptz
FROM stored_events WHERE notification_id > %s
"""


@dataclass(slots=True)
class Seen:
    """What has been seen, and when (seconds since 1970): frames by position, checkpoints by read model."""

    frames: list[tuple[int, float]] = field(default_factory=list)
    checkpoints: defaultdict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))

    def clear(self) -> None:
        self.frames.clear()
        self.checkpoints.clear()

    def seen_at(self, position: int) -> float:
        """When the last of the read models had it; there is one organization, so one partition."""
        return max(its[bisect_left(its, (position, 0.0))][1] for its in map(self.checkpoints.__getitem__, READ_MODELS))

    def complete(self, head: int) -> bool:
        return all(self.checkpoints[name][-1:] >= [(head, 0.0)] for name in READ_MODELS)


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds, sorted. ``per_second``: what was answered: less than was asked where the machine had no more."""

    per_second: float
    answers: Sequence[float]
    lags: Sequence[float]
    frames: Sequence[float]


def measure(bench: Bench) -> Iterator[Figure]:
    with bench.database() as database, bench.daybook(database) as daybook:
        house = open_house(daybook.urls[0], rooms=ROOMS)
        bookings = Bookings(house)
        peak = max(_bookings_per_second(bench, daybook.urls[0], bookings) for _ in range(3))
        for verb in FOLLOWERS:
            daybook.start(verb)
        with psycopg.connect(database, autocommit=True) as connection:
            await_followers(connection)
        bench.say(f"peak {peak:,.0f} bookings/s, {SUBSCRIBERS} subscribers at half of it")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            rounds = runner.run(_rounds(bench, daybook, database, house, bookings, peak / 2))
    reached = median(one.per_second for one in rounds)
    load: dict[str, float | str] = {
        "asked/s": peak / 2,
        "bookings/s": reached,
        "answer p50 ms": _median_of("answers", rounds, 0.5),
    }
    for key, what in zip(KEYS, ("lags", "frames"), strict=True):
        figures = [_quantile(getattr(one, what), 0.99) for one in rounds]
        spread = {f"p{q * 100:g} ms": _median_of(what, rounds, q) for q in (0.5, 1.0)}
        yield Figure(key, figures, load | spread | {"of each round": median(len(getattr(one, what)) for one in rounds)})


def _bookings_per_second(bench: Bench, url: str, bookings: Bookings) -> float:
    return put_load(url, bookings.take(round(bench.seconds * PER_SECOND_MAX)), seconds=bench.seconds).per_second


async def _rounds(
    bench: Bench, daybook: RunningStack, database: str, house: House, bookings: Bookings, per_second: float
) -> list[Round]:
    seen = Seen()
    url = daybook.urls[0]
    connection = await psycopg.AsyncConnection.connect(database, autocommit=True)
    async with connection, asyncio.TaskGroup() as watching:
        watchers = [watching.create_task(_watch_checkpoints(database, seen))]
        token = house.token()
        subscribed = [asyncio.Event() for _ in range(SUBSCRIBERS)]
        for topic, ready in zip(_topics(house), subscribed, strict=True):
            watchers.append(watching.create_task(_subscribe(url, token, topic, seen, ready)))
        for ready in subscribed:
            await ready.wait()
        await _round(url, connection, seen, bookings, per_second, bench.seconds)  # warm
        rounds = []
        for number in range(bench.rounds):
            rounds.append(await _round(url, connection, seen, bookings, per_second, bench.seconds))
            told = {what: _quantile(getattr(rounds[-1], what), 0.99) for what in ("answers", "lags", "frames")}
            bench.say(f"round {number + 1}: p99 " + ", ".join(f"{what} {ms:,.0f} ms" for what, ms in told.items()))
        for watcher in watchers:
            watcher.cancel()
    return rounds


async def _round(
    url: str,
    connection: psycopg.AsyncConnection[tuple[object, ...]],
    seen: Seen,
    bookings: Bookings,
    per_second: float,
    seconds: float,
) -> Round:
    requests = await asyncio.to_thread(bookings.take, round(per_second * seconds))
    seen.clear()
    answers = await keep_pace(url, requests, per_second=per_second)
    head = max(answer.position for answer in answers)
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not seen.complete(head):
        assert time.monotonic() < deadline, "the read models do not catch up"
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)  # and the last frames
    rows = await connection.execute(_DECIDED, (min(answer.position for answer in answers) - 10,))
    decided = {int(str(position)): at.timestamp() async for position, at in rows}  # type: ignore[attr-defined]
    assert len(seen.frames) > len(answers), "every room is followed, and more"
    took_s = max(answer.answered_at for answer in answers) - min(answer.due_at for answer in answers)
    return Round(
        len(answers) / took_s,
        sorted((answer.answered_at - answer.due_at) * 1000 for answer in answers),
        sorted((seen.seen_at(answer.position) - decided[answer.position]) * 1000 for answer in answers),
        sorted((at - decided[position]) * 1000 for position, at in seen.frames),
    )


def _topics(house: House) -> list[str]:
    """Different ones: every room, and about as many services and customers."""
    others = SUBSCRIBERS - ROOMS
    return [
        *(f"resource:{room}:calendar" for room in house.rooms),
        *(f"service:{service}:availability" for service in house.services[: others // 2]),
        *(f"customer:{customer}:appointments" for customer in house.customers[: others - others // 2]),
    ]


async def _subscribe(url: str, token: str, topic: str, seen: Seen, ready: asyncio.Event) -> None:
    address = f"{url.replace('http', 'ws', 1)}/v1/stream"
    async with websockets.connect(
        address, subprotocols=[websockets.Subprotocol(SUBPROTOCOL)], compression=None
    ) as socket:
        await socket.send(json.dumps({"op": "init", "token": token}))
        await socket.send(json.dumps({"op": "subscribe", "id": "a", "topic": topic}))
        async for frame in socket:
            assert isinstance(frame, str)
            if frame.startswith('{"op":"change"'):
                position = _POSITION.search(frame)
                assert position
                seen.frames.append((int(position[1]), time.time()))
            elif (op := msgspec.json.decode(frame)["op"]) == "caught_up":
                ready.set()
            else:
                assert op in {"ready", "ping"}, frame
    raise AssertionError("a subscriber was closed")


async def _watch_checkpoints(database: str, seen: Seen) -> None:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute(f"LISTEN {PROGRESS_CHANNEL}")
        async for notice in connection.notifies():
            name, _, position = notice.payload.split()
            its = seen.checkpoints[name]
            if name in READ_MODELS and (not its or int(position) > its[-1][0]):
                its.append((int(position), time.time()))


def _quantile(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


def _median_of(what: str, rounds: Sequence[Round], q: float) -> float:
    return median(_quantile(getattr(one, what), q) for one in rounds)
