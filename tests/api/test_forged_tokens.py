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


def forgeries(good: str) -> dict[str, str]:
    """Tokens that are nearly right, and under "right" one that is: what is wrong with the others is what they say."""
    ours = Ed25519PrivateKey.from_private_bytes(base64.b64decode(KEY))
    header, claims = jwt.get_unverified_header(good), jwt.decode(good, options={"verify_signature": False})
    now = int(time.time())

    def signed(key: Any = ours, *, head: dict[str, object] | None = None, **changes: object) -> str:
        said = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode(said, key, algorithm="EdDSA", headers={**header, **(head or {})})

    def unsigned(algorithm: str) -> str:
        return joined({**header, "alg": algorithm}, claims, lambda _: b"")

    def encoded(part: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    def joined(head: object, said: object, sign: Callable[[bytes], bytes]) -> str:
        text = f"{encoded(head)}.{encoded(said)}"
        return f"{text}.{base64.urlsafe_b64encode(sign(text.encode())).rstrip(b'=').decode()}"

    opening, _, closing = good.split(".")
    claimed = signed(Ed25519PrivateKey.generate(), role="owner").split(".")[1]
    raw = ours.public_key().public_bytes_raw()
    public = base64.b64encode(raw).decode()
    pem = ours.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    stranger = Ed25519PrivateKey.generate()
    theirs = base64.urlsafe_b64encode(stranger.public_key().public_bytes_raw()).rstrip(b"=").decode()

    def by_secret(secret: bytes, *, algorithm: str = "HS256") -> str:
        """Signed as a naive checker would verify it: with the published key as the secret of an HMAC."""
        return joined({**header, "alg": algorithm}, claims, lambda text: hmac.digest(secret, text, "sha256"))

    def tampered(**changes: object) -> str:
        """With the signature of what it said before."""
        payload = encoded({**claims, **changes})
        return f"{opening}.{payload}.{closing}"

    twice = json.dumps(claims)[:-1] + ', "role": "owner"}'
    return {
        "right": signed(),
        "the published key as a secret": by_secret(raw),
        "the published key in PEM as a secret": by_secret(pem),
        "the published key as text as a secret": by_secret(public.encode()),
        "a secret that says EdDSA": by_secret(raw, algorithm="EdDSA"),
        "key inside that fits": signed(
            stranger, head={"jwk": {"kty": "OKP", "crv": "Ed25519", "x": theirs}, "kid": header["kid"]}
        ),
        "our key id, another key": signed(stranger, head={"kid": header["kid"]}),
        "no key id": joined({"alg": "EdDSA", "typ": "at+jwt"}, claims, ours.sign),
        "a key id that is a path": signed(stranger, head={"kid": "../../dev/null"}),
        "a key id that is a list": joined({**header, "kid": [header["kid"]]}, claims, lambda _: b"0" * 64),
        "critical and unknown": signed(head={"crit": ["exp"]}),
        "unencoded payload": signed(head={"b64": False}),
        "certificate by address": signed(head={"x5u": "https://elsewhere.test/cert"}),
        "encrypted": joined({**header, "enc": "A256GCM", "alg": "dir"}, claims, lambda _: b""),
        "session of someone else": tampered(sid=str(uuid4())),
        "no session": signed(sid=None),
        "a session that is none": signed(sid="none"),
        "scope widened": tampered(scope="audit.read organization.change"),
        "claims twice": f"{opening}.{base64.urlsafe_b64encode(twice.encode()).rstrip(b'=').decode()}.{closing}",
        "type in capitals": signed(head={"typ": "AT+JWT"}),
        "type in full": signed(head={"typ": "application/at+jwt"}),
        "no type": signed(head={"typ": None}),
        "not yet": signed(nbf=now + 300),
        "issued tomorrow": signed(iat=now + 86_400, exp=now + 86_400 + 300),
        "end that is no number": signed(exp="never"),
        "end that is infinite": signed(exp=float("inf")),
        "issuer among others": joined(header, {**claims, "iss": [claims["iss"]]}, ours.sign),
        "claims that are a list": joined(header, [claims], ours.sign),
        "none": unsigned("none"),
        "None": unsigned("nOnE"),
        "no signature": good.rpartition(".")[0] + ".",
        "another key": signed(Ed25519PrivateKey.generate()),
        "the public key as a secret": jwt.encode(claims, public, algorithm="HS256", headers={"typ": "at+jwt"}),
        "role claimed": f"{opening}.{claimed}.{closing}",
        "over": signed(iat=now - 700, exp=now - 100),
        "for years": signed(exp=now + 10**8),
        "no end": signed(exp=None),
        "other issuer": signed(iss="https://elsewhere.test"),
        "other audience": signed(aud="another"),
        "audiences": signed(aud=["daybook", "another"]),
        "no audience": signed(aud=None),
        "other type": signed(head={"typ": "JWT"}),
        "key by address": signed(head={"jku": "https://elsewhere.test/jwks.json"}),
        "key inside": signed(head={"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}}),
        "critical": signed(head={"crit": ["b64"], "b64": True}),
        "other key id": signed(head={"kid": "0"}),
        "unknown role": signed(role="god"),
        "no organization": signed(org=None),
        "not a token": "abc",
        "huge": "a" * 5_000,
        "binary": "\u00e9\u00e8",
    }


@pytest.mark.security(17, 25, 26)
def test_no_forged_token_gets_in(house: House) -> None:
    good = sign_in(house.api, house.emails["staff"])["access_token"]
    with house.api.client() as client:
        forged = forgeries(good)
        made(client.get("/v1/services", headers={"Authorization": f"Bearer {forged.pop('right')}"}), 200)
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
