"""Sign-in by an organization's own identity provider: what is on its way, and the ports of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


class OidcRefused(Exception):  # noqa: N818
    """What came back is not what was asked for. ``reason`` is for our log; whoever tried is not told.

    ``subject``: in whose name it was said, unproved as it is.
    """

    def __init__(self, reason: str, *, subject: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.subject = subject


class ProviderUnavailable(Exception):  # noqa: N818
    """The identity provider is away, answers nothing that can be used, or is nowhere that we connect to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Someone is on the way to the provider. ``challenge``: of the program that is to have the ticket."""

    organization_id: UUID
    issuer: str
    client_id: str
    nonce: str
    verifier: str
    return_to: str
    challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom the provider has proved. Only issuer and subject say who it is."""

    issuer: str
    subject: str
    email: str | None = None
    email_verified: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    organization_id: UUID
    challenge: str
    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What the provider is asked for with a code. ``iss_told``: whether the answer named its issuer (RFC 9207)."""

    issuer: str
    client_id: str
    client_secret: str
    code: str
    verifier: str
    nonce: str
    redirect_uri: str
    iss_told: bool


class Attempts(Protocol):
    """Attempts by state and browser, tickets by themselves: each for a short while, each taken once."""

    async def begin(self, state: str, browser: str, attempt: Attempt) -> None: ...

    async def take(self, state: str, browser: str) -> Attempt | None: ...

    async def hand_over(self, token: str, ticket: Ticket) -> None: ...

    async def look(self, token: str) -> Ticket | None: ...

    async def redeem(self, token: str) -> Ticket | None: ...


class IdentityProviders(Protocol):
    """The providers themselves. Both raise ``ProviderUnavailable``."""

    async def authorization_endpoint(self, issuer: str) -> str: ...

    async def identity(self, exchange: Exchange) -> Identity:
        """Raises ``OidcRefused`` too."""


class ClientSecrets(Protocol):
    async def keep(self, organization_id: UUID, version: int, secret: str) -> None:
        """Unless there is a later one."""

    async def secret(self, organization_id: UUID) -> str | None: ...

    async def forget(self, organization_id: UUID, version: int) -> None:
        """What is of this version or before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Oidc:
    """``public_url`` is ours, and all that the redirect URI is made of. ``origins``: whose pages one may return to."""

    attempts: Attempts
    providers: IdentityProviders
    client_secrets: ClientSecrets
    public_url: str
    origins: Sequence[str]

    def redirect_uri(self, organization_id: UUID) -> str:
        """One for each organization: what a provider sends belongs to attempts at this very one (RFC 9700, 4.4)."""
        return f"{self.public_url}/v1/auth/oidc/{organization_id}/callback"
