"""Which pages of other origins a browser lets read our answers: those of the list, and none else (Fetch, CORS).

Never ``*``: the answers are for whoever signed in. Only browsers send an ``Origin``; no other client is asked for one.
"""

from collections.abc import Iterable
from typing import Final

from starlette.types import Scope

from api.safe_headers import Header

METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE"
SENT: Final = b"authorization, content-type, idempotency-key, if-match, if-none-match, journal-position, traceparent"
SHOWN: Final = b"ETag, Idempotent-Replay, Journal-Position, Location, RateLimit, RateLimit-Policy, Retry-After"
REMEMBERED_S: Final = b"600"
_VARIES: Final = (b"vary", b"Origin")


class Origins:
    """``allowed``: scheme, host and port as a browser writes them."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allowed = frozenset(origin.encode() for origin in allowed)

    def answer(self, origin: bytes | None) -> tuple[Header, ...]:
        """What an answer says to a page of this origin. With credentials: the device cookie of a sign-in is one."""
        if not self.allowed:
            return ()
        if origin not in self.allowed or origin is None:
            return (_VARIES,)
        return (
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", SHOWN),
            _VARIES,
        )

    def preflight(self, scope: Scope) -> tuple[Header, ...] | None:
        """What a browser that asks first is told besides; None if this is no such question.

        Raises ``ForeignOrigin``.
        """
        asked = dict(scope["headers"])
        if b"access-control-request-method" not in asked or b"origin" not in asked:
            return None
        if asked[b"origin"] not in self.allowed:
            raise ForeignOrigin
        return (
            (b"access-control-allow-methods", METHODS),
            (b"access-control-allow-headers", SENT),
            (b"access-control-max-age", REMEMBERED_S),
        )


class ForeignOrigin(Exception):  # noqa: N818
    """The page that asks is none of ours."""
