"""Who is at the door: the ports of passwords, credentials and tokens, and the moves that use them.

No fact tells of these: a password's digest and a refresh token are secrets that must be forgettable, and an
access token is true by its signature alone. That someone got in, or did not, is a fact (``domain.access``).
"""

import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar
from uuid import UUID, uuid5

from application.access_log import AccessLog
from application.credentials import Credentials, Passwords
from application.decision import evolved
from application.even_time import no_sooner_than
from application.journal import Journal
from application.second_factor import Checked, SecondFactors
from application.sessions import RefreshRefused, Session, Sessions
from domain.access import (
    Reason,
    RecoveryCodeUsed,
    SessionEnded,
    SessionEnding,
    SignedIn,
    SignInMethod,
    SignInRejected,
)
from domain.account import Account, AccountStatus, SignInName
from domain.identity_provider import ExternalIdentity
from domain.organization import Organization
from domain.permissions import Actor
from domain.sign_in_demands import narrowed

A = TypeVar("A", Account, SignInName, ExternalIdentity, Organization)

SIGN_IN_NAMES = UUID("5f7c1f1e-0b1c-4f0e-9f55-0a6f3a1c7d10")
"""The namespace of the streams of sign-in names."""


REFUSED_AFTER_S = 0.1
"""No sign-in is refused sooner: what is looked up and noted of an account that exists must not show in the time."""

_log = logging.getLogger(__name__)


class SignInRefused(Exception):  # noqa: N818
    """Address or password is wrong, or the account is disabled; which of them is not said."""


class SecondFactorNeeded(Exception):  # noqa: N818
    """The password is right; signing in to this account takes a code as well."""


class SecondFactorRefused(Exception):  # noqa: N818
    """The password is right and the code is not: wrong, used before, or one too many."""


class InvalidToken(Exception):  # noqa: N818
    """The access token was not issued by this Daybook, not for it, or is over."""


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


@dataclass(slots=True)
class SignIns:
    """Attempts to sign in."""

    done: int = 0
    refused_known: int = 0
    refused_unknown: int = 0
    """With an address that signs in to no account: of these there is no fact, since nobody's auditor is concerned."""


@dataclass(frozen=True, slots=True)
class Door:
    """All that signing in needs. ``secret`` keys the digests of e-mail addresses."""

    journal: Journal
    access_log: AccessLog
    second_factors: SecondFactors
    passwords: Passwords
    credentials: Credentials
    sessions: Sessions
    access_tokens: AccessTokens
    secret: bytes
    tally: SignIns = field(default_factory=SignIns)


def sign_in_name_id(secret: bytes, email: str) -> UUID:
    """The stream of an e-mail address: a keyed digest, so that the journal does not give addresses away."""
    digest = hmac.new(secret, email.strip().casefold().encode(), hashlib.sha256)
    return uuid5(SIGN_IN_NAMES, digest.hexdigest())


async def sign_in(door: Door, email: str, password: str, *, otp: str | None = None) -> tuple[Actor, str]:
    """Who it is, and the first refresh token.

    Raises ``SignInRefused``, ``SecondFactorNeeded``, ``SecondFactorRefused``, what ``Writer.submit`` does.
    """
    async with no_sooner_than(REFUSED_AFTER_S, only_for=SignInRefused):
        account, method = await _proven(door, email, password, otp)
    return await _begun(door, account, method)


async def sign_in_by_identity(door: Door, account_id: UUID) -> tuple[Actor, str]:
    """The same, for whom the organization's identity provider has proved; a second factor is the provider's affair.

    Raises ``SignInRefused``.
    """
    account = await _state(door.journal, Account, account_id)
    if account is None:
        raise SignInRefused
    if account.status is AccountStatus.DISABLED:
        await _refuse(door, account, Reason.DISABLED)
        raise SignInRefused
    return await _begun(door, account, SignInMethod.OIDC)


async def _begun(door: Door, account: Account, method: SignInMethod) -> tuple[Actor, str]:
    actor = await _actor(door.journal, account, method)
    session, token = await door.sessions.begin(actor, method)
    actor = replace(actor, session_id=session.id)
    await door.access_log.note(actor, SignedIn(account_id=account.id, session_id=session.id, method=method))
    door.tally.done += 1
    return actor, token


