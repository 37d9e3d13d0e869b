"""Tokens whose signature was checked once need not be checked again before they end."""

import time

from application.sign_in import AccessTokens, Bearer, InvalidToken

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
