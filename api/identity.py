"""Bearer token → Actor. Nothing else in a request says who it comes from."""

from starlette.requests import Request

from api.ports import ports_of
from application.sign_in import InvalidToken
from domain.permissions import Actor


def actor_of_request(request: Request) -> Actor:
    """Raises ``InvalidToken`` unless the request carries a good bearer token; ``TooManyRequests``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken
    ports = ports_of(request)
    actor = ports.verified.bearer(token.strip()).actor
    ports.limits.admitted(request.scope, actor)
    return actor
