"""What becomes of an account: verified, secured, disabled, of another role. Passwords and codes are checked outside.

A change that takes a secret is told whether it was right. It refuses where it was not, rather than not being submitted:
so a command that is repeated after its secret was used up is answered from its receipt.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.decision import Decision, View
from application.one_time_codes import code_requested
from domain.account import (
    HOUSE_ROLES,
    Account,
    AccountDisabled,
    AccountEnabled,
    AccountStatus,
    EmailVerified,
    PasswordChanged,
    PasswordReset,
    Role,
    RoleGranted,
)
from domain.account_refusals import AlreadySo, CodeRefused, LastOwner, NotOneself, WrongPassword
from domain.fact import Fact
from domain.one_time_code import Purpose
from domain.organization import Organization, OwnerJoined, OwnerLeft
from domain.permissions import Actor, ensure_may
from domain.refusals import Forbidden, InvalidValue


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCode:
    """A code for ``account_id`` was issued; have it sent."""

    account_id: UUID
    code_id: UUID
    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyEmail:
    """``account_id``: whose link it is; None: it is no good one."""

    account_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePassword:
    """``knows``: whether the present one was given."""

    knows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPassword:
    """``account_id``: whose link it is; None: it is no good one."""

    account_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableAccount:
    account_id: UUID
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableAccount:
    account_id: UUID
    if_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRole:
    account_id: UUID
    role: Role
    if_version: int | None = None


def request_code(view: View, command: RequestCode, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """The actor is the account that it is for, whoever asked."""
    account = view.require(Account, command.account_id, actor)
    if command.purpose is Purpose.VERIFY_EMAIL and account.email_verified:
        raise AlreadySo(account.id, "verified")
    fact = code_requested(view, command.code_id, command.purpose, account.id, recipient_id=account.subject_id)
    return Decision([fact], ACCEPTED)


ACCEPTED = {"accepted": True}
"""All that is answered to who asks for a code."""


def verify_email(view: View, command: VerifyEmail, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    account = _linked(view, command.account_id)
    if not account.email_verified:
        view.record(account.id, EmailVerified(account_id=account.id))
    return view.decision({"email_verified": True})


def reset_password(view: View, command: ResetPassword, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    account = _linked(view, command.account_id)
    view.record(account.id, PasswordReset(account_id=account.id))
    return view.decision({"password_changed": True})


def change_password(view: View, command: ChangePassword, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "account.change_password", subject_id=actor.subject_id)
    account = view.require(Account, actor.account_id, actor)
    if not command.knows:
        raise WrongPassword
    view.record(account.id, PasswordChanged(account_id=account.id))
    return view.decision({"password_changed": True})


def disable_account(view: View, command: DisableAccount, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    account = _of_lower_rank(view, command.account_id, command.if_version, actor)
    if account.id == actor.account_id:
        raise NotOneself("account.disable")
    if account.status is AccountStatus.DISABLED:
        raise AlreadySo(account.id, account.status)
    return _changed(view, account, AccountDisabled(account_id=account.id))


def enable_account(view: View, command: EnableAccount, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    account = _of_lower_rank(view, command.account_id, command.if_version, actor)
    if account.status is AccountStatus.ACTIVE:
        raise AlreadySo(account.id, account.status)
    return _changed(view, account, AccountEnabled(account_id=account.id))


def grant_role(view: View, command: GrantRole, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    """By owners alone, so nobody grants more than they have."""
    ensure_may(actor, "account.grant_role")
    account = view.require(Account, command.account_id, actor)
    view.ensure_version(account.id, command.if_version)
    if {command.role, account.role} - HOUSE_ROLES:
        raise InvalidValue("role", "one of the house, for an account of the house")
    if account.role is command.role:
        raise AlreadySo(account.id, account.role)
    return _changed(view, account, RoleGranted(account_id=account.id, role=command.role))


def _linked(view: View, account_id: UUID | None) -> Account:
    account = view.get(Account, account_id) if account_id else None
    if account is None:
        raise CodeRefused
    return account


def _of_lower_rank(view: View, account_id: UUID, if_version: int | None, actor: Actor) -> Account:
    """A manager has no say about owners."""
    ensure_may(actor, "account.disable")
    account = view.require(Account, account_id, actor)
    if account.role is Role.OWNER and actor.role is not Role.OWNER:
        raise Forbidden("account.disable")
    view.ensure_version(account.id, if_version)
    return account


def _changed(view: View, account: Account, fact: Fact) -> Decision:
    """With what it means for the number of owners. Raises ``LastOwner``."""
    organization = view.get(Organization, account.organization_id)
    assert organization
    view.record(account.id, fact)
    after = view.get(Account, account.id)
    assert after
    if account.is_owner and not after.is_owner:
        if organization.owners <= 1:
            raise LastOwner
        view.record(organization.id, OwnerLeft(organization_id=organization.id, account_id=account.id))
    elif after.is_owner and not account.is_owner:
        view.record(organization.id, OwnerJoined(organization_id=organization.id, account_id=account.id))
    return view.decision(told(after, view.version(account.id)))


def told(account: Account, version: int) -> dict[str, object]:
    """An account as an answer tells it, without what the vault knows."""
    return {
        "id": account.id,
        "role": account.role.value,
        "status": account.status.value,
        "email_verified": account.email_verified,
        "second_factor": account.second_factor,
        "resource_ids": account.resource_ids,
        "version": version,
    }
