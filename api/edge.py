"""The outermost layer: no request above the limits, safe headers on every answer, no error that says too much; and how
long it all took.
"""

import time
import traceback
from collections.abc import Iterable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.cross_origin import ForeignOrigin, Origins
from api.limits import RateLimits
from api.metrics import Metrics, route_template
from api.problems import Rejected, rejection_response
from api.safe_headers import PAGES, SAFE_HEADERS, Header, with_policy_of
from api.tracing import trace_id_of

BODY_BYTES_MAX = 1024 * 1024
ADDRESS_BYTES_MAX = 8 * 1024
"""Of path and query together."""
HEADERS_MAX = 100
CAUSES_MAX, FRAMES_MAX = 5, 12

_log = structlog.get_logger(__name__)


class BodyTooLarge(HTTPException):
    """Raised where the body is read; FastAPI lets this type pass."""

    def __init__(self) -> None:
        super().__init__(413)


class Edge:
    """Pure ASGI middleware, and the only one: every layer more is a wrapper around each message."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, limits: RateLimits | None = None, origins: Origins | None = None
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._limits = limits
        self._origins = origins or Origins()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, page = None, None
        origin, declared = _origin_and_length(scope)

        async def safely(message: Message) -> None:
            nonlocal status, page
            if message["type"] == "http.response.start":
                status = message["status"]
                told = self._limits.headers(scope) if self._limits else ()
                message["headers"] = _safe(message["headers"], told, self._origins.answer(origin))
                if scope["path"].startswith(PAGES):
                    page = message  # until what is in it is known
                    return
            elif page is not None:
                page["headers"] = with_policy_of(message.get("body", b""), page["headers"])
                await send(page)
                page = None
            await send(message)

        began = time.perf_counter()
        self._metrics.in_flight += 1
        try:
            answer = self._at_once(scope)
            if answer is None:
                await self._app(scope, _capped(declared, receive), safely)
            else:
                await answer(scope, receive, safely)
        except Exception as error:  # noqa: BLE001  whatever it is: it is logged, and answered in general words
            _log.error(
                "request.failed", route=route_template(scope), trace_id=trace_id_of(Request(scope)), **_traced(error)
            )
            if status is not None:
                return  # the server closes what was begun and not ended
            rejected = Rejected("internal-error", "It was logged under this trace_id.")
            await rejection_response(Request(scope), rejected)(scope, receive, safely)
        finally:
            self._metrics.in_flight -= 1
            seconds = time.perf_counter() - began
            self._metrics.answered(scope["method"], route_template(scope), status or 500, seconds)

    def _at_once(self, scope: Scope) -> Response | None:
        """The answer to what goes no further than here."""
        try:
            if self._limits is not None:
                self._limits.arrived(scope)
            _ensure_moderate(scope)
            if scope["method"] == "OPTIONS":
                told = self._origins.preflight(scope)
                if told is not None:
                    return Response(status_code=204, headers={name.decode(): value.decode() for name, value in told})
        except ForeignOrigin:
            return rejection_response(Request(scope), Rejected("origin-not-allowed", ""))
        except Rejected as rejected:
            return rejection_response(Request(scope), rejected)
        return None


def _traced(error: BaseException) -> dict[str, object]:
    """What failed and where. Not the error's words nor the path: a server's may quote a name, a link is a secret."""
    kinds: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(kinds) < CAUSES_MAX:
        kinds.append(type(cause).__qualname__)
        cause = cause.__cause__ or cause.__context__
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    return {"error": " < ".join(kinds), "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]}


def _origin_and_length(scope: Scope) -> tuple[bytes | None, bytes]:
    """In one pass: of most requests neither is asked again."""
    origin, declared = None, b"0"
    for name, value in scope["headers"]:
        if name == b"origin":
            origin = value
        elif name == b"content-length":
            declared = value
    return origin, declared


def _ensure_moderate(scope: Scope) -> None:
    """Raises ``Rejected``. How long the headers are together is bounded where they are read."""
    if len(scope["headers"]) > HEADERS_MAX:
        raise Rejected("headers-too-large", f"A request has at most {HEADERS_MAX} headers.")
    if len(scope["query_string"]) + len(scope["path"]) > ADDRESS_BYTES_MAX:
        raise Rejected("address-too-long", f"Path and query have at most {ADDRESS_BYTES_MAX} bytes.")


def _capped(declared: bytes, receive: Receive) -> Receive:
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


def _safe(given: Iterable[Header], *more: Iterable[Header]) -> list[Header]:
    """The headers, and those of ours that are not among them. ASGI writes names in lower case."""
    headers = list(given)
    names = {name for name, _ in headers}
    headers += [header for header in SAFE_HEADERS if header[0] not in names]
    for ours in more:
        headers += ours
    return headers