async def _proven(door: Door, email: str, password: str, otp: str | None) -> tuple[Account, SignInMethod]:
    name = await _state(door.journal, SignInName, sign_in_name_id(door.secret, email))
    digest = await door.credentials.password_digest(name.account_id) if name else None
    # The password is digested even where there is no account: the time taken must not tell.
    matches = await door.passwords.matches(password, digest)
    account = await _state(door.journal, Account, name.account_id) if name else None
    if account is None:
        door.tally.refused_unknown += 1
        _log.info("a sign-in was refused: no account has that address")
        raise SignInRefused
    if not matches:
        await _refuse(door, account, Reason.WRONG_PASSWORD)
        raise SignInRefused
    if account.status is AccountStatus.DISABLED:
        await _refuse(door, account, Reason.DISABLED)
        raise SignInRefused
    if digest and door.passwords.is_outdated(digest):
        await door.credentials.replace(account.id, await door.passwords.digest(password), instead_of=digest)
    if not await door.second_factors.is_enrolled(account.id):
        return account, SignInMethod.PASSWORD
    if otp is None:
        raise SecondFactorNeeded
    await _check_code(door, account, otp)
    return account, SignInMethod.PASSWORD_AND_CODE


async def _check_code(door: Door, account: Account, otp: str) -> None:
    match await door.second_factors.check(account.id, otp):
        case Checked.BY_DEVICE:
            return
        case Checked.BY_RECOVERY_CODE:
            left = await door.second_factors.recovery_codes_left(account.id)
            await door.access_log.note(actor_as(account), RecoveryCodeUsed(account_id=account.id, left=left))
        case Checked.WRONG:
            await _refuse(door, account, Reason.WRONG_CODE)
            raise SecondFactorRefused
        case Checked.TOO_MANY:
            await _refuse(door, account, Reason.TOO_MANY_CODES)
            raise SecondFactorRefused


async def _refuse(door: Door, account: Account, reason: Reason) -> None:
    """Noted for the auditors of the account's organization."""
    door.tally.refused_known += 1
    await door.access_log.note(actor_as(account), SignInRejected(account_id=account.id, reason=reason, times=1))


async def note_refused_identity(door: Door, identity_id: UUID | None) -> None:
    """An identity provider's answer did not hold. ``identity_id``: in whose name it was, if that could be read."""
    linked = await _state(door.journal, ExternalIdentity, identity_id) if identity_id else None
    account = await _state(door.journal, Account, linked.account_id) if linked else None
    if account is None:
        door.tally.refused_unknown += 1
    else:
        await _refuse(door, account, Reason.IDENTITY_REFUSED)


async def knows_password(door: Door, account_id: UUID, password: str) -> bool:
    """Whether it is the account's password. Of someone who is signed in and says it again."""
    if await door.passwords.matches(password, await door.credentials.password_digest(account_id)):
        return True
    account = await _state(door.journal, Account, account_id)
    if account is not None:
        await _refuse(door, account, Reason.WRONG_PASSWORD)
    return False


async def refresh(door: Door, refresh_token: str, *, retry_key: str | None = None) -> tuple[Actor, str]:
    """Who it is, with the role of today, and the next refresh token. Raises ``RefreshRefused``."""
    try:
        session, successor = await door.sessions.rotate(refresh_token, retry_key=retry_key)
    except RefreshRefused as refused:
        if refused.reused:
            await _note_reuse(door, refused.reused)
        raise
    actor = await actor_of(door.journal, session.account_id, session.method)
    if actor is None:
        raise RefreshRefused
    return replace(actor, session_id=session.id), successor


async def _note_reuse(door: Door, session: Session) -> None:
    account = await _state(door.journal, Account, session.account_id)
    if account is not None:
        ended = SessionEnded(account_id=account.id, session_id=session.id, because=SessionEnding.REFRESH_REUSED)
        await door.access_log.note(actor_as(account), ended)


async def end_sessions(door: Door, account: Account, because: SessionEnding, *, but: UUID | None = None) -> None:
    """All of the account, except ``but``; each is noted."""
    for session_id in await door.sessions.end_all(account.id, but=but, because=because):
        ended = SessionEnded(account_id=account.id, session_id=session_id, because=because)
        await door.access_log.note(actor_as(account), ended)


async def account_named(door: Door, email: str) -> Account | None:
    """Whose address it is."""
    name = await _state(door.journal, SignInName, sign_in_name_id(door.secret, email))
    return await _state(door.journal, Account, name.account_id) if name else None


async def account_of_name(journal: Journal, name_id: UUID) -> UUID | None:
    """The account that a sign-in name signs in to."""
    name = await _state(journal, SignInName, name_id)
    return name.account_id if name else None


async def actor_of(journal: Journal, account_id: UUID, method: SignInMethod | None = None) -> Actor | None:
    """The account as an actor, as it is now, for as much as its organization lets it do who signed in so.

    None if there is none that may sign in.
    """
    account = await _state(journal, Account, account_id)
    if account is None or account.status is AccountStatus.DISABLED:
        return None
    return await _actor(journal, account, method)


async def _actor(journal: Journal, account: Account, method: SignInMethod | None) -> Actor:
    organization = await _state(journal, Organization, account.organization_id)
    actor = actor_as(account)
    proved_elsewhere = method is SignInMethod.OIDC
    return narrowed(actor, account, organization, proved_elsewhere=proved_elsewhere) if organization else actor


def actor_as(account: Account) -> Actor:
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
