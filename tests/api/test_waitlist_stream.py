"""The waitlist over sockets: the house follows it, and nobody else does."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.api.house import House, made, opened_house
from tests.api.people_at_the_door import noted
from tests.api.waiting_house import Waiting


@pytest.fixture
def waiting(house: House) -> Waiting:
    return Waiting(house)


class Socket:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def hears(self) -> dict[str, Any]:
        while True:
            frame: dict[str, Any] = json.loads(await asyncio.wait_for(self.connection.recv(), 10))
            if frame["op"] != "ping":
                return frame


async def opened(house: House, role: str) -> Socket:
    address = house.api.url.replace("http:", "ws:") + "/v1/stream"
    socket = Socket(await connect(address, subprotocols=[Subprotocol("daybook.v1+json")]))
    token = house[role].headers["Authorization"].removeprefix("Bearer ")
    await socket.say(op="init", token=token)
    assert (await socket.hears())["op"] == "ready"
    return socket


def test_the_house_follows_the_waitlist_and_resumes_where_it_was(waiting: Waiting) -> None:
    house, visit = waiting.house, waiting.books()
    since = house.api.head()
    entry = waiting.joins()["id"]
    waiting.cancels(visit)
    made(house.post(f"/waitlist/{entry}/accept"), 200)
    waiting.entry(entry)  # the read model has caught up

    async def follow() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        socket = await opened(house, "staff")
        await socket.say(op="subscribe", id="a", topic="organization:waitlist", since=since)
        told = [await socket.hears() for _ in range(3)]
        await socket.connection.close()
        socket = await opened(house, "staff")
        await socket.say(op="subscribe", id="a", topic="organization:waitlist", since=told[0]["position"])
        again = [await socket.hears() for _ in range(2)]
        await socket.connection.close()
        return told, again

    told, again = asyncio.run(follow())
    assert [(frame["op"], frame["data"]["status"]) for frame in told] == [
        ("change", "waiting"),
        ("change", "offered"),
        ("change", "accepted"),
    ]
    assert {frame["data"]["id"] for frame in told} == {entry}
    assert again == told[1:]


def test_what_happens_in_one_house_is_not_told_in_another(waiting: Waiting) -> None:
    neighbour = opened_house(waiting.house.api)
    since = waiting.house.api.head()
    waiting.joins()
    there = Waiting(neighbour)
    own = there.joins()["id"]
    there.entry(own)

    async def follow() -> dict[str, Any]:
        socket = await opened(neighbour, "owner")
        await socket.say(op="subscribe", id="a", topic="organization:waitlist", since=since)
        first = await socket.hears()
        await socket.connection.close()
        return first

    assert asyncio.run(follow())["data"]["id"] == own


@pytest.mark.security(37)
def test_customers_do_not_follow_the_waitlist_and_the_auditor_sees_that_they_tried(waiting: Waiting) -> None:
    async def try_it() -> dict[str, Any]:
        socket = await opened(waiting.house, "customer")
        for _ in range(3):
            await socket.say(op="subscribe", id="a", topic="organization:waitlist")
            refused = await socket.hears()
        await socket.connection.close()
        return refused

    refused = asyncio.run(try_it())

    assert (refused["op"], refused["code"]) == ("error", 4403)
    [seen] = noted(waiting.house, "access.call_forbidden.v1", waiting.house.account_ids["customer"])
    assert (seen["operation"], seen["times"]) == ("waitlist.read", 1)  # the others of this minute are counted


def test_what_availability_tells_of_an_offer_is_no_more_than_that_something_changed(waiting: Waiting) -> None:
    house, visit = waiting.house, waiting.books()
    entry = waiting.joins()
    since = house.api.head()
    waiting.cancels(visit)

    async def follow() -> list[dict[str, Any]]:
        socket = await opened(house, "customer")
        await socket.say(op="subscribe", id="a", topic=f"service:{waiting.service}:availability", since=since)
        told = []
        while (frame := await socket.hears())["op"] != "caught_up":
            told.append(frame)
        await socket.connection.close()
        return told

    waiting.entry(entry["id"])
    told = asyncio.run(follow())
    assert all(frame["data"].keys() == {"resource_id", "start", "end"} for frame in told)
