"""Sockets over a real server: who is let in, who may follow what, and what ends a socket."""

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from api import stream
from domain.account import Role
from tests.api.socket_node import OTHER_CLINIC, Positions, Projector, client, projecting, socket_node

positions = Positions()


@pytest.fixture
def projector(postgres_url: str, valkey_url: str) -> Iterator[Projector]:
    with projecting(postgres_url, valkey_url) as projector:
        yield projector


def test_another_organizations_object_and_one_that_does_not_exist_are_refused_alike_and_the_socket_stays(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            mine, foreign = await node.add_resource(), await node.add_resource(OTHER_CLINIC)
            token, _ = node.sign_in(Role.OWNER)
            async with client(node, token) as subscriber:
                await subscriber.say(op="subscribe", id="a", topic=foreign, since=0)
                refused = await subscriber.hear()
                await subscriber.say(op="subscribe", id="a", topic=f"resource:{uuid4()}:calendar", since=0)
                assert await subscriber.hear() == refused
                assert (refused["op"], refused["id"], refused["code"]) == ("error", "a", 4403)
                assert node.forbidden == []  # the policy has nothing against it: there is no such object for the owner
                await subscriber.follow(mine)
                projector.write(positions(1), foreign, organization_id=OTHER_CLINIC)
                await asyncio.to_thread(projector.write, own := positions(1), mine)
                assert await subscriber.positions(1) == own
                assert await subscriber.is_silent()

    asyncio.run(scenario())


def test_a_customer_follows_their_own_appointments_and_nobody_elses_nor_a_resources_calendar(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            token, actor = node.sign_in(Role.CUSTOMER)
            own = await node.register(actor.subject_id)
            others, calendar = await node.register(uuid4()), await node.add_resource()
            staff_token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as customer, client(node, staff_token) as staff:
                assert await customer.follow(own) == []
                for topic in (others, calendar):
                    await customer.say(op="subscribe", id="b", topic=topic)
                    assert (await customer.hear())["code"] == 4403
                operations = [one.operation for one in node.forbidden]
                assert operations == ["appointment.read", "calendar.read"]
                assert await staff.follow(others) == []

    asyncio.run(scenario())


def test_who_does_not_introduce_themselves_or_is_not_known_is_closed(
    postgres_url: str, valkey_url: str, projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "INIT_WITHIN_S", 0.3)

    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            async with client(node) as silent:
                assert await silent.close_code() == 4408
            async with client(node) as unknown:
                await unknown.say(op="init", token="forged")
                assert await unknown.close_code() == 4401
            async with client(node) as hasty:
                await hasty.say(op="subscribe", id="a", topic="resource:x:calendar")
                assert await hasty.close_code() == 4400

    asyncio.run(scenario())


def test_a_socket_does_not_outlive_its_token_unless_a_fresh_one_is_handed_in(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            short, actor = node.sign_in(Role.STAFF, for_s=1.0)
            renewed, _ = node.sign_in(Role.STAFF)
            node.bearers[renewed] = type(node.bearers[renewed])(actor, node.bearers[renewed].expires_at)
            async with client(node, short) as expiring, client(node, short) as staying:
                await staying.say(op="init", token=renewed)
                assert await staying.hear() == {"op": "ready"}
                assert await expiring.close_code(within_s=5.0) == 4401
                assert await staying.is_silent()
                assert len(node.sockets) == 1

    asyncio.run(scenario())


def test_a_fresh_token_of_someone_else_closes_the_socket(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            token, _ = node.sign_in(Role.STAFF)
            elses, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as subscriber:
                await subscriber.say(op="init", token=elses)
                assert await subscriber.close_code() == 4401

    asyncio.run(scenario())


def test_frames_that_cannot_be_understood_are_answered_and_frames_that_are_too_big_close(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            topic = await node.add_resource()
            token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as subscriber:
                for nonsense in ("{", "[]", '{"op":"fly"}', '{"op":"subscribe","id":"a","topic":"x","since":-1}', "ÿ"):
                    await subscriber.connection.send(nonsense)
                    assert (await subscriber.hear())["code"] == 4400
                for nowhere in ("organization:secrets", "resource:1:calendar", topic.replace("calendar", "secrets")):
                    await subscriber.say(op="subscribe", id="a", topic=nowhere)
                    assert (await subscriber.hear())["code"] == 4404
                await subscriber.follow(topic)
                await subscriber.say(op="subscribe", id="a", topic=topic)
                assert (await subscriber.hear())["code"] == 4409
                await subscriber.say(op="pong", id="x" * 64 * 1024)
                assert await subscriber.close_code() == 1009

    asyncio.run(scenario())


def test_a_handshake_without_the_subprotocol_or_from_a_foreign_page_is_refused(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            with pytest.raises(InvalidStatus) as without:
                await connect(node.address)
            assert without.value.response.status_code == 400
            with pytest.raises(InvalidStatus) as foreign:
                await connect(
                    node.address,
                    subprotocols=[Subprotocol("daybook.v1+json")],
                    origin=Origin("https://elsewhere.example"),
                )
            assert foreign.value.response.status_code == 403
            own_page = node.address.replace("ws:", "http:").removesuffix("/v1/stream")
            async with client(node, node.sign_in(Role.STAFF)[0], origin=own_page):
                pass

    asyncio.run(scenario())
