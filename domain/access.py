"""What happened at the door: who got in, who did not, what was forbidden. Facts for auditors; no rule reads them.

Each is alone on a stream of its own, so that a burst of them contends with nothing and no stream grows.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from domain.fact import Fact, fact


class SignInMethod(StrEnum):
    PASSWORD = "password"  # noqa: S105  the name of a way in
    PASSWORD_AND_CODE = "password_and_code"  # noqa: S105
    OIDC = "oidc"
    API_KEY = "api_key"


class SessionEnding(StrEnum):
    """Why a session is over before its time."""

    SIGNED_OUT = "signed_out"
    REVOKED = "revoked"
    """By its owner from another device, or by the house."""
    REFRESH_REUSED = "refresh_reused"
    """A refresh token came a second time: it was stolen, by then or by now."""
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    ACCOUNT_DISABLED = "account_disabled"
    ROLE_GRANTED = "role_granted"
    ASSIGNED = "assigned"
    """To other resources than before: every token names them."""
    SECOND_FACTOR_CHANGED = "second_factor_changed"
    KEY_REVOKED = "key_revoked"
    SUPERSEDED = "superseded"
    """The account had more sessions than anyone needs, and this one was not used for longest."""


@fact("access.signed_in.v1")
class SignedIn(Fact):
    account_id: UUID
    session_id: UUID
    method: SignInMethod


@fact("access.sign_in_refused.v1")
class SignInRejected(Fact):
    """``reason``: wrong_password, wrong_code, disabled, too_many …; ``times``: how often within a minute."""

    account_id: UUID
    reason: str
    times: int


class Reason(StrEnum):
    """Why a sign-in was refused. Whoever tried is told less."""

    WRONG_PASSWORD = "wrong_password"  # noqa: S105
    DISABLED = "disabled"
    WRONG_CODE = "wrong_code"
    """The password was right."""
    TOO_MANY_CODES = "too_many_codes"
    """It was, and too many codes have been wrong lately: this one was not looked at."""
    IDENTITY_REFUSED = "identity_refused"
    """The identity provider answered in the account's name, and the answer did not hold."""


@fact("access.recovery_code_used.v1")
class RecoveryCodeUsed(Fact):
    """In place of a code of the device. ``left``: how many there still are."""

    account_id: UUID
    left: int


@fact("access.session_ended.v1")
class SessionEnded(Fact):
    account_id: UUID
    session_id: UUID
    because: SessionEnding


@fact("access.call_forbidden.v1")
class CallForbidden(Fact):
    """``operation``: a row of the policy. ``times``: how often within a minute."""

    account_id: UUID
    operation: str
    times: int


@fact("access.ended_session_used.v1")
class EndedSessionUsed(Fact):
    """A token came whose session is over."""

    account_id: UUID
    session_id: UUID
    times: int


@fact("access.sign_up_repeated.v1")
class SignUpRepeated(Fact):
    """Someone signed up with the address of an account that exists: nothing came of it. ``told``: whether its owner is
    written to about this one; once a day at most.
    """

    account_id: UUID
    told: bool


AccessFact = (
    SignedIn | SignInRejected | SessionEnded | CallForbidden | EndedSessionUsed | SignUpRepeated | RecoveryCodeUsed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessNote:
    """A note was made."""

    account_id: UUID


def evolve(state: AccessNote | None, happened: AccessFact) -> AccessNote:  # noqa: ARG001  the shape of every evolve
    match happened:
        case SignedIn() | SignInRejected() | RecoveryCodeUsed() | SignUpRepeated():
            return AccessNote(account_id=happened.account_id)
        case SessionEnded() | CallForbidden() | EndedSessionUsed():
            return AccessNote(account_id=happened.account_id)
        case _:
            assert_never(happened)
