"""Access tokens: JWTs signed with Ed25519 (RFC 8037), short-lived, checked as RFC 8725 and RFC 9068 ask."""

import hashlib
import secrets
import time
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from application.sign_in import Bearer, InvalidToken
from domain.account import Role
from domain.permissions import Actor

ALGORITHM = "EdDSA"
TYPE = "at+jwt"
AUDIENCE = "daybook"
LIFETIME_S = 600
TOKEN_CHARS_MAX = 4_096
HEADER_FIELDS = frozenset({"alg", "typ", "kid"})
"""Anything else (``jku``, ``jwk``, ``x5u``, ``crit`` …) would have us fetch a key or skip a check: refused."""


class SignedTokens:
    """The port ``application.sign_in.AccessTokens``. ``seed`` is the private key's 32 bytes."""

    lifetime_s = LIFETIME_S

    def __init__(self, seed: bytes, *, issuer: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._private.public_key()
        self._issuer = issuer
        self._key_id = hashlib.sha256(self._public.public_bytes_raw()).hexdigest()[:16]

    def issue(self, actor: Actor) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(actor.account_id),
            "org": str(actor.organization_id),
            "person": str(actor.subject_id),
            "role": actor.role.value,
            "iat": now,
            "exp": now + self.lifetime_s,
            "jti": secrets.token_urlsafe(12),
        }
        if actor.session_id is not None:
            claims["sid"] = str(actor.session_id)
        if actor.scopes is not None:
            claims["scope"] = " ".join(sorted(actor.scopes))
        if actor.resource_ids is not None:
            claims["resources"] = sorted(map(str, actor.resource_ids))
        return jwt.encode(claims, self._private, algorithm=ALGORITHM, headers={"typ": TYPE, "kid": self._key_id})

    def verify(self, token: str) -> Bearer:
        if len(token) > TOKEN_CHARS_MAX:
            raise InvalidToken
        try:
            header = jwt.get_unverified_header(token)
            if not header.keys() <= HEADER_FIELDS or header.get("typ") != TYPE or header.get("kid") != self._key_id:
                raise InvalidToken
            return _bearer(self._claims(token))
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, AttributeError):
            raise InvalidToken from None

    def _claims(self, token: str) -> dict[str, Any]:
        claims = jwt.decode(
            token,
            self._public,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=self._issuer,
            options={"require": ["iss", "aud", "sub", "iat", "exp"], "strict_aud": True},
        )
        # A token of ours is short; one that is not was made with our key by something that is not us.
        if not 0 < claims["exp"] - claims["iat"] <= LIFETIME_S:
            raise InvalidToken
        return claims


def _bearer(claims: dict[str, Any]) -> Bearer:
    actor = Actor(
        account_id=UUID(claims["sub"]),
        organization_id=UUID(claims["org"]),
        subject_id=UUID(claims["person"]),
        role=Role(claims["role"]),
        session_id=UUID(claims["sid"]) if "sid" in claims else None,
        resource_ids=frozenset(map(UUID, claims["resources"])) if "resources" in claims else None,
        scopes=frozenset(claims["scope"].split()) if "scope" in claims else None,
    )
    return Bearer(actor, float(claims["exp"]))
