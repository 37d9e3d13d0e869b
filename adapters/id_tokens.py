"""ID tokens of others (OpenID Connect Core 1.0, 3.1.3.7): whether one is what this provider says to us, here and now.

The algorithm is one of three that only the provider can sign with, whatever the token says of itself (RFC 8725).
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from application.oidc import Exchange, Identity, OidcRefused

ALGORITHMS = ("RS256", "ES256", "EdDSA")
LEEWAY_S = 30
"""What the provider's clock may be wrong by."""
TOKEN_CHARS_MAX = 16_384
SUBJECT_CHARS_MAX = 255
EMAIL_CHARS_MAX = 254
NAME_CHARS_MAX = 200
KEY_TYPES = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
RSA_BITS_MIN = 2_048
_DIGESTS = {"RS256": "sha256", "ES256": "sha256", "EdDSA": "sha512"}
"""What ``at_hash`` is made with: of EdDSA with Ed25519, as the working group has it, SHA-512."""
_REQUIRED = ["iss", "aud", "sub", "exp", "iat", "nonce"]

Jwk = Mapping[str, Any]


class UnknownKey(Exception):  # noqa: N818
    """The token is signed with a key that is not among those that are known."""


def identity_in(token: str, access_token: str | None, exchange: Exchange, keys: Sequence[Jwk]) -> Identity:
    """Raises ``UnknownKey``, ``OidcRefused``."""
    if len(token) > TOKEN_CHARS_MAX:
        raise OidcRefused("token_too_long")
    subject = claimed_subject(token)
    try:
        algorithm, kid = _signed_with(token)
        claims = jwt.decode(
            token,
            _key(kid, algorithm, keys),
            algorithms=[algorithm],
            audience=exchange.client_id,
            issuer=exchange.issuer,
            leeway=LEEWAY_S,
            options={"require": _REQUIRED},
        )
        _ensure_for_us(claims, exchange)
        _ensure_access_token(claims, access_token, algorithm)
        return _identity(claims, exchange.issuer)
    except jwt.PyJWTError as wrong:
        raise OidcRefused(type(wrong).__name__, subject=subject) from None
    except (TypeError, ValueError, AttributeError):
        raise OidcRefused("malformed", subject=subject) from None
    except OidcRefused as refused:
        raise OidcRefused(refused.reason, subject=subject) from None


def claimed_subject(token: str) -> str | None:
    """In whose name it speaks, proved by nothing: to be noted, and for nothing else."""
    try:
        claimed = jwt.decode(token, options={"verify_signature": False}).get("sub")
    except (jwt.PyJWTError, TypeError, ValueError, AttributeError):
        return None
    return claimed if isinstance(claimed, str) and len(claimed) <= SUBJECT_CHARS_MAX else None


def _signed_with(token: str) -> tuple[str, object]:
    """The algorithm, if it is one of ours, and which key."""
    header = jwt.get_unverified_header(token)
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS or "crit" in header:
        raise OidcRefused("algorithm")
    return algorithm, header.get("kid")


def _key(kid: object, algorithm: str, keys: Sequence[Jwk]) -> Any:
    """That which the token names; without a name the only one that it can be."""
    fit = [
        key
        for key in keys
        if key.get("kty") == KEY_TYPES[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    if len(fit) != 1:
        raise UnknownKey
    public = jwt.PyJWK(dict(fit[0]), algorithm=algorithm).key
    if algorithm == "RS256" and public.key_size < RSA_BITS_MIN:
        raise OidcRefused("weak_key")
    return public


def _ensure_for_us(claims: Mapping[str, Any], exchange: Exchange) -> None:
    """For nobody besides us, and in answer to this very attempt."""
    if claims["aud"] not in (exchange.client_id, [exchange.client_id]):
        raise OidcRefused("audience")
    if claims.get("azp", exchange.client_id) != exchange.client_id:
        raise OidcRefused("authorized_party")
    if not hmac.compare_digest(str(claims["nonce"]).encode(), exchange.nonce.encode()):
        raise OidcRefused("nonce")


def _ensure_access_token(claims: Mapping[str, Any], access_token: str | None, algorithm: str) -> None:
    """``at_hash``, where there is one: the access token that came along is the one that was made with it."""
    if "at_hash" not in claims:
        return
    digest = hashlib.new(_DIGESTS[algorithm], (access_token or "").encode()).digest()
    half = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=")
    if access_token is None or not hmac.compare_digest(half, str(claims["at_hash"]).encode()):
        raise OidcRefused("at_hash")


def _identity(claims: Mapping[str, Any], issuer: str) -> Identity:
    subject, email, name = claims["sub"], claims.get("email"), claims.get("name")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARS_MAX:
        raise OidcRefused("subject")
    return Identity(
        issuer=issuer,
        subject=subject,
        email=email if isinstance(email, str) and 0 < len(email) <= EMAIL_CHARS_MAX else None,
        email_verified=claims.get("email_verified") is True,
        name=name[:NAME_CHARS_MAX] if isinstance(name, str) and name.strip() else None,
    )
