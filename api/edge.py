"""The outermost layer: no body above the limit, safe headers on every answer, and no error that says too much."""

from collections.abc import MutableMapping
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

_log = structlog.get_logger(__name__)


class BodyTooLarge(HTTPException):
    """Raised where the body is read; FastAPI lets this type pass."""

    def __init__(self) -> None:
        super().__init__(413)


class Edge:
    """Pure ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def safely(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _add_safe_headers(message)
            await send(message)

        try:
            await self._app(scope, _capped(scope, receive), safely)
        except Exception:
            _log.exception("request.failed", path=scope["path"], trace_id=trace_id_of(Request(scope)))
            if started:
                raise
            rejected = Rejected("internal-error", "It was logged under this trace_id.")
            await rejection_response(Request(scope), rejected)(scope, receive, safely)


def _capped(scope: Scope, receive: Receive) -> Receive:
    declared = Headers(scope=scope).get("content-length", "0")
    left = BODY_BYTES_MAX

    async def capped() -> Message:
        nonlocal left
        if declared.isdecimal() and int(declared) > BODY_BYTES_MAX:
            raise BodyTooLarge  # before a byte of it is read
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise BodyTooLarge
        return message

    return capped


def _add_safe_headers(message: MutableMapping[str, Any]) -> None:
    headers = list(message["headers"])
    present = {name.lower() for name, _ in headers}
    headers.extend(header for header in SAFE_HEADERS if header[0] not in present)
    message["headers"] = headers
