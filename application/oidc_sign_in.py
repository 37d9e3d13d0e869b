"""Sign-in by an organization's own identity provider: to it, back from it, and a ticket for whoever came back.

OpenID Connect Core 1.0, the code flow, with PKCE (RFC 7636) towards the provider and, of the same kind, towards the
program that began: the ticket is good for nobody else. What is on its way is kept here and not in the browser, for
minutes, and used once.
"""

import hashlib
import hmac
import logging
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID, uuid5

from application.decision import evolved
from application.journal import Journal
from application.oidc import Attempt, Exchange, Identity, Oidc, OidcRefused, Ticket
from application.sign_in import Door, note_refused_identity
from domain.identity_provider import ExternalIdentity, IdentityProvider, identity_provider_id
from domain.refusals import InvalidValue, NotFound

EXTERNAL_IDENTITIES = UUID("0c3c3f5e-58a3-4a6c-9a3b-6f0d9b1f7e52")
"""The namespace of the streams of external identities."""
RANDOM_BYTES = 32
RETURN_TO_CHARS_MAX = 2_000
CODE_CHARS_MAX = 4_096

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it is to be known by when it comes back."""

    url: str
    browser: str


async def begin(oidc: Oidc, journal: Journal, organization_id: UUID, return_to: str, challenge: str) -> Begun:
    """Raises ``NotFound``, ``InvalidValue``, ``ProviderUnavailable``."""
    _ensure_ours(return_to, oidc.origins)
    provider = await provider_of(journal, organization_id)
    if provider is None:
        raise NotFound("identity_provider", organization_id)
    endpoint = await oidc.providers.authorization_endpoint(provider.issuer)
    state, browser, nonce, verifier = (_random() for _ in range(4))
    attempt = Attempt(
        organization_id=organization_id,
        issuer=provider.issuer,
        client_id=provider.client_id,
        nonce=nonce,
        verifier=verifier,
        return_to=return_to,
        challenge=challenge,
    )
    await oidc.attempts.begin(state, browser, attempt)
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": oidc.redirect_uri(organization_id),
        "scope": "openid email profile",
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    return Begun(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}", browser)


async def returned(
    oidc: Oidc, door: Door, organization_id: UUID, came: Mapping[str, str], browser: str | None
) -> tuple[str, str]:
    """Where to go on to, and the ticket. ``came``: what the provider gave the browser along.

    Raises ``OidcRefused``, ``ProviderUnavailable``.
    """
    attempt = await oidc.attempts.take(came.get("state", ""), browser) if browser else None
    if attempt is None:
        await _refused(door, OidcRefused("state"), None)
        raise OidcRefused("state")
    try:
        identity = await _proved(oidc, door, organization_id, attempt, came)
    except OidcRefused as refused:
        await _refused(door, refused, attempt)
        raise
    token = _random()
    ticket = Ticket(organization_id=organization_id, challenge=attempt.challenge, identity=identity)
    await oidc.attempts.hand_over(token, ticket)
    return attempt.return_to, token


async def _proved(oidc: Oidc, door: Door, organization_id: UUID, attempt: Attempt, came: Mapping[str, str]) -> Identity:
    if attempt.organization_id != organization_id or came.get("iss", attempt.issuer) != attempt.issuer:
        raise OidcRefused("mix_up")
    if "error" in came or not 0 < len(came.get("code", "")) <= CODE_CHARS_MAX:
        raise OidcRefused("no_code")
    provider = await provider_of(door.journal, organization_id)
    client_secret = await oidc.client_secrets.secret(organization_id)
    if provider is None or client_secret is None:
        raise OidcRefused("no_provider")
    if (provider.issuer, provider.client_id) != (attempt.issuer, attempt.client_id):
        raise OidcRefused("another_provider")
    return await oidc.providers.identity(
        Exchange(
            issuer=provider.issuer,
            client_id=provider.client_id,
            client_secret=client_secret,
            code=came["code"],
            verifier=attempt.verifier,
            nonce=attempt.nonce,
            redirect_uri=oidc.redirect_uri(organization_id),
            iss_told="iss" in came,
        )
    )


async def _refused(door: Door, refused: OidcRefused, attempt: Attempt | None) -> None:
    _log.info("a sign-in by an identity provider was refused: %s", refused.reason)
    identity_id = None
    if attempt and refused.subject:
        identity_id = external_identity_id(door.secret, attempt.organization_id, attempt.issuer, refused.subject)
    await note_refused_identity(door, identity_id)


async def holder(oidc: Oidc, journal: Journal, token: str, verifier: str, *, use: bool) -> Ticket | None:
    """The ticket, if it is a good one, and whoever brings it is who began. ``use``: it is good for nothing then."""
    ticket = await (oidc.attempts.redeem(token) if use else oidc.attempts.look(token))
    if ticket is None or not hmac.compare_digest(challenge_of(verifier), ticket.challenge):
        return None
    provider = await provider_of(journal, ticket.organization_id)
    return ticket if provider is not None and provider.issuer == ticket.identity.issuer else None


async def account_linked(journal: Journal, identity_id: UUID) -> UUID | None:
    state = None
    for recorded in (await journal.load((identity_id,)))[identity_id]:
        state = evolved(state, recorded.fact)
    return state.account_id if isinstance(state, ExternalIdentity) else None


async def provider_of(journal: Journal, organization_id: UUID) -> IdentityProvider | None:
    state, stream_id = None, identity_provider_id(organization_id)
    for recorded in (await journal.load((stream_id,)))[stream_id]:
        state = evolved(state, recorded.fact)
    return state if isinstance(state, IdentityProvider) and not state.removed else None


def external_identity_id(secret: bytes, organization_id: UUID, issuer: str, subject: str) -> UUID:
    """The stream of whom an issuer names to an organization. What another organization links is another's."""
    said = b"external identity/" + organization_id.bytes + issuer.encode() + b"\n" + subject.encode()
    return uuid5(EXTERNAL_IDENTITIES, hmac.new(secret, said, hashlib.sha256).hexdigest())


def identity_id_of(secret: bytes, ticket: Ticket) -> UUID:
    return external_identity_id(secret, ticket.organization_id, ticket.identity.issuer, ticket.identity.subject)


def challenge_of(verifier: str) -> str:
    """RFC 7636, S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _ensure_ours(return_to: str, origins: Sequence[str]) -> None:
    """By the very characters, so that no two parsers can disagree. Raises ``InvalidValue``."""
    plain = return_to.isascii() and return_to.isprintable() and not set(return_to) & set(' \\#"<>')
    ours = any(return_to == origin or return_to.startswith((f"{origin}/", f"{origin}?")) for origin in origins)
    if not plain or not ours or len(return_to) > RETURN_TO_CHARS_MAX:
        raise InvalidValue("return_to", "the address of a page of an allowed origin, without a fragment")


def _random() -> str:
    return secrets.token_urlsafe(RANDOM_BYTES)
