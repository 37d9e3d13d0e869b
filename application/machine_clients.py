"""Programs that sign in: keys are issued, revoked, and exchanged for the same short tokens that people have.

A key is a session that its secret begins anew: it is listed nowhere else, it expires, and its end reaches every process
as that of any session.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from application.access_log import AccessLog
from application.decision import Decision, View, evolved
from application.journal import Journal
from application.sign_in import Door, actor_of
from domain.access import SignedIn, SignInMethod, SignInRejected
from domain.account import Account, AccountOpened, Role
from domain.api_key import KEY_ROLES, ApiKey, ApiKeyIssued, ApiKeyRevoked, ensure_expiry, ensure_scopes
from domain.permissions import Actor, ensure_may
from domain.refusals import Forbidden, InvalidValue, NotInThatState


class ClientRefused(Exception):  # noqa: N818
    """There is no such key, or its secret is another, or it is over; which of these is not said."""


class ApiKeys(Protocol):
    """Secrets of keys, of which digests are kept; and the sessions that the keys are."""

    def new_secret(self) -> str:
        """256 random bits, with a prefix by which scanners for leaked secrets know it."""

    async def keep(
        self, key_id: UUID, account_id: UUID, organization_id: UUID, secret: str, *, expires_at: datetime
    ) -> None:
        """One more secret of a key that may be made in a moment."""

    async def forget(self, key_id: UUID) -> None:
        """Of a key that was not made after all."""

    async def use(self, key_id: UUID, secret: str) -> bool:
        """Whether it is the secret of that key, which is not over; then it was used now."""

    async def used_at(self, key_ids: list[UUID]) -> dict[UUID, datetime]:
        """When each was last used, if it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueApiKey:
    api_key_id: UUID
    account_id: UUID
    subject_id: UUID
    role: Role
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeApiKey:
    api_key_id: UUID


def issue_api_key(view: View, command: IssueApiKey, actor: Actor, now: datetime) -> Decision:
    ensure_may(actor, "api_key.issue")
    if command.role not in KEY_ROLES:
        raise Forbidden("api_key.issue")
    if not command.scopes:
        raise InvalidValue("scopes", "at least one")
    ensure_scopes(command.role, command.scopes)
    ensure_expiry(command.expires_at, now)
    view.ensure_new(Account, command.account_id)
    view.ensure_new(ApiKey, command.api_key_id)
    opened = AccountOpened(
        account_id=command.account_id,
        organization_id=actor.organization_id,
        subject_id=command.subject_id,
        role=command.role,
    )
    issued = ApiKeyIssued(
        api_key_id=command.api_key_id,
        organization_id=actor.organization_id,
        account_id=command.account_id,
        subject_id=command.subject_id,
        role=command.role,
        scopes=tuple(sorted(command.scopes)),
        expires_at=command.expires_at,
    )
    view.record(command.account_id, opened)
    view.record(command.api_key_id, issued)
    return view.decision({"id": command.api_key_id, "version": 1})


def revoke_api_key(view: View, command: RevokeApiKey, actor: Actor, now: datetime) -> Decision:  # noqa: ARG001
    ensure_may(actor, "api_key.revoke")
    if view.require(ApiKey, command.api_key_id, actor).revoked:
        raise NotInThatState(command.api_key_id, "revoked", "revoke")
    view.record(command.api_key_id, ApiKeyRevoked(api_key_id=command.api_key_id))
    return view.decision({"id": command.api_key_id, "version": view.version(command.api_key_id)})


async def exchange(door: Door, keys: ApiKeys, log: AccessLog, key_id: UUID, secret: str) -> Actor:
    """The key's account, with the key's scopes. Raises ``ClientRefused``, and what ``AccessLog.note`` does."""
    is_secret = await keys.use(key_id, secret)
    key = await _key(door.journal, key_id)
    actor = await actor_of(door.journal, key.account_id) if key else None
    if key is None or actor is None:
        raise ClientRefused
    actor = replace(actor, session_id=key.id, scopes=frozenset(key.scopes))
    if not is_secret or key.revoked:
        await log.note(actor, SignInRejected(account_id=actor.account_id, reason="wrong_key", times=1))
        raise ClientRefused
    signed_in = SignedIn(account_id=actor.account_id, session_id=key.id, method=SignInMethod.API_KEY)
    await log.note(actor, signed_in)
    return actor


async def _key(journal: Journal, key_id: UUID) -> ApiKey | None:
    state = None
    for recorded in (await journal.load((key_id,))).get(key_id, ()):
        state = evolved(state, recorded.fact)
    return state if isinstance(state, ApiKey) else None
