"""The ports of passwords and of where their digests are kept."""

from typing import Protocol
from uuid import UUID


class Passwords(Protocol):
    """Slow digests of passwords. Asynchronous, so that they do not hold up anyone else."""

    async def digest(self, password: str) -> str:
        """A new digest, salted, with its parameters in it."""

    async def matches(self, password: str, digest: str | None) -> bool:
        """Whether it is the password. The same work is done where there is no digest, and answers False."""

    def close(self) -> None: ...

    def is_outdated(self, digest: str) -> bool:
        """Whether it was made with less work than is asked for today."""


class Credentials(Protocol):
    """What signs an account in."""

    async def begin(self, account_id: UUID, password_digest: str) -> None:
        """For a new account. Where there is one already, it stays: a repeated sign-up must not reset a password."""

    async def password_digest(self, account_id: UUID) -> str | None: ...

    async def replace(self, account_id: UUID, password_digest: str, *, instead_of: str | None = None) -> None:
        """Another password; or, ``instead_of`` this digest and no other, a better digest of the same."""

    async def forget(self, account_id: UUID) -> None: ...
