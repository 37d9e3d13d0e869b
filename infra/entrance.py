"""How one gets into ``daybook serve``, and stays out once one's session is over: tokens, sessions, keys of programs."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from adapters.api_keys import PostgresApiKeys
from adapters.session_hints import RedisSessionHints
from adapters.sessions import PostgresEndings, PostgresSessions
from adapters.tokens import SignedTokens
from api.verified_tokens import VerifiedTokens
from application.ended_sessions import EndedSessions, SessionsUnavailable
from infra.settings import Settings, SettingsError, needed, variable

TOKENS_SHARE = 1 / 12
"""Of what may be kept in memory: tokens that were verified."""

Pool = AsyncConnectionPool[Any]


@dataclass(frozen=True, slots=True)
class Entrance:
    """``beside``: what has to run as long as anyone is let in."""

    tokens: SignedTokens
    verified: VerifiedTokens
    sessions: PostgresSessions
    api_keys: PostgresApiKeys
    ended: EndedSessions
    beside: Sequence[Callable[[], Coroutine[Any, Any, None]]]


async def entrance_of(settings: Settings, redis_url: str, people: Pool, endings: Pool) -> Entrance:
    """``endings``: a pool that nothing else is in the way of.

    Raises ``SettingsError``, ``psycopg.OperationalError``.
    """
    tokens, ended, hints = tokens_of(settings), EndedSessions(PostgresEndings(endings)), RedisSessionHints(redis_url)
    try:
        await ended.look()  # nobody may be let in before it is known who has signed out
    except (SessionsUnavailable, TimeoutError) as unavailable:
        raise psycopg.OperationalError("which sessions have ended cannot be read") from unavailable

    async def announce() -> None:
        ended.wake()  # ourselves, whether or not Redis is there
        await hints.announce()

    secret = needed(settings.digest_secret, "digest_secret").get_secret_value().encode()
    tokens_bytes = round(TOKENS_SHARE * settings.cache_mb * 2**20)
    return Entrance(
        tokens=tokens,
        verified=VerifiedTokens(tokens, ended.ensure_goes_on, bytes_max=tokens_bytes),
        sessions=PostgresSessions(people, secret=secret, announce=announce),
        api_keys=PostgresApiKeys(people),
        ended=ended,
        beside=(ended.run, lambda: hints.run(ended.wake)),
    )


def tokens_of(settings: Settings) -> SignedTokens:
    """Raises ``SettingsError``."""
    seed = needed(settings.signing_key, "signing_key").get_secret_value()
    old = [one.get_secret_value() for one in settings.signing_keys_old]
    try:
        return SignedTokens(seed, issuer=settings.public_url.rstrip("/"), old_seeds=old)
    except ValueError as wrong:
        raise SettingsError(f"{variable('signing_keys_old')}: {wrong}") from None
