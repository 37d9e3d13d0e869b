"""Health: is the process alive, and may it be sent traffic. Only what it cannot do without makes it unready."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec
import structlog
from fastapi import APIRouter
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response

ANSWER_WITHIN_S = 1.0
KEPT_FOR_S = 0.5
"""An answer is good for so long: these addresses are open to everyone, the servers behind them are not."""
LAG_MAX_S = 10.0

_log = structlog.get_logger(__name__)
router = APIRouter()

Status = Literal["ok", "degraded", "down"]


class PartReport(msgspec.Struct, omit_defaults=True):
    """``effect``: what the loss of the part means for clients."""

    status: Status
    latency_ms: float
    error: str | None = None
    effect: str | None = None
    details: Mapping[str, Any] | None = None


class Report(msgspec.Struct):
    status: Literal["ready", "degraded", "unready"]
    parts: dict[str, PartReport]


class Degraded(Exception):  # noqa: N818
    """The part answers, and not well enough; ``details`` say why."""

    def __init__(self, details: Mapping[str, Any]) -> None:
        super().__init__(details)
        self.details = details


@dataclass(frozen=True, slots=True)
class Part:
    """``ask`` returns details or None, raises ``Degraded``, or raises whatever the part's client raises."""

    name: str
    ask: Callable[[], Awaitable[Mapping[str, Any] | None]]
    effect: str
    required: bool = False


class Behind(Protocol):
    @property
    def facts(self) -> int: ...

    @property
    def oldest_at(self) -> datetime | None: ...


def projections_part(measure: Callable[[], Awaitable[Mapping[str, Behind]]], now: Callable[[], datetime]) -> Part:
    """The part "projections": degraded when a read model misses a fact that is older than ``LAG_MAX_S``."""

    async def ask() -> Mapping[str, Any]:
        details, late = {}, False
        for sink, lag in (await measure()).items():
            age_s = max(0.0, (now() - lag.oldest_at).total_seconds()) if lag.oldest_at else 0.0
            details[sink] = {"behind_facts": lag.facts, "behind_s": round(age_s, 3)}
            late = late or age_s > LAG_MAX_S
        if late:
            raise Degraded(details)
        return details

    return Part("projections", ask, effect="queries and sockets are late; commands are not affected")


@dataclass(slots=True)
class Health:
    parts: Sequence[Part]
    _report: Report | None = None
    _reported_at: float = 0.0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def report(self) -> Report:
        """All parts are asked at once; who asks in the meantime gets the same answer."""
        async with self._asking:
            if self._report is None or time.monotonic() - self._reported_at > KEPT_FOR_S:
                asked = await asyncio.gather(*(_ask(part) for part in self.parts))
                self._report = self._summed_up(asked)
                self._reported_at = time.monotonic()
            return self._report

    def reading(self) -> Iterator[Metric]:
        """The parts as they were found last: whoever shows the metrics has them asked first."""
        up = GaugeMetricFamily("daybook_part_up", "1 where a server that is needed answers well", labels=["part"])
        for name, found in (self._report.parts if self._report else {}).items():
            up.add_metric([name], found.status == "ok")
        yield up

    def _summed_up(self, asked: Sequence[PartReport]) -> Report:
        reports = {part.name: report for part, report in zip(self.parts, asked, strict=True)}
        if any(part.required and reports[part.name].status == "down" for part in self.parts):
            return Report("unready", reports)
        return Report("ready" if all(report.status == "ok" for report in asked) else "degraded", reports)


async def _ask(part: Part) -> PartReport:
    began = time.perf_counter()

    def report(status: Status, details: Mapping[str, Any] | None, error: str | None = None) -> PartReport:
        latency_ms = round((time.perf_counter() - began) * 1e3, 2)
        return PartReport(status, latency_ms, error, None if status == "ok" else part.effect, details)

    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            details = await part.ask()
    except Degraded as degraded:
        return report("degraded", degraded.details)
    except Exception as error:  # noqa: BLE001  whatever a client raises, the answer is that its server is down
        # The kind of error only: its message names hosts, and anyone may ask.
        _log.warning("health.part_down", part=part.name, error=repr(error))
        return report("down", None, type(error).__name__)
    return report("ok", details)


def _health_of(request: Request) -> Health:
    health: Health = request.app.state.health
    return health


@router.get("/livez", operation_id="livez", tags=["operation"], summary="Is the process alive?")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


async def readiness(request: Request) -> Response:
    """200 when commands can be taken, even if some part is down (``degraded`` says which); 503 when they cannot."""
    report = await _health_of(request).report()
    status, headers = (503, {"Retry-After": "1"}) if report.status == "unready" else (200, {})
    headers["Cache-Control"] = "no-store"
    return Response(msgspec.json.encode(report), status, headers, "application/json")


_UNREADY: dict[int | str, dict[str, Any]] = {503: {"description": "Something that is needed does not answer."}}
for _path in ("/healthz", "/readyz"):
    router.add_api_route(
        _path, readiness, operation_id=_path[1:], tags=["operation"], responses=_UNREADY, response_class=Response
    )
