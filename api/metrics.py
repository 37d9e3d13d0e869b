"""Prometheus metrics. The hot path pays for one observation; all else is read where it is counted, when asked."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import Any, Protocol

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from application.lru import CacheTally

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
NO_ROUTE = "none"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

router = APIRouter()

COUNTED_OF_CACHES = {
    "hits": "What was asked for and there",
    "misses": "What was asked for and not there",
    "evictions": "What was let go for want of room",
}

Reading = Callable[[], Iterable[Metric]]


class Cache(Protocol):
    """What ``application.lru.Lru`` tells of itself."""

    @property
    def tally(self) -> CacheTally: ...

    @property
    def bytes(self) -> int: ...

    def __len__(self) -> int: ...


class Metrics(Collector):
    """What this process tells Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.in_flight = 0
        self._latency = Histogram(
            "daybook_http_request_seconds",
            "Time from request to the end of the answer",
            ["method", "route", "status"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        # Labels are looked up under a lock and as text; a dictionary of ours is a tenth of the cost.
        self._children: dict[tuple[str, str, int], Histogram] = {}
        self._readings: list[Reading] = [
            lambda: [GaugeMetricFamily("daybook_http_requests_in_flight", "Requests being answered", self.in_flight)]
        ]
        self._caches: dict[str, Cache] = {}
        self.watch(self._read_caches)
        self.registry.register(self)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method if method in METHODS else "other", route, status)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._latency.labels(key[0], route, str(status))
        child.observe(seconds)

    def watch(self, reading: Reading) -> None:
        """Ask ``reading`` at every scrape."""
        self._readings.append(reading)

    def watch_tally(self, name: str, tally: Any) -> None:
        """A counter ``daybook_{name}_{field}_total`` for each number of a dataclass that only counts up."""
        meaning = (type(tally).__doc__ or name).strip().splitlines()[0]

        def reading() -> Iterator[Metric]:
            for counted in fields(tally):
                value = getattr(tally, counted.name)
                yield CounterMetricFamily(f"daybook_{name}_{_unit(counted.name)}", meaning, value)

        self.watch(reading)

    def watch_caches(self, **caches: Cache) -> None:
        """Show what is asked of each and what it keeps, as ``daybook_cache_…{cache="name"}``."""
        self._caches |= caches

    def collect(self) -> Iterator[Metric]:
        for reading in self._readings:
            yield from reading()

    def _read_caches(self) -> Iterator[Metric]:
        """One family for all caches: a name is told only once."""
        for counted, meaning in COUNTED_OF_CACHES.items():
            counter = CounterMetricFamily(f"daybook_cache_{counted}", meaning, labels=["cache"])
            for name, cache in self._caches.items():
                counter.add_metric([name], getattr(cache.tally, counted))
            yield counter
        kept = GaugeMetricFamily("daybook_cache_entries", "What is kept now", labels=["cache"])
        size = GaugeMetricFamily("daybook_cache_bytes", "An estimate of what that takes", labels=["cache"])
        for name, cache in self._caches.items():
            kept.add_metric([name], len(cache))
            size.add_metric([name], cache.bytes)
        yield from (kept, size)

    def describe(self) -> Iterable[Metric]:
        return ()  # or the registry would collect at registration, before anything is there to be read


def _unit(field_name: str) -> str:
    """Prometheus spells units out."""
    return f"{field_name.removesuffix('_s')}_seconds" if field_name.endswith("_s") else field_name


def route_template(scope: Scope) -> str:
    """The path as it was declared, with its placeholders; never the path that came, of which there is no end."""
    return getattr(scope.get("route"), "path_format", NO_ROUTE)


@router.get("/metrics", operation_id="metrics", tags=["operation"], response_class=Response)
async def read_metrics(request: Request) -> Response:
    """Prometheus text format."""
    await request.app.state.health.report()
    metrics: Metrics = request.app.state.metrics
    return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)
