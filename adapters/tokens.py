"""Access tokens: JWTs signed with Ed25519 (RFC 8037), short-lived, checked as RFC 8725 and RFC 9068 ask.

One key signs. Those before it verify for as long as their tokens last, and never sign.
"""

import hashlib
import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

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
    """The port ``application.sign_in.AccessTokens``. Seeds are private keys' 32 bytes; ``old_seeds`` only verify.

    Raises ``ValueError`` if the key that signs is among those that no longer do.
    """

    lifetime_s = LIFETIME_S

    def __init__(self, seed: bytes, *, issuer: str, old_seeds: Sequence[bytes] = ()) -> None:
        if seed in old_seeds:
            raise ValueError("the key that signs is among those that only verify")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._issuer = issuer
        self._key_id = key_id(self._private.public_key())
        old = [Ed25519PrivateKey.from_private_bytes(one).public_key() for one in old_seeds]
        self._verifying = {key_id(public): public for public in (self._private.public_key(), *old)}

    def verifying_keys(self) -> Sequence[Mapping[str, str]]:
        about = {"alg": ALGORITHM, "use": "sig"}
        return [{**_jwk(public), **about, "kid": kid} for kid, public in self._verifying.items()]

    def issue(self, actor: Actor) -> str:
        assert actor.session_id  # a token of no session could not be ended
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
            "sid": str(actor.session_id),
        }
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
            if not header.keys() <= HEADER_FIELDS or header.get("typ") != TYPE:
                raise InvalidToken
            return _bearer(self._claims(token, self._verifying[header["kid"]]))
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, AttributeError):
            raise InvalidToken from None

    def _claims(self, token: str, key: Ed25519PublicKey) -> dict[str, Any]:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=self._issuer,
            options={"require": ["iss", "aud", "sub", "iat", "exp", "sid"], "strict_aud": True},
        )
        # A token of ours is short; one that is not was made with our key by something that is not us.
        if not 0 < claims["exp"] - claims["iat"] <= LIFETIME_S:
            raise InvalidToken
        return claims


def key_id(public: Ed25519PublicKey) -> str:
    """The key's thumbprint (RFC 7638): the same wherever it is worked out."""
    digest = hashlib.sha256(json.dumps(_jwk(public), sort_keys=True, separators=(",", ":")).encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _jwk(public: Ed25519PublicKey) -> dict[str, str]:
    """Its members that make it the key that it is."""
    known = OKPAlgorithm.to_jwk(public, as_dict=True)
    return {name: known[name] for name in ("crv", "kty", "x")}


def _bearer(claims: dict[str, Any]) -> Bearer:
    actor = Actor(
        account_id=UUID(claims["sub"]),
        organization_id=UUID(claims["org"]),
        subject_id=UUID(claims["person"]),
        role=Role(claims["role"]),
        session_id=UUID(claims["sid"]),
        resource_ids=frozenset(map(UUID, claims["resources"])) if "resources" in claims else None,
        scopes=frozenset(claims["scope"].split()) if "scope" in claims else None,
    )
    return Bearer(actor, float(claims["exp"]))
