"""Who is at the door: the ports of passwords, credentials and tokens, and the moves that use them.

No fact tells of these: a password's digest and a refresh token are secrets that must be forgettable, and an
access token is true by its signature alone.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID, uuid5

from application.decision import evolved
from application.journal import Journal
from domain.access import SessionEnding, SignInMethod
from domain.account import Account, SignInName
from domain.permissions import Actor

A = TypeVar("A", Account, SignInName)

SIGN_IN_NAMES = UUID("5f7c1f1e-0b1c-4f0e-9f55-0a6f3a1c7d10")
"""The namespace of the streams of sign-in names."""


class SignInRefused(Exception):  # noqa: N818
    """Address or password is wrong; which of them is not said."""


class RefreshRefused(Exception):  # noqa: N818
    """The refresh token is unknown, expired, revoked, or was used before (then its whole family is now revoked).

    ``reused``: the session whose token came a second time, and so has just been ended.
    """

    def __init__(self, reused: "Session | None" = None) -> None:
        super().__init__(reused)
        self.reused = reused


class InvalidToken(Exception):  # noqa: N818
    """The access token was not issued by this Daybook, not for it, or is over."""


class Passwords(Protocol):
    """Slow digests of passwords. Asynchronous, so that they do not hold up anyone else."""

    async def digest(self, password: str) -> str:
        """A new digest, salted, with its parameters in it."""

    async def matches(self, password: str, digest: str | None) -> bool:
        """Whether it is the password. The same work is done where there is no digest, and answers False."""


class Credentials(Protocol):
    """What signs an account in."""

    async def begin(self, account_id: UUID, password_digest: str) -> None:
        """For a new account. Where there is one already, it stays: a repeated sign-up must not reset a password."""

    async def password_digest(self, account_id: UUID) -> str | None: ...

    async def forget(self, account_id: UUID) -> None: ...


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that lasts: a family of refresh tokens, each of which descends from the one before."""

    id: UUID
    account_id: UUID


@dataclass(frozen=True, slots=True)
class OpenSession:
    """As its owner may see it. Not from where: an address or a browser would be personal data that nobody needs."""

    id: UUID
    method: SignInMethod
    begun_at: datetime
    used_at: datetime
    expires_at: datetime


class Sessions(Protocol):
    """Sign-ins, and their long-lived tokens, each good for one use."""

    async def begin(self, actor: Actor, method: SignInMethod) -> tuple[Session, str]:
        """A new session and its first refresh token."""

    async def open(self, account_id: UUID) -> Sequence[OpenSession]:
        """Those of an account that go on, in the order of their beginning; a bounded number."""

    async def rotate(self, refresh_token: str, *, retry_key: str | None = None) -> tuple[Session, str]:
        """Use a token up and answer its successor. Raises ``RefreshRefused``.

        A token that comes a second time was stolen, by then or by now: the session ends. Except with the
        ``retry_key`` of its first use, soon after it and before the successor was used: then the answer was lost, and
        is given again.
        """

    async def end(self, account_id: UUID, session_id: UUID, *, because: SessionEnding = SessionEnding.REVOKED) -> bool:
        """Whether there was such a session of this account, and it ends now."""

    async def end_all(
        self, account_id: UUID, *, but: UUID | None = None, because: SessionEnding = SessionEnding.REVOKED
    ) -> Sequence[UUID]:
        """End every session of the account, except ``but``; those that end now."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """A verified access token: who it speaks for, and until when (seconds since 1970)."""

    actor: Actor
    expires_at: float


class AccessTokens(Protocol):
    """Short-lived signed tokens. Synchronous; always in real time, whatever clock the bookings follow."""

    lifetime_s: int

    def issue(self, actor: Actor) -> str: ...

    def verify(self, token: str) -> Bearer:
        """Raises ``InvalidToken``."""

    def verifying_keys(self) -> Sequence[Mapping[str, str]]:
        """The public keys by which anyone can check a token, each a JWK (RFC 7517)."""


@dataclass(frozen=True, slots=True)
class Door:
    """All that signing in needs. ``secret`` keys the digests of e-mail addresses."""

    journal: Journal
    passwords: Passwords
    credentials: Credentials
    sessions: Sessions
    access_tokens: AccessTokens
    secret: bytes


def sign_in_name_id(secret: bytes, email: str) -> UUID:
    """The stream of an e-mail address: a keyed digest, so that the journal does not give addresses away."""
    digest = hmac.new(secret, email.strip().casefold().encode(), hashlib.sha256)
    return uuid5(SIGN_IN_NAMES, digest.hexdigest())


async def sign_in(door: Door, email: str, password: str) -> tuple[Actor, str]:
    """Who it is, and the first refresh token. Raises ``SignInRefused``."""
    name = await _state(door.journal, SignInName, sign_in_name_id(door.secret, email))
    digest = await door.credentials.password_digest(name.account_id) if name else None
    # The password is digested even where there is no account: the time taken must not tell.
    if not await door.passwords.matches(password, digest) or name is None:
        raise SignInRefused
    actor = await actor_of(door.journal, name.account_id)
    if actor is None:
        raise SignInRefused
    session, token = await door.sessions.begin(actor, SignInMethod.PASSWORD)
    return replace(actor, session_id=session.id), token


async def refresh(door: Door, refresh_token: str, *, retry_key: str | None = None) -> tuple[Actor, str]:
    """Who it is, with the role of today, and the next refresh token. Raises ``RefreshRefused``."""
    session, successor = await door.sessions.rotate(refresh_token, retry_key=retry_key)
    actor = await actor_of(door.journal, session.account_id)
    if actor is None:
        raise RefreshRefused
    return replace(actor, session_id=session.id), successor


async def account_of_name(journal: Journal, name_id: UUID) -> UUID | None:
    """The account that a sign-in name signs in to."""
    name = await _state(journal, SignInName, name_id)
    return name.account_id if name else None


async def actor_of(journal: Journal, account_id: UUID) -> Actor | None:
    """The account as an actor, as it is now; None if there is none."""
    account = await _state(journal, Account, account_id)
    if account is None:
        return None
    return Actor(
        account_id=account.id,
        organization_id=account.organization_id,
        subject_id=account.subject_id,
        role=account.role,
        resource_ids=frozenset(account.resource_ids) if account.resource_ids else None,
    )


async def _state(journal: Journal, kind: type[A], stream_id: UUID) -> A | None:
    state = None
    for recorded in (await journal.load((stream_id,))).get(stream_id, ()):
        state = evolved(state, recorded.fact)
    return state if isinstance(state, kind) else None
