"""API keys: how a program signs in. It acts as an account of its own, for the operations that its key names."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

from domain.account import Role
from domain.fact import Fact, fact
from domain.permissions import PERMISSIONS
from domain.refusals import InvalidValue

KEY_MAX = timedelta(days=366)
KEY_ROLES = frozenset({Role.MANAGER, Role.STAFF, Role.AUDITOR})
NOT_FOR_PROGRAMS = frozenset({"account", "api_key", "session"})
"""Operations on these make or unmake who may sign in: by them a key could reach beyond its scopes, or its time."""


@fact("api_key.issued.v1")
class ApiKeyIssued(Fact):
    """``scopes``: rows of the policy. What the key is called is the name of its account, in the vault."""

    api_key_id: UUID
    organization_id: UUID
    account_id: UUID
    subject_id: UUID
    role: Role
    scopes: tuple[str, ...]
    expires_at: datetime


@fact("api_key.revoked.v1")
class ApiKeyRevoked(Fact):
    api_key_id: UUID


ApiKeyFact = ApiKeyIssued | ApiKeyRevoked


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    id: UUID
    organization_id: UUID
    account_id: UUID
    subject_id: UUID
    role: Role
    scopes: tuple[str, ...]
    expires_at: datetime
    revoked: bool = False


def evolve(state: ApiKey | None, happened: ApiKeyFact) -> ApiKey:
    match happened:
        case ApiKeyIssued():
            return ApiKey(
                id=happened.api_key_id,
                organization_id=happened.organization_id,
                account_id=happened.account_id,
                subject_id=happened.subject_id,
                role=happened.role,
                scopes=happened.scopes,
                expires_at=happened.expires_at,
            )
        case ApiKeyRevoked():
            assert state
            return replace(state, revoked=True)
        case _:
            assert_never(happened)


def ensure_scopes(role: Role, scopes: frozenset[str]) -> None:
    """Raises ``InvalidValue`` unless a program of that role may be given all of them."""
    for scope in sorted(scopes):
        if role not in PERMISSIONS.get(scope, {}):
            raise InvalidValue("scopes", f"operations that the role {role} may do; {scope[:60]} is none")
        if scope.partition(".")[0] in NOT_FOR_PROGRAMS and not scope.endswith(".read"):
            raise InvalidValue("scopes", f"{scope} is not for programs: by it a key could reach beyond itself")


def ensure_expiry(expires_at: datetime, now: datetime) -> None:
    """Raises ``InvalidValue``."""
    if not now < expires_at <= now + KEY_MAX:
        raise InvalidValue("expires_at", f"from now on and within {KEY_MAX.days} days")
