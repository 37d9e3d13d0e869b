"""Who else may say who someone is: the identity provider that an organization brings (OpenID Connect), and the links.

What the client secret is, is no fact. The provider's name for a person is none either: it is known by a keyed digest.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never
from uuid import UUID, uuid5

from domain.fact import Fact, fact
from domain.public_address import ensure_valid_url
from domain.refusals import InvalidValue


class SignUp(StrEnum):
    """What becomes of someone whom the provider knows and no account is linked with."""

    EXISTING_ACCOUNTS = "existing_accounts"
    """Whoever has an account links it first."""
    CUSTOMERS = "customers"
    """They become a customer, if the provider says that their e-mail address is verified."""


@fact("identity_provider.registered.v1")
class IdentityProviderRegistered(Fact):
    """In place of the one before, if there was one. The version on its stream is that of the client secret."""

    organization_id: UUID
    issuer: str
    client_id: str
    sign_up: SignUp


@fact("identity_provider.removed.v1")
class IdentityProviderRemoved(Fact):
    organization_id: UUID


IdentityProviderFact = IdentityProviderRegistered | IdentityProviderRemoved


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """``issuer`` exactly as the provider writes it. One that was removed lets nobody in."""

    id: UUID
    organization_id: UUID
    issuer: str
    client_id: str
    sign_up: SignUp
    removed: bool = False


def identity_provider_id(organization_id: UUID) -> UUID:
    return uuid5(organization_id, "identity provider")


def evolve(state: IdentityProvider | None, happened: IdentityProviderFact) -> IdentityProvider:
    match happened:
        case IdentityProviderRegistered():
            return IdentityProvider(
                id=identity_provider_id(happened.organization_id),
                organization_id=happened.organization_id,
                issuer=happened.issuer,
                client_id=happened.client_id,
                sign_up=happened.sign_up,
            )
        case IdentityProviderRemoved():
            assert state
            return replace(state, removed=True)
        case _:
            assert_never(happened)


@fact("external_identity.linked.v1")
class IdentityLinked(Fact):
    """Whom the provider names so signs in to ``account_id``. The stream's id is a keyed digest of the name."""

    account_id: UUID


ExternalIdentityFact = IdentityLinked


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIdentity:
    """One person as one issuer names them to one organization (issuer, subject)."""

    account_id: UUID


def evolve_identity(state: ExternalIdentity | None, happened: ExternalIdentityFact) -> ExternalIdentity:  # noqa: ARG001
    match happened:
        case IdentityLinked():
            return ExternalIdentity(account_id=happened.account_id)
        case _:
            assert_never(happened)


def ensure_valid_issuer(issuer: str, *, loopback_allowed: bool) -> None:
    """Raises ``InvalidValue``. Names are looked up, and judged, at each connection."""
    try:
        ensure_valid_url(issuer, loopback_allowed=loopback_allowed)
    except InvalidValue as invalid:
        raise InvalidValue("issuer", invalid.reason) from None
    if "?" in issuer:
        raise InvalidValue("issuer", "without a query")
