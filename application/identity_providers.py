"""An organization brings its identity provider, and accounts are linked with whom it knows. One function per move."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.decision import Decision, View
from domain.account import (
    Account,
    AccountOpened,
    Customer,
    CustomerRegistered,
    EmailVerified,
    Role,
    SignInName,
)
from domain.account_refusals import AlreadySo, CodeRefused, IdentityTaken, IdentityUnlinked, WrongPassword
from domain.identity_provider import (
    ExternalIdentity,
    IdentityLinked,
    IdentityProvider,
    IdentityProviderRegistered,
    IdentityProviderRemoved,
    SignUp,
    ensure_valid_issuer,
    identity_provider_id,
)
from domain.permissions import Actor, ensure_may
from domain.refusals import EmailTaken, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterProvider:
    """``loopback_allowed`` is this deployment's."""

    issuer: str
    client_id: str
    sign_up: SignUp
    loopback_allowed: bool = False


@dataclass(frozen=True, slots=True)
class RemoveProvider:
    """The actor's organization's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkIdentity:
    """``identity_id``: whom the ticket is for; None: it is no good one. ``knows``: whether the password was given."""

    identity_id: UUID | None
    knows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterByIdentity:
    """``sign_in_name_id``: of the e-mail address that the provider has verified."""

    organization_id: UUID
    account_id: UUID
    subject_id: UUID
    identity_id: UUID
    sign_in_name_id: UUID


def register_provider(view: View, command: RegisterProvider, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "identity_provider.change")
    ensure_valid_issuer(command.issuer, loopback_allowed=command.loopback_allowed)
    stream_id = identity_provider_id(actor.organization_id)
    view.get(IdentityProvider, stream_id)
    registered = IdentityProviderRegistered(
        organization_id=actor.organization_id,
        issuer=command.issuer,
        client_id=command.client_id,
        sign_up=command.sign_up,
    )
    view.record(stream_id, registered)
    told = {"issuer": command.issuer, "client_id": command.client_id, "sign_up": command.sign_up.value}
    return view.decision({"id": stream_id, **told, "version": view.version(stream_id)})


def remove_provider(view: View, command: RemoveProvider, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "identity_provider.change")
    stream_id = identity_provider_id(actor.organization_id)
    _present(view, actor.organization_id)
    view.record(stream_id, IdentityProviderRemoved(organization_id=actor.organization_id))
    return view.decision({"id": stream_id, "version": view.version(stream_id)})


def link_identity(view: View, command: LinkIdentity, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """One's own account, by its password: a stolen token must not become a way in that lasts."""
    ensure_may(actor, "account.link_identity", subject_id=actor.subject_id)
    account = view.require(Account, actor.account_id, actor)
    if not command.knows:
        raise WrongPassword
    if command.identity_id is None:
        raise CodeRefused
    known = view.get(ExternalIdentity, command.identity_id)
    if known is not None and known.account_id == account.id:
        raise AlreadySo(account.id, "linked")
    if known is not None:
        raise IdentityTaken
    view.record(command.identity_id, IdentityLinked(account_id=account.id))
    return view.decision({"linked": True})


def register_by_identity(view: View, command: RegisterByIdentity, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """A customer's account that only the provider signs in to: it takes no sign-in name. The actor is it to be.

    Raises ``EmailTaken`` where an account of this organization has the address: it is never taken for the same person.
    Of accounts elsewhere nothing is said, for whoever runs a provider may have it say any address.
    """
    provider = _present(view, command.organization_id)
    if provider.sign_up is not SignUp.CUSTOMERS or view.get(ExternalIdentity, command.identity_id) is not None:
        raise IdentityUnlinked
    name = view.get(SignInName, command.sign_in_name_id)
    named = view.get(Account, name.account_id) if name else None
    if named is not None and named.organization_id == command.organization_id:
        raise EmailTaken
    view.ensure_new(Account, command.account_id)
    view.ensure_new(Customer, command.subject_id)
    ids = {"organization_id": command.organization_id, "account_id": command.account_id}
    view.record(command.account_id, AccountOpened(**ids, subject_id=command.subject_id, role=Role.CUSTOMER))
    view.record(command.account_id, EmailVerified(account_id=command.account_id))
    view.record(command.subject_id, CustomerRegistered(**ids, customer_id=command.subject_id))
    view.record(command.identity_id, IdentityLinked(account_id=command.account_id))
    return view.decision({"account_id": command.account_id, "subject_id": command.subject_id})


def _present(view: View, organization_id: UUID) -> IdentityProvider:
    stream_id = identity_provider_id(organization_id)
    provider = view.get(IdentityProvider, stream_id)
    if provider is None or provider.removed:
        raise NotFound("identity_provider", stream_id)
    return provider
