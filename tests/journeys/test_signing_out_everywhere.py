"""Who signs out at one process is out at the other, with their sockets, in five seconds: SECURITY.md row 29."""

import asyncio
import json
import time
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.journeys.visitor import Visitor, owner_of_a_new_clinic
from tests.running import RunningStack

pytestmark = pytest.mark.security(29)
WITHIN_S = 5.0


async def opened(visitor: Visitor) -> ClientConnection:
    address = visitor.url.replace("http:", "ws:") + "/v1/stream"
    socket = await connect(address, subprotocols=[Subprotocol("daybook.v1+json")])
    await socket.send(json.dumps({"op": "init", "token": visitor.token}))
    assert json.loads(await socket.recv()) == {"op": "ready"}
    return socket


def a_program_of(owner: Visitor) -> tuple[str, Visitor]:
    """The id of its key, and the program as it is signed in."""
    terms = {"name": "A program", "scopes": ["service.read"], "expires_at": "2027-06-01T00:00:00Z"}
    key: dict[str, Any] = owner.post("/api-keys", terms)
    form = {"client_id": key["client_id"], "client_secret": key["client_secret"]}
    answer = owner._http.post("/auth/token", data={"grant_type": "client_credentials", **form})
    return key["id"], Visitor(owner.url, answer.json()["access_token"], owner.organization_id)


def is_out(visitor: Visitor) -> None:
    while visitor.ask("/services").status_code != 401:
        time.sleep(0.05)


@pytest.mark.parametrize("by", ["signing out", "revoking a key"])
def test_a_session_that_ends_at_one_process_ends_at_the_other(stack: RunningStack, by: str) -> None:
    here, there = stack.urls
    owner = owner_of_a_new_clinic(here)
    key_id, visitor = a_program_of(owner) if by == "revoking a key" else ("", owner)
    elsewhere = visitor.at(there)
    assert elsewhere.ask("/services").status_code == 200

    async def journey() -> tuple[int | None, float]:
        socket = await opened(elsewhere)
        began = time.monotonic()
        method, path = ("DELETE", f"/api-keys/{key_id}") if key_id else ("POST", "/auth/sign-out")
        assert (await asyncio.to_thread(owner.send, method, path)).status_code == 200
        async with asyncio.timeout(2 * WITHIN_S):
            await socket.wait_closed()
            await asyncio.to_thread(is_out, elsewhere)
        return socket.close_code, time.monotonic() - began

    code, after_s = asyncio.run(journey())

    assert code == 4401
    assert after_s < WITHIN_S
