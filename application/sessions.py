"""Sign-ins that last: the port of sessions, and of the long-lived tokens by which they go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.access import SessionEnding, SignInMethod
from domain.permissions import Actor


class RefreshRefused(Exception):  # noqa: N818
    """The refresh token is unknown, expired, revoked, or was used before (then its whole family is now revoked).

    ``reused``: the session whose token came a second time, and so has just been ended.
    """

    def __init__(self, reused: "Session | None" = None) -> None:
        super().__init__(reused)
        self.reused = reused


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in that lasts: a family of refresh tokens, each of which descends from the one before."""

    id: UUID
    account_id: UUID
    method: SignInMethod


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
