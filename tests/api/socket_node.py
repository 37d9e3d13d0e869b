"""A node that serves sockets over real servers, a hand that writes changes as a projector does, and a client."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

import psycopg
import uvicorn
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from adapters.memory_journal import MemoryJournal
from adapters.redis_fanout import RedisHints, RedisHintSource
from adapters.walls import Walls
from api import stream
from api.broadcaster import Broadcaster
from api.stream import Sockets
from api.stream_frames import SUBPROTOCOL
from api.stream_session import Node
from api.topics import TopicGate
from application.feed import partition_of
from application.hints import Hints
from application.journal import Draft, Entry, Provenance
from application.sign_in import Bearer, InvalidToken
from domain.access import CallForbidden
from domain.account import CustomerRegistered, Role
from domain.fact import Fact
from domain.permissions import Actor
from domain.resource import ResourceAdded
from projections import changes
from projections.change_feed import ChangeFeed
from projections.changes import Change, ChangeLog
from projections.checkpoint import ensure_schema, move_checkpoint
from tests.waiting import until

PARTITIONS = 4
NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
CLINIC, OTHER_CLINIC = UUID(int=0x41), UUID(int=0x42)


class Calendars:
    """A read model that is nothing but its changes."""

    NAME: ClassVar[str] = "resource_calendars"
    FACTS: ClassVar = Fact
    TABLES: ClassVar[str] = changes.TABLES
    DURABLE: ClassVar[bool] = False

    def project(self, batch: object, cursor: object) -> None:
        raise NotImplementedError

    def after_commit(self, batch: object) -> None:
        raise NotImplementedError


class CustomerCalendars(Calendars):
    NAME: ClassVar[str] = "customer_calendars"


class Availability(Calendars):
    NAME: ClassVar[str] = "availability"


class NoHints:
    """Every hint is lost."""

    def publish(self, organization_id: UUID, topics: object, position: int) -> None: ...


class Projector:
    """Writes changes, checkpoint and hints in the order in which a follower does. Synchronous."""

    def __init__(self, postgres_url: str, hints: Hints, *, sink: type[Calendars] = Calendars) -> None:
        self._connection = psycopg.connect(postgres_url)
        self._sink = sink
        self._log = ChangeLog(PARTITIONS, hints)
        ensure_schema(self._connection, sink(), PARTITIONS)
        self._connection.execute(f"SET search_path = {sink.NAME}")
        self._connection.commit()

    def write(
        self,
        positions: Sequence[int],
        topic: str,
        *,
        organization_id: UUID = CLINIC,
        at: datetime = NINE,
        data: dict[str, Any] | None = None,
    ) -> None:
        """One change at each position, in one transaction, announced after it."""
        recorded = [
            Change(
                position=position,
                organization_id=organization_id,
                topic=topic,
                at=at,
                data=json.dumps(data or {"entry": position}).encode(),
            )
            for position in positions
        ]
        with self._connection.transaction(), self._connection.cursor() as cursor:
            self._log.record(cursor, recorded)
            moved = {partition_of(organization_id, PARTITIONS): max(positions)}
            move_checkpoint(cursor, self._sink.NAME, moved)
        self._log.announce()

    def close(self) -> None:
        self._connection.close()


class Positions:
    """New positions, not all adjacent: other organizations' facts lie between."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, count: int) -> list[int]:
        drawn = []
        for number in range(count):
            self._last += 1 + number % 3
            drawn.append(self._last)
        return drawn


@contextmanager
def projecting(postgres_url: str, valkey_url: str) -> Iterator[Projector]:
    """A projector that announces what it writes; the tables of all three read models exist."""
    hints = RedisHints(valkey_url)
    for other in (CustomerCalendars, Availability):
        Projector(postgres_url, hints, sink=other).close()
    projector = Projector(postgres_url, hints)
    yield projector
    projector.close()
    hints.close()


