"""Health and metrics over a real server: which part is down, what that means, and what it costs to ask."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import psycopg
import redis.asyncio
from fastapi import APIRouter, FastAPI, HTTPException
from psycopg_pool import AsyncConnectionPool

from adapters.probes import ask_kafka, ask_postgres, ask_redis
from adapters.projection_lag import Lag, ProjectionLag
from api import health, metrics
from api.edge import Edge
from api.health import Health, Part, projections_part
from api.metrics import Metrics
from api.position import Fence
from application.lru import ENTRY_BYTES, Lru
from application.writer import Tally
from tests.api.socket_node import CLINIC, NINE, PARTITIONS, NoHints, Projector, served

NOWHERE = "127.0.0.1:1"
TOPIC = "resource:00000000-0000-0000-0000-000000000001:calendar"


@asynccontextmanager
async def answering(parts: Sequence[Part], gauges: Metrics | None = None) -> AsyncIterator[httpx.AsyncClient]:
    things = APIRouter(prefix="/v1/things")

    @things.get("/{thing_id}")
    async def thing(thing_id: str) -> str:
        if thing_id == "gone":
            raise HTTPException(404)
        return thing_id

    app = FastAPI(routes=[*health.router.routes, *metrics.router.routes, *things.routes])
    app.state.health, app.state.metrics = Health(parts), gauges or Metrics()
    app.state.metrics.watch(app.state.health.reading)
    app.add_middleware(Edge, metrics=app.state.metrics)
    async with served(app) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client


async def _unreachable() -> None:
    raise ConnectionRefusedError("db-7.internal.example refused")


async def _fine() -> None:
    return None


async def _stuck() -> None:
    await asyncio.sleep(60)


def test_real_servers_that_answer_make_it_ready(postgres_url: str, valkey_url: str, broker: str) -> None:
    async def scenario() -> None:
        client = redis.asyncio.Redis.from_url(valkey_url)
        async with AsyncConnectionPool[Any](postgres_url, min_size=1, open=False) as pool:
            parts = [
                Part("postgres", lambda: ask_postgres(pool), "nothing can be read or recorded", required=True),
                Part("redis", lambda: ask_redis(client), "sockets are later"),
                Part("kafka", lambda: ask_kafka(broker), "read models are later"),
            ]
            async with answering(parts) as http:
                answer = await http.get("/readyz")
        await client.aclose()
        assert answer.status_code == 200
        assert answer.json()["status"] == "ready"
        assert {name: part["status"] for name, part in answer.json()["parts"].items()} == {
            "postgres": "ok",
            "redis": "ok",
            "kafka": "ok",
        }
        assert all(0 < part["latency_ms"] < 1000 for part in answer.json()["parts"].values())

    asyncio.run(scenario())


def test_without_redis_and_kafka_it_is_degraded_but_takes_commands(postgres_url: str) -> None:
    async def scenario() -> None:
        client = redis.asyncio.Redis.from_url(f"redis://{NOWHERE}/0")
        async with AsyncConnectionPool[Any](postgres_url, min_size=1, open=False) as pool:
            parts = [
                Part("postgres", lambda: ask_postgres(pool), "nothing can be read or recorded", required=True),
                Part("redis", lambda: ask_redis(client), "sockets are later"),
                Part("kafka", lambda: ask_kafka(NOWHERE), "read models are later"),
            ]
            async with answering(parts) as http:
                answer = await http.get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        assert answer.json()["parts"]["redis"]["effect"] == "sockets are later"
        assert answer.json()["parts"]["kafka"]["error"] == "ConnectionRefusedError"

    asyncio.run(scenario())


def test_without_what_is_required_it_is_unready_yet_alive_and_names_no_host() -> None:
    async def scenario() -> None:
        async with answering([Part("postgres", _unreachable, "nothing can be recorded", required=True)]) as http:
            unready, also, alive = await http.get("/readyz"), await http.get("/healthz"), await http.get("/livez")
        assert (unready.status_code, also.status_code, alive.status_code) == (503, 503, 200)
        assert unready.headers["retry-after"] == "1"
        assert unready.json()["status"] == "unready"
        assert "internal.example" not in unready.text

    asyncio.run(scenario())


def test_whoever_reads_the_metrics_is_told_which_part_is_down() -> None:
    async def scenario() -> None:
        parts = [Part("redis", _unreachable, "later"), Part("postgres", _fine, "never", required=True)]
        async with answering(parts, Metrics()) as http:
            told = (await http.get("/metrics")).text
        assert 'daybook_part_up{part="redis"} 0.0' in told
        assert 'daybook_part_up{part="postgres"} 1.0' in told

    asyncio.run(scenario())


def test_a_part_that_hangs_counts_as_down_after_a_second_and_the_others_are_asked_meanwhile() -> None:
    async def scenario() -> None:
        async with answering([Part("redis", _stuck, "later"), Part("postgres", _fine, "never", required=True)]) as http:
            answer = await http.get("/readyz")
        assert answer.json()["parts"]["redis"]["status"] == "down"
        assert 900 < answer.json()["parts"]["redis"]["latency_ms"] < 2_000
        assert answer.json()["parts"]["postgres"]["status"] == "ok"

    asyncio.run(scenario())


def test_however_many_ask_the_servers_behind_are_asked_once() -> None:
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)

    async def scenario() -> None:
        async with answering([Part("postgres", ask, "never", required=True)]) as http:
            answers = await asyncio.gather(*(http.get("/readyz") for _ in range(40)))
        assert all(answer.status_code == 200 for answer in answers)
        assert asked == 1

    asyncio.run(scenario())


def test_a_read_model_that_is_late_degrades_and_says_by_how_much() -> None:
    @dataclass
    class Measured:
        lags: Mapping[str, Lag]

        async def measure(self) -> Mapping[str, Lag]:
            return self.lags

    late = Measured({"appointments": Lag(3, NINE - timedelta(seconds=42)), "availability": Lag()})

    async def scenario() -> None:
        async with answering([projections_part(late.measure, lambda: NINE)]) as http:
            answer = (await http.get("/readyz")).json()
        assert answer["status"] == "degraded"
        assert answer["parts"]["projections"]["details"] == {
            "appointments": {"behind_facts": 3, "behind_s": 42.0},
            "availability": {"behind_facts": 0, "behind_s": 0.0},
        }

    asyncio.run(scenario())


def test_lag_counts_the_facts_that_a_partition_has_not_applied_not_the_distance_to_the_head(postgres_url: str) -> None:
    quiet = UUID(int=CLINIC.int + 1)

    def append(positions: Sequence[int], organization_id: UUID) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for position in positions:
                state = msgspec.json.encode({"meta": {"org": organization_id, "at": NINE}, "data": {}})
                connection.execute(
                    "INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)"
                    " OVERRIDING SYSTEM VALUE VALUES (%s, %s, 1, 'test.happened.v1', %s)",
                    (position, uuid4(), state),
                )

    async def scenario() -> None:
        projector = Projector(postgres_url, NoHints())
        async with AsyncConnectionPool[Any](postgres_url, min_size=1, open=False) as pool:
            lag = ProjectionLag(pool, ("resource_calendars", "never_built"), PARTITIONS)
            append([1], quiet)
            append([2, 3, 4, 5], CLINIC)
            projector.write([1], TOPIC, organization_id=quiet)
            projector.write([2, 3], TOPIC)
            assert await lag.measure() == {"resource_calendars": Lag(2, NINE)}
            projector.write([4, 5], TOPIC)
            assert await lag.measure() == {"resource_calendars": Lag()}
            append([6], quiet)
            assert await lag.measure() == {"resource_calendars": Lag(1, NINE)}
        projector.close()

    asyncio.run(scenario())


def test_latency_is_told_by_route_template_so_that_ids_do_not_multiply_it() -> None:
    async def scenario() -> str:
        async with answering([]) as http:
            for path in ("/v1/things/1", "/v1/things/2", "/v1/things/gone", "/nowhere/1", "/nowhere/2"):
                await http.get(path)
            await http.request("PROPFIND", "/v1/things/1")
            return (await http.get("/metrics")).text

    told = asyncio.run(scenario())
    series = 'daybook_http_request_seconds_count{{method="{}",route="{}",status="{}"}} {}'
    assert series.format("GET", "/v1/things/{thing_id}", 200, "2.0") in told
    assert series.format("GET", "/v1/things/{thing_id}", 404, "1.0") in told
    assert series.format("GET", "none", 404, "2.0") in told
    assert series.format("other", "/v1/things/{thing_id}", 405, "1.0") in told
    assert "daybook_http_requests_in_flight 1.0" in told  # the scrape itself


def test_what_is_counted_elsewhere_is_read_when_prometheus_asks() -> None:
    tally, fence, gauges = Tally(), Fence(PARTITIONS), Metrics()
    gauges.watch_tally("writer", tally)
    gauges.watch_tally("fence", fence.tally)

    async def scenario() -> str:
        async with answering([], gauges) as http:
            tally.commands, tally.batches, fence.tally.waited_s = 12, 3, 0.25
            return (await http.get("/metrics")).text

    told = asyncio.run(scenario())
    assert "daybook_writer_commands_total 12.0" in told
    assert "daybook_writer_batches_total 3.0" in told
    assert "daybook_fence_waited_seconds_total 0.25" in told


def test_every_cache_tells_how_often_it_helped_and_what_it_takes() -> None:
    gauges = Metrics()
    streams, tokens = (Lru[str, bytes](ENTRY_BYTES + 10, weigh=len) for _ in range(2))
    gauges.watch_caches(streams=streams, tokens=tokens)

    async def scenario() -> str:
        async with answering([], gauges) as http:
            for key in ("a", "b"):
                streams.put(key, bytes(10))
                streams.trim()
                streams.get(key)
            streams.get("a")
            return (await http.get("/metrics")).text

    told = asyncio.run(scenario())
    kept = {"hits_total": 2, "misses_total": 1, "evictions_total": 1, "entries": 1, "bytes": ENTRY_BYTES + 10}
    for name, value in kept.items():
        assert f'daybook_cache_{name}{{cache="streams"}} {float(value)}' in told
        assert f'daybook_cache_{name}{{cache="tokens"}} 0.0' in told
    assert told.count("# TYPE daybook_cache_hits_total") == 1  # a family told twice is refused


def test_the_middleware_costs_microseconds() -> None:
    gauges = Metrics()
    began = time.perf_counter()
    for _ in range(10_000):
        gauges.answered("GET", "/v1/things/{thing_id}", 200, 0.003)
    assert (time.perf_counter() - began) / 10_000 < 50e-6
