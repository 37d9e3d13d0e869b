"""No token gets in but ours, as it was issued and while it lasts: SECURITY.md rows 17, 25 and 26."""

import base64
import gc
import hmac
import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.api.house import House, made, problem, sign_in
from tests.api.running_api import KEY, RunningApi


def no_signature(_: bytes) -> bytes:
    return b""


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Forge:
    """Makes tokens that are nearly right, of one that is."""

    def __init__(self, good: str) -> None:
        self.good = good
        self.opening, self.payload, self.closing = good.split(".")
        self.ours = Ed25519PrivateKey.from_private_bytes(base64.b64decode(KEY))
        self.stranger = Ed25519PrivateKey.generate()
        self.header = jwt.get_unverified_header(good)
        self.claims = jwt.decode(good, options={"verify_signature": False})
        self.now = int(time.time())

    def signed(self, key: Any = None, *, head: dict[str, object] | None = None, **changes: object) -> str:
        """By our own key unless another is given: what is wrong is what it says."""
        said = {name: value for name, value in {**self.claims, **changes}.items() if value is not None}
        return jwt.encode(said, key or self.ours, algorithm="EdDSA", headers={**self.header, **(head or {})})

    def joined(self, said: object, sign: Callable[[bytes], bytes] | None = None, **head: object) -> str:
        """Whatever a library would refuse to make."""
        parts = ({name: value for name, value in {**self.header, **head}.items() if value is not None}, said)
        text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
        return f"{text}.{base64url((sign or self.ours.sign)(text.encode()))}"

    def by_secret(self, secret: bytes, algorithm: str = "HS256") -> str:
        """As a naive checker would verify it: with the published key as the secret of an HMAC."""
        return self.joined(self.claims, lambda text: hmac.digest(secret, text, "sha256"), alg=algorithm)

    def tampered(self, payload: str) -> str:
        """With the signature of what it said before."""
        return f"{self.opening}.{base64url(payload.encode())}.{self.closing}"


