"""Tokens whose signature was checked once need not be checked again before they end."""

import time
from collections.abc import Callable

from application.lru import Lru
from application.sign_in import AccessTokens, Bearer, InvalidToken
from domain.permissions import Actor

TOKENS_BYTES_MAX = 16 * 2**20
TOKEN_BYTES = 850
"""A token of ours and what it says, measured with ``tracemalloc``; all are of one length, more or less."""


class VerifiedTokens:
    """Checks tokens, and remembers those that were good until they end: a signature costs as much as a decision.

    ``ensure_goes_on`` is asked at every use whether the session of the token still does.
    """

    def __init__(
        self, tokens: AccessTokens, ensure_goes_on: Callable[[Actor], None], *, bytes_max: int = TOKENS_BYTES_MAX
    ) -> None:
        self.kept: Lru[str, Bearer] = Lru(bytes_max, lambda _: TOKEN_BYTES)
        self._tokens = tokens
        self._ensure_goes_on = ensure_goes_on

    def bearer(self, token: str) -> Bearer:
        """Raises ``InvalidToken`` (``SessionOver`` among them), ``SessionsUnknown``."""
        bearer = self.kept.get(token)
        if bearer is None:
            bearer = self._tokens.verify(token)
            self.kept.put(token, bearer)
            self.kept.trim()
        elif time.time() >= bearer.expires_at:
            self.kept.drop(token)
            raise InvalidToken
        self._ensure_goes_on(bearer.actor)
        return bearer
