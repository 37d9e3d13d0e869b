"""The outermost layer: no body above the limit, safe headers on every answer, no error that says too much; and how
long it all took.
"""

import time
from collections.abc import Iterable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics, route_template
from api.problems import Rejected, rejection_response
from api.tracing import trace_id_of

BODY_BYTES_MAX = 1024 * 1024
SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)

Header = tuple[bytes, bytes]

_log = structlog.get_logger(__name__)


class BodyTooLarge(HTTPException):
    """Raised where the body is read; FastAPI lets this type pass."""

    def __init__(self) -> None:
        super().__init__(413)


class Edge:
    """Pure ASGI middleware, and the only one: every layer more is a wrapper around each message."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = None

        async def safely(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _safe(message["headers"])
            await send(message)

        began = time.perf_counter()
        self._metrics.in_flight += 1
        try:
            await self._app(scope, _capped(scope, receive), safely)
        except Exception:
            _log.exception("request.failed", path=scope["path"], trace_id=trace_id_of(Request(scope)))
            if status is not None:
                raise
            rejected = Rejected("internal-error", "It was logged under this trace_id.")
            await rejection_response(Request(scope), rejected)(scope, receive, safely)
        finally:
            self._metrics.in_flight -= 1
            seconds = time.perf_counter() - began
            self._metrics.answered(scope["method"], route_template(scope), status or 500, seconds)


def _capped(scope: Scope, receive: Receive) -> Receive:
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    left = BODY_BYTES_MAX

    async def capped() -> Message:
        nonlocal left
        if declared.isdigit() and int(declared) > BODY_BYTES_MAX:
            raise BodyTooLarge  # before a byte of it is read
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise BodyTooLarge
        return message

    return capped


def _safe(headers: Iterable[Header]) -> list[Header]:
    """The headers, and those of ours that are not among them. ASGI writes names in lower case."""
    given = list(headers)
    names = {name for name, _ in given}
    return [*given, *[header for header in SAFE_HEADERS if header[0] not in names]]