def with_other_keys(forge: Forge) -> dict[str, str]:
    public = forge.ours.public_key()
    raw = public.public_bytes_raw()
    theirs = base64url(forge.stranger.public_key().public_bytes_raw())
    kid, jwk = forge.header["kid"], {"kty": "OKP", "crv": "Ed25519", "x": theirs}
    return {
        "none": forge.joined(forge.claims, no_signature, alg="none"),
        "None": forge.joined(forge.claims, no_signature, alg="nOnE"),
        "no signature": forge.good.rpartition(".")[0] + ".",
        "another key": forge.signed(forge.stranger),
        "another key under no id": forge.joined(forge.claims, forge.stranger.sign, kid=None),
        "the published key as a secret": forge.by_secret(raw),
        "the published key in PEM as a secret": forge.by_secret(
            public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        ),
        "the published key as text as a secret": forge.by_secret(base64url(raw).encode()),
        "a secret that says EdDSA": forge.by_secret(raw, "EdDSA"),
        "key inside": forge.signed(head={"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}}),
        "key inside that fits": forge.signed(forge.stranger, head={"jwk": jwk, "kid": kid}),
        "key by address": forge.signed(head={"jku": "https://elsewhere.test/jwks.json"}),
        "certificate by address": forge.signed(head={"x5u": "https://elsewhere.test/cert"}),
        "other key id": forge.signed(head={"kid": "0"}),
        "no key id": forge.joined(forge.claims, kid=None),
        "a key id that is a path": forge.signed(forge.stranger, head={"kid": "../../dev/null"}),
        "a key id that is a list": forge.joined(forge.claims, kid=[kid]),
    }


def with_other_headers(forge: Forge) -> dict[str, str]:
    return {
        "critical": forge.signed(head={"crit": ["b64"], "b64": True}),
        "critical and unknown": forge.signed(head={"crit": ["exp"]}),
        "unencoded payload": forge.signed(head={"b64": False}),
        "encrypted": forge.joined(forge.claims, enc="A256GCM", alg="dir"),
        "other type": forge.signed(head={"typ": "JWT"}),
        "type in capitals": forge.signed(head={"typ": "AT+JWT"}),
        "type in full": forge.signed(head={"typ": "application/at+jwt"}),
        "no type": forge.joined(forge.claims, typ=None),
    }


def with_other_claims(forge: Forge) -> dict[str, str]:
    signed, claims, now = forge.signed, forge.claims, forge.now
    return {
        "role claimed": forge.tampered(json.dumps({**claims, "role": "owner"})),
        "role claimed as well": forge.tampered(json.dumps(claims)[:-1] + ', "role": "owner"}'),
        "session of someone else": forge.tampered(json.dumps({**claims, "sid": str(uuid4())})),
        "scope widened": forge.tampered(json.dumps({**claims, "scope": "audit.read organization.change"})),
        "no session": signed(sid=None),
        "a session that is none": signed(sid="none"),
        "over": signed(iat=now - 700, exp=now - 100),
        "for years": signed(exp=now + 10**8),
        "no end": signed(exp=None),
        "end that is no number": signed(exp="never"),
        "end that is infinite": signed(exp=float("inf")),
        "not yet": signed(nbf=now + 300),
        "issued tomorrow": signed(iat=now + 86_400, exp=now + 86_400 + 300),
        "other issuer": signed(iss="https://elsewhere.test"),
        "issuer among others": forge.joined({**claims, "iss": [claims["iss"]]}),
        "other audience": signed(aud="another"),
        "audiences": signed(aud=["daybook", "another"]),
        "no audience": signed(aud=None),
        "unknown role": signed(role="god"),
        "no organization": signed(org=None),
        "claims that are a list": forge.joined([claims]),
        "not a token": "abc",
        "huge": "a" * 5_000,
        "binary": "\u00e9\u00e8",
    }


@pytest.mark.security(17, 25, 26)
def test_no_forged_token_gets_in(house: House) -> None:
    good = sign_in(house.api, house.emails["staff"])["access_token"]
    with house.api.client() as client:
        forge = Forge(good)
        for right in (forge.signed(), forge.joined(forge.claims)):
            made(client.get("/v1/services", headers={"Authorization": f"Bearer {right}"}), 200)
        forged = {**with_other_keys(forge), **with_other_headers(forge), **with_other_claims(forge)}
        for name, token in forged.items():
            headers = {b"Authorization": f"Bearer {token}".encode("latin-1", "replace")}
            answer = client.get("/v1/services", headers=headers)
            assert answer.status_code == 401, name
            problem(answer, 401, "unauthenticated")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer"), name
        for header in ("", "Bearer", "Basic abc", f"Token {good}", good):
            problem(client.get("/v1/services", headers={"Authorization": header}), 401, "unauthenticated")
        assert client.get("/v1/services", headers={"Authorization": f"bearer {good}"}).status_code == 200


def test_the_keys_of_tokens_are_published_and_may_be_kept_for_minutes(api: RunningApi, house: House) -> None:
    good = sign_in(house.api, house.emails["staff"])["access_token"]
    with api.client() as anyone:
        answer = anyone.get("/.well-known/jwks.json")

    key_set = made(answer, 200)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    key = jwt.PyJWKSet.from_dict(key_set)[jwt.get_unverified_header(good)["kid"]]
    assert jwt.decode(good, key, ["EdDSA"], audience="daybook", issuer=api.url)["org"] == house.id


def test_a_verified_token_is_remembered_only_until_it_ends_and_not_without_bound() -> None:
    from adapters.tokens import SignedTokens
    from api.verified_tokens import TOKEN_BYTES, VerifiedTokens
    from application.lru import ENTRY_BYTES
    from application.sign_in import InvalidToken
    from domain.account import Role
    from domain.permissions import Actor

    actor = Actor(uuid4(), uuid4(), uuid4(), Role.STAFF, session_id=uuid4())
    tokens = SignedTokens(bytes(32), issuer="x")
    tokens.lifetime_s = 1
    verified = VerifiedTokens(tokens, lambda _: None, bytes_max=3 * (TOKEN_BYTES + ENTRY_BYTES))
    short = tokens.issue(actor)
    assert verified.bearer(short).actor == actor
    time.sleep(1.1)
    with pytest.raises(InvalidToken):
        verified.bearer(short)
    tokens.lifetime_s = 60
    for _ in range(5):
        verified.bearer(tokens.issue(actor))
    assert len(verified.kept) == 3


def test_a_remembered_token_takes_about_as_much_memory_as_is_said() -> None:
    from adapters.tokens import SignedTokens
    from api.verified_tokens import VerifiedTokens
    from domain.account import Role
    from domain.permissions import Actor

    tokens = SignedTokens(bytes(32), issuer="https://book.harbour.example")
    verified = VerifiedTokens(tokens, lambda _: None)
    issued = [
        tokens.issue(Actor(uuid4(), uuid4(), uuid4(), Role.STAFF, session_id=uuid4())).encode() for _ in range(200)
    ]
    verified.bearer(issued[0].decode())
    before = verified.kept.bytes
    tracemalloc.start()
    try:
        for token in issued[1:]:
            verified.bearer(token.decode())
        gc.collect()
        took = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert verified.kept.bytes - before == pytest.approx(took, rel=0.3)
