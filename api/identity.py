"""Bearer token → Actor. Nothing else in a request says who it comes from."""

import time
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from application.sign_in import AccessTokens, Bearer, InvalidToken
from domain.permissions import Actor

VERIFIED_MAX = 20_000


class VerifiedTokens:
    """Checks tokens, and remembers those that were good until they end: a signature costs as much as a decision.

    Bounded: the token that was verified first goes first.
    """

    def __init__(self, tokens: AccessTokens, *, kept_max: int = VERIFIED_MAX) -> None:
        self._tokens = tokens
        self._kept: dict[str, Bearer] = {}
        self._kept_max = kept_max

    def __len__(self) -> int:
        return len(self._kept)

    def bearer(self, token: str) -> Bearer:
        """Raises ``InvalidToken``."""
        known = self._kept.get(token)
        if known is not None:
            if time.time() < known.expires_at:
                return known
            del self._kept[token]
            raise InvalidToken
        verified = self._tokens.verify(token)
        if len(self._kept) >= self._kept_max:
            del self._kept[next(iter(self._kept))]
        self._kept[token] = verified
        return verified


async def actor_of_request(request: Request) -> Actor:
    """Raises ``InvalidToken`` unless the request carries a good bearer token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidToken
    verified: VerifiedTokens = request.app.state.verified_tokens
    return verified.bearer(token.strip()).actor


Identified = Annotated[Actor, Depends(actor_of_request)]
