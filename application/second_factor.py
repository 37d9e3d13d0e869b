"""The port of second factors: codes of a device (TOTP, RFC 6238) and recovery codes; and the moves of their owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

from application.decision import Decision, View
from domain.account import Account, RecoveryCodesRenewed, SecondFactorEnrolled, SecondFactorRemoved
from domain.account_refusals import AlreadySo, CodeRefused
from domain.permissions import Actor, ensure_may

CODE_TRIES_MAX = 5
CODE_TRIES_WITHIN = timedelta(minutes=10)
"""So many wrong codes within that time are looked at; whoever gets there knows the password already."""
RECOVERY_CODES = 10


class Checked(Enum):
    BY_DEVICE = auto()
    BY_RECOVERY_CODE = auto()
    WRONG = auto()
    TOO_MANY = auto()
    """It was not looked at."""

    @property
    def is_right(self) -> bool:
        return self in {Checked.BY_DEVICE, Checked.BY_RECOVERY_CODE}


class SecondFactors(Protocol):
    """Asynchronous. By the database's clock. No code is good twice."""

    async def begin(self, account_id: UUID, *, command_id: UUID) -> str | None:
        """A new secret, in base32, which signs nobody in until it is confirmed; the same for the same command.

        None if there is a confirmed one.
        """

    async def confirm(self, account_id: UUID, code: str) -> Checked:
        """Whether the device knows the secret; from then on signing in takes its codes."""

    async def is_enrolled(self, account_id: UUID) -> bool: ...

    async def check(self, account_id: UUID, code: str) -> Checked:
        """Use a code of the device, or a recovery code, up."""

    async def recovery_codes_left(self, account_id: UUID) -> int: ...

    async def renew_recovery_codes(self, account_id: UUID, *, command_id: UUID) -> Sequence[str]:
        """In place of those before; the same for the same command."""

    async def remove(self, account_id: UUID) -> None: ...

    def otpauth_uri(self, secret: str, *, issuer: str, name: str) -> str:
        """What an authenticator app reads from a QR code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSecondFactor:
    """By the account itself. ``proven``: whether the code that it takes was right."""

    proven: bool


def enrol_second_factor(view: View, command: ChangeSecondFactor, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    account = _own(view, actor)
    if account.second_factor:
        raise AlreadySo(account.id, "enrolled")
    if not command.proven:
        raise CodeRefused
    view.record(account.id, SecondFactorEnrolled(account_id=account.id))
    return view.decision({"second_factor": True})


def remove_second_factor(view: View, command: ChangeSecondFactor, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    account = _own(view, actor)
    if not command.proven:
        raise CodeRefused
    # Its secret may have outlived the fact of its removal, if a process died in between.
    if account.second_factor:
        view.record(account.id, SecondFactorRemoved(account_id=account.id))
    return view.decision({"second_factor": False})


def renew_recovery_codes(view: View, command: ChangeSecondFactor, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    account = _own(view, actor)
    if not command.proven:
        raise CodeRefused
    view.record(account.id, RecoveryCodesRenewed(account_id=account.id))
    return view.decision({"second_factor": True})


def _own(view: View, actor: Actor) -> Account:
    ensure_may(actor, "account.change_second_factor", subject_id=actor.subject_id)
    return view.require(Account, actor.account_id, actor)
