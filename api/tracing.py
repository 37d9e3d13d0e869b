"""W3C trace context: the caller's trace goes on in every fact, or a new one begins."""

import re
import secrets
from typing import cast

from starlette.requests import HTTPConnection

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SCOPE_KEY = "daybook.traceparent"


def traceparent_of(connection: HTTPConnection) -> str:
    """The request's ``traceparent``; one is made, once, if it has none or a malformed one."""
    known = connection.scope.get(_SCOPE_KEY)
    if known is None:
        given = connection.headers.get("traceparent")
        # What fits is passed on and recorded for ever, so nothing else may.
        known = given if given is not None and _TRACEPARENT.fullmatch(given) else _new()
        connection.scope[_SCOPE_KEY] = known
    return cast(str, known)


def _new() -> str:
    digits = secrets.token_hex(24)
    return f"00-{digits[:32]}-{digits[32:]}-01"


def trace_id_of(connection: HTTPConnection) -> str:
    return traceparent_of(connection)[3:35]
