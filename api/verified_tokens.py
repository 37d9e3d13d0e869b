"""Tokens whose signature was checked once need not be checked again before they end."""

import time

from application.lru import Lru
from application.sign_in import AccessTokens, Bearer, InvalidToken

TOKENS_BYTES_MAX = 16 * 2**20
TOKEN_BYTES = 850
"""A token of ours and what it says, measured with ``tracemalloc``; all are of one length, more or less."""


class VerifiedTokens:
    """Checks tokens, and remembers those that were good until they end: a signature costs as much as a decision."""

    def __init__(self, tokens: AccessTokens, *, bytes_max: int = TOKENS_BYTES_MAX) -> None:
        self.kept: Lru[str, Bearer] = Lru(bytes_max, lambda _: TOKEN_BYTES)
        self._tokens = tokens

    def bearer(self, token: str) -> Bearer:
        """Raises ``InvalidToken``."""
        known = self.kept.get(token)
        if known is not None:
            if time.time() < known.expires_at:
                return known
            self.kept.drop(token)
            raise InvalidToken
        verified = self._tokens.verify(token)
        self.kept.put(token, verified)
        self.kept.trim()
        return verified
