"""Sockets: who may open one, how many, and how much may be said on it (rows 31 and 32)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from adapters.redis_limits import RedisLimits
from api import stream
from api.client_address import ClientAddresses
from api.limits import RateLimits, Rates, SocketLimits
from api.stream_frames import SUBPROTOCOL
from application.rate_limits import Windows
from domain.account import Role
from tests.api.socket_node import Projector, RunningNode, client, projecting, socket_node

OURS = "https://book.clinic.test"
SPOKEN = [Subprotocol(SUBPROTOCOL)]


@pytest.fixture(autouse=True)
def read_models(postgres_url: str, valkey_url: str) -> object:
    with projecting(postgres_url, valkey_url) as projector:
        yield projector


@asynccontextmanager
async def bounded_node(postgres_url: str, redis_url: str, **bounds: float) -> AsyncIterator[RunningNode]:
    async with socket_node(postgres_url, redis_url) as node:
        limits = SocketLimits(**bounds)  # type: ignore[arg-type]
        node.sockets.node = replace(node.sockets.node, bounds=limits)
        node.sockets.origins = frozenset({OURS})
        shared = RedisLimits(redis_url)
        node.sockets.limits = RateLimits(Windows(shared), shared, ClientAddresses((), b"secret"), Rates())
        yield node
        await shared.close()


async def denied(address: str, **options: object) -> int:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(address, subprotocols=SPOKEN, **options):  # type: ignore[arg-type]
            pass
    assert refused.value.response.headers["X-Content-Type-Options"] == "nosniff"
    return refused.value.response.status_code


@pytest.mark.security(31)
def test_only_pages_of_the_list_get_a_socket_and_a_token_in_the_address_is_refused(
    postgres_url: str, valkey_url: str
) -> None:
    async def scenario() -> None:
        async with bounded_node(postgres_url, valkey_url) as node:
            token, _ = node.sign_in(Role.STAFF)
            for foreign in ("https://evil.test", "null", f"{OURS}.evil.test", "http://book.clinic.test"):
                assert await denied(node.address, origin=Origin(foreign)) == 403
            assert await denied(f"{node.address}?token={token}") == 400
            async with connect(node.address, subprotocols=SPOKEN, origin=Origin(OURS)) as socket:
                await socket.send(json.dumps({"op": "init", "token": token}))
                assert json.loads(await socket.recv()) == {"op": "ready"}
                assert "permessage-deflate" not in (socket.response.headers.get("Sec-WebSocket-Extensions") or "")  # type: ignore[union-attr]

    asyncio.run(scenario())


@pytest.mark.security(32)
def test_an_account_and_an_address_have_so_many_sockets_and_closing_one_makes_room(
    postgres_url: str, valkey_url: str
) -> None:
    async def scenario() -> None:
        async with bounded_node(postgres_url, valkey_url, per_account=2, per_address=4) as node:
            token, _ = node.sign_in(Role.STAFF)
            other, _ = node.sign_in(Role.STAFF)
            async with client(node, token), client(node, token) as second:
                async with client(node) as third:
                    await third.say(op="init", token=token)
                    assert await third.close_code() == 4413
                async with client(node, other), client(node, other):
                    assert await denied(node.address) == 429
                await second.connection.close()
                await asyncio.sleep(0.2)
                async with client(node, token):
                    pass

    asyncio.run(scenario())


@pytest.mark.security(32)
def test_a_frame_that_is_too_long_and_frames_that_are_too_many_end_the_socket(
    postgres_url: str, valkey_url: str
) -> None:
    async def scenario() -> None:
        async with bounded_node(postgres_url, valkey_url, frames_burst=20, frames_per_s=1) as node:
            token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as long_winded:
                await long_winded.say(op="pong", words="x" * 65 * 1024)
                assert await long_winded.close_code() == 1009
            for frame in ('{"op":"pong"}', "nonsense"):
                async with client(node, token) as flooding:
                    for _ in range(40):
                        await flooding.connection.send(frame)
                    assert await flooding.close_code() == 4420
            async with client(node, token) as moderate:
                for _ in range(15):
                    await moderate.say(op="pong")
                assert await moderate.is_silent()

    asyncio.run(scenario())


@pytest.mark.security(32)
def test_a_socket_that_follows_nothing_and_says_nothing_is_closed_in_time(
    postgres_url: str, valkey_url: str, read_models: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "WATCH_EVERY_S", 0.1)

    async def scenario() -> None:
        async with bounded_node(postgres_url, valkey_url, idle_s=1.0) as node:
            token, _ = node.sign_in(Role.STAFF)
            topic = await node.add_resource()
            async with client(node, token) as idle, client(node, token) as following:
                await following.follow(topic)
                assert await idle.close_code() == 4410
                assert await following.is_silent(1.5)

    asyncio.run(scenario())