@dataclass
class RunningNode:
    address: str
    sockets: Sockets
    journal: MemoryJournal
    bearers: dict[str, Bearer] = field(default_factory=dict)
    forbidden: list[CallForbidden] = field(default_factory=list)

    def sign_in(self, role: Role, organization_id: UUID = CLINIC, *, for_s: float = 600) -> tuple[str, Actor]:
        """A token and who it speaks for."""
        actor = Actor(uuid4(), organization_id, uuid4(), role, session_id=uuid4())
        token = f"token-{uuid4()}"
        self.bearers[token] = Bearer(actor, time.time() + for_s)
        return token, actor

    async def add_resource(self, organization_id: UUID = CLINIC) -> str:
        """The topic of a new resource's calendar."""
        resource_id = uuid4()
        added = ResourceAdded(
            resource_id=resource_id,
            organization_id=organization_id,
            kind="room",
            location_id=None,
            time_zone="UTC",
            capacity=1,
            shifts=(),
        )
        await self._append(resource_id, added, organization_id)
        return f"resource:{resource_id}:calendar"

    async def register(self, customer_id: UUID, organization_id: UUID = CLINIC) -> str:
        """The topic of a customer's appointments."""
        registered = CustomerRegistered(customer_id=customer_id, organization_id=organization_id, account_id=None)
        await self._append(customer_id, registered, organization_id)
        return f"customer:{customer_id}:appointments"

    async def _append(self, stream_id: UUID, fact: Fact, organization_id: UUID) -> None:
        by = Provenance(organization_id=organization_id, actor_id=uuid4(), at=NINE, command_id=uuid4())
        entry = Entry(
            command_id=by.command_id,
            fingerprint=b"",
            provenance=by,
            reads={stream_id: 0},
            drafts=(Draft(stream_id, 0, (fact,)),),
            answer=b"{}",
        )
        await self.journal.append([entry])


@asynccontextmanager
async def socket_node(postgres_url: str, redis_url: str, *, sweep_every_s: float = 2.0) -> AsyncIterator[RunningNode]:
    """A node behind a real uvicorn on a free port."""
    journal = MemoryJournal()
    bearers, forbidden = dict[str, Bearer](), list[CallForbidden]()

    def authenticate(token: str) -> Bearer:
        if token not in bearers:
            raise InvalidToken
        return bearers[token]

    async def note(_: Actor, refused: CallForbidden) -> None:
        forbidden.append(refused)

    async with AsyncConnectionPool(
        postgres_url, min_size=1, max_size=4, open=False, kwargs={"autocommit": True}
    ) as pool:
        feed = ChangeFeed(Walls(pool), PARTITIONS)
        broadcaster = Broadcaster(feed, RedisHintSource(redis_url), sweep_every_s)
        sockets = Sockets(Node(authenticate, lambda _: None, TopicGate(journal), feed, broadcaster, note))
        app = FastAPI()
        app.state.sockets = sockets
        app.include_router(stream.router)
        running = asyncio.create_task(sockets.run())
        try:
            async with served(app) as port:
                yield RunningNode(f"ws://127.0.0.1:{port}/v1/stream", sockets, journal, bearers, forbidden)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[int]:
    """The app on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            app, log_level="warning", lifespan="off", ws_max_size=2**20, ws_per_message_deflate=False
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await until(lambda: server.started)
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


class Client:
    """A client of the subprotocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **frame: object) -> None:
        await self.connection.send(json.dumps(frame))

    async def hear(self, within_s: float = 5.0) -> dict[str, Any]:
        """The next frame that is no ping."""
        async with asyncio.timeout(within_s):
            while True:
                frame: dict[str, Any] = json.loads(await self.connection.recv())
                if frame["op"] != "ping":
                    return frame

    async def follow(self, topic: str, since: int | None = None, *, name: str = "a") -> list[int]:
        """Subscribe, and read until caught up: the positions of the changes before."""
        await self.say(op="subscribe", id=name, topic=topic, **({} if since is None else {"since": since}))
        positions = []
        while (frame := await self.hear())["op"] == "change":
            positions.append(frame["position"])
        assert frame["op"] == "caught_up", frame
        return positions

    async def positions(self, count: int, within_s: float = 10.0) -> list[int]:
        """Those of the next changes."""
        return [(await self.hear(within_s))["position"] for _ in range(count)]

    async def is_silent(self, for_s: float = 0.3) -> bool:
        try:
            await self.hear(for_s)
        except TimeoutError:
            return True
        return False

    async def close_code(self, within_s: float = 10.0) -> int | None:
        async with asyncio.timeout(within_s):
            await self.connection.wait_closed()
        return self.connection.close_code


@asynccontextmanager
async def client(node: RunningNode, token: str | None = None, **options: Any) -> AsyncIterator[Client]:
    """Connected; signed in if there is a token."""
    # Unless it is to stall, it reads on while a test looks elsewhere.
    options = {"max_queue": None, **options}
    async with connect(
        node.address, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, **options
    ) as connection:
        speaking = Client(connection)
        if token is not None:
            await speaking.say(op="init", token=token)
            assert await speaking.hear() == {"op": "ready"}
        yield speaking
