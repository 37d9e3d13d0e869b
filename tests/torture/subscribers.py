"""Subscribers that resume where they were cut off, at whichever API process answers."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, TextIO

import websockets

from api.stream_frames import SUBPROTOCOL
from tests.torture.history import Connection, Frame, write
from tests.torture.signing_in import SignIn
from tests.torture.talking import Unknown

OVER = (OSError, TimeoutError, EOFError, Unknown, websockets.WebSocketException)


async def subscribe(
    number: int, topic: str, urls: Sequence[str], sign_in: SignIn, diary: TextIO, stop: asyncio.Event
) -> None:
    """From position 0 on, until told to stop. Every frame is written down, every connection too."""
    last, connection = 0, 0
    while not stop.is_set():
        url = urls[(number + connection) % len(urls)]
        connection += 1
        opened = Connection(
            process=number, topic=topic, connection=connection, since=last, opened_ns=time.monotonic_ns()
        )
        try:
            write(diary, opened)
            async for position, data in _changes(url, await sign_in.token(url), topic, last, stop):
                write(
                    diary,
                    Frame(
                        process=number,
                        topic=topic,
                        position=position,
                        payload=data,
                        at_ns=time.monotonic_ns(),
                        connection=connection,
                    ),
                )
                last = max(last, position)
        except OVER:
            await asyncio.sleep(0.3)


async def _changes(url: str, token: str, topic: str, since: int, stop: asyncio.Event) -> AsyncIterator[tuple[int, Any]]:
    address = f"{url.replace('http', 'ws', 1)}/v1/stream"
    protocols = [websockets.Subprotocol(SUBPROTOCOL)]
    async with websockets.connect(
        address, subprotocols=protocols, compression=None, open_timeout=5, close_timeout=1
    ) as socket:
        await socket.send(json.dumps({"op": "init", "token": token}))
        await socket.send(json.dumps({"op": "subscribe", "id": "a", "topic": topic, "since": since}))
        while not stop.is_set():
            try:
                told = json.loads(await asyncio.wait_for(socket.recv(), 0.5))
            except TimeoutError:
                continue
            if told["op"] == "ping":
                await socket.send(json.dumps({"op": "pong"}))
            elif told["op"] == "change":
                yield told["position"], told["data"]
            elif told["op"] in {"error", "resync"}:
                raise EOFError(str(told))
