"""Problem documents (RFC 9457): how a refusal is told, by its row in ``problem_kinds``."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.anyone import PUBLIC, told_to_anyone
from api.problem_kinds import REJECTIONS, Kind, kind_of
from api.tracing import trace_id_of
from application.slots import Slot
from domain import refusals
from domain.interval import Interval

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1


class Rejected(Exception):  # noqa: N818
    """What the API itself says no to, before any command or query. ``slug`` names its row in ``REJECTIONS``."""

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(slug, detail)
        self.slug = slug
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


class RefusedWithAlternatives(Exception):  # noqa: N818
    """A start that cannot be had, and the next ones that can."""

    def __init__(self, refusal: refusals.Refusal, alternatives: Sequence[Slot]) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.alternatives = alternatives


class RefusedSeries(Exception):  # noqa: N818
    """Occurrences that cannot be had, and the nearest start to each that can, by the start that cannot."""

    def __init__(self, refusal: refusals.SeriesConflicts, nearest: Mapping[datetime, Slot]) -> None:
        super().__init__(refusal)
        self.refusal = refusal
        self.nearest = nearest


def problem_of(refused: refusals.Refusal) -> dict[str, object]:
    """A refusal that is told, not answered: its type and title, and what it knows."""
    kind = kind_of(refused)
    return {"type": f"/problems/{kind.slug}", "title": kind.title, **_facts(refused)}


def told_conflict(conflict: refusals.Conflict, nearest: Mapping[datetime, Slot]) -> dict[str, object]:
    """One occurrence that cannot be had: why, and the nearest start that can, if there is one."""
    return {
        "recurrence_id": conflict.recurrence_id,
        "start": conflict.start,
        "problem": problem_of(conflict.refusal),
        "alternative": nearest.get(conflict.start),
    }


def series_response(request: Request, refused: RefusedSeries) -> Response:
    kind = kind_of(refused.refusal)
    told = [told_conflict(one, refused.nearest) for one in refused.refusal.conflicts]
    return _response(request, kind, kind.title, {"conflicts": told}, _headers(kind))


def refusal_response(request: Request, refused: Exception, alternatives: Sequence[Slot] | None = None) -> Response:
    kind = kind_of(refused)
    extra: dict[str, object] = _facts(refused)
    if alternatives is not None:
        extra["alternatives"] = alternatives
    if request.scope["path"].startswith(PUBLIC):
        extra = told_to_anyone(extra)
    errors = _pointed(refused)
    if errors:
        extra["errors"] = errors
    detail = (
        f"{refused.field}: {refused.reason}" if isinstance(refused, refusals.InvalidValue) else _detail(kind, extra)
    )
    return _response(request, kind, detail, extra, _headers(kind))


def rejection_response(request: Request, rejected: Rejected) -> Response:
    extra: dict[str, object] = {"errors": rejected.errors} if rejected.errors else {}
    kind = REJECTIONS[rejected.slug]
    return _response(request, kind, rejected.detail or kind.title, extra, rejected.headers)


def outage_response(request: Request) -> Response:
    kind = REJECTIONS["unavailable"]
    return _response(request, kind, kind.title, {}, _headers(kind))


def _response(
    request: Request, kind: Kind, detail: str, extra: Mapping[str, object], headers: Mapping[str, str]
) -> Response:
    document = {
        "type": f"/problems/{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": request.url.path,
        "trace_id": trace_id_of(request),
        **extra,
    }
    return Response(msgspec.json.encode(document), kind.status, headers, MEDIA_TYPE)


def _headers(kind: Kind) -> Mapping[str, str]:
    match kind.status:
        case 401 if kind.slug == "client-refused":
            return {"WWW-Authenticate": 'Basic realm="daybook"'}
        case 401 if kind.slug == "link-refused":
            return {"WWW-Authenticate": 'Manage realm="daybook"'}
        case 401:
            return {"WWW-Authenticate": 'Bearer realm="daybook"'}
        case 503:
            return {"Retry-After": str(RETRY_AFTER_S)}
        case 409 if kind.slug == "in-flight":
            return {"Retry-After": str(RETRY_AFTER_S)}
        case _:
            return {}


def _facts(refused: Exception) -> dict[str, object]:
    """What the refusal knows, beside the standard members: never another person's identity, since it has none."""
    if not isinstance(refused, refusals.Refusal):
        return {}
    facts: dict[str, object] = {}
    for field in fields(cast(Any, refused)):  # every Refusal is a dataclass
        facts[_MEMBER.get(field.name, field.name)] = _told(getattr(refused, field.name))
    return facts


def _told(value: object) -> object:
    """A conflict of many as its own problem, under the occurrence that it is about."""
    if isinstance(value, tuple):
        return [_told(one) for one in value]
    return told_conflict(value, {}) if isinstance(value, refusals.Conflict) else value


_MEMBER = {"status": "appointment_status", "kind": "object_kind"}
"""Members whose names RFC 9457 has taken, or that would be read as something else."""


def _pointed(refused: Exception) -> list[dict[str, str]]:
    match refused:
        case refusals.InvalidValue(field, reason):
            return [{"pointer": f"/{field}", "detail": reason}]
        case refusals.HoursOverlap():
            return [{"pointer": "/working_hours", "detail": kind_of(refused).title}]
        case refusals.TooSoon() | refusals.TooFarAhead() | refusals.OffGrid():
            return [{"pointer": "/start", "detail": kind_of(refused).title}]
        case refusals.SessionFull():
            return [{"pointer": "/seats", "detail": kind_of(refused).title}]
        case refusals.ResourceNotSuitable():
            return [{"pointer": "/resource_ids", "detail": kind_of(refused).title}]
        case _:
            return []


def _detail(kind: Kind, facts: Mapping[str, object]) -> str:
    told = ", ".join(f"{name} {_worded(value)}" for name, value in facts.items() if _is_plain(value))
    return f"{kind.title} ({told})" if told else kind.title


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | UUID | date | Interval)


def _worded(value: Any) -> str:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Interval(start, end):
            return f"{start.isoformat()} … {end.isoformat()}"
        case _:
            return str(value)
