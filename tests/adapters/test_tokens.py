"""Keys of access tokens: how they are named, published and replaced while tokens are out: SECURITY.md rows 25, 26."""

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import jwt
import pytest

from adapters.tokens import AUDIENCE, SignedTokens
from application.sign_in import InvalidToken
from domain.account import Role
from domain.permissions import Actor
from infra.entrance import tokens_of
from infra.settings import Settings, SettingsError, load_settings

pytestmark = pytest.mark.security(25, 26)
FORMER, PRESENT, NEXT = (bytes([number] * 31 + [1]) for number in (1, 2, 3))
STAFF = Actor(uuid4(), uuid4(), uuid4(), Role.STAFF, session_id=uuid4())


def signing(seed: bytes, *old: bytes) -> SignedTokens:
    return SignedTokens(seed, issuer="https://book.test", old_seeds=old)


def test_the_key_is_replaced_while_tokens_are_out_and_each_is_good_until_its_key_is_gone() -> None:
    before = signing(PRESENT)
    out = before.issue(STAFF)

    announced = signing(PRESENT, NEXT)  # a restart: all processes know the next key before one of them uses it
    assert announced.verify(out).actor == STAFF
    replaced = signing(NEXT, PRESENT)
    fresh = replaced.issue(STAFF)
    assert replaced.verify(out).actor == STAFF
    assert announced.verify(fresh).actor == STAFF  # of a process that has not been restarted yet

    after = signing(NEXT)
    assert after.verify(fresh).actor == STAFF
    with pytest.raises(InvalidToken):
        after.verify(out)


def test_a_key_that_only_verifies_never_signs() -> None:
    tokens = signing(PRESENT, FORMER)

    kid = jwt.get_unverified_header(tokens.issue(STAFF))["kid"]

    assert tokens.verifying_keys()[0]["kid"] == kid
    with pytest.raises(InvalidToken):
        signing(FORMER).verify(tokens.issue(STAFF))


def test_a_token_that_names_another_of_our_keys_than_the_one_that_signed_it_is_refused() -> None:
    tokens = signing(PRESENT, FORMER)
    present, former = (one["kid"] for one in tokens.verifying_keys())
    token = signing(FORMER).issue(STAFF)
    assert jwt.get_unverified_header(token)["kid"] == former
    said = jwt.decode(token, options={"verify_signature": False})
    swapped = jwt.encode(said, signing(FORMER)._private, "EdDSA", {"typ": "at+jwt", "kid": present})

    assert tokens.verify(token).actor == STAFF
    with pytest.raises(InvalidToken):
        tokens.verify(swapped)


def test_a_key_is_never_both(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="among those that only verify"):
        signing(PRESENT, PRESENT)
    with pytest.raises(SettingsError, match=r"^DAYBOOK_SIGNING_KEYS_OLD: the key that signs is among"):
        tokens_of(settings(PRESENT, FORMER, PRESENT))


def settings(present: bytes, *old: bytes) -> Settings:
    written = [base64.b64encode(one).decode() for one in (present, *old)]
    return load_settings(
        environment="test",
        database_url="postgresql://x/y",
        signing_key=written[0],
        signing_keys_old=",".join(written[1:]),
        public_url="https://book.test",
    )


def test_the_settings_say_which_key_signs_and_which_only_verify() -> None:
    tokens = tokens_of(settings(NEXT, PRESENT, FORMER))

    assert tokens.verify(signing(FORMER).issue(STAFF)).actor == STAFF
    named = [signing(one).verifying_keys()[0]["kid"] for one in (NEXT, PRESENT, FORMER)]
    assert [one["kid"] for one in tokens.verifying_keys()] == named


def test_anyone_can_check_a_token_by_the_published_keys() -> None:
    tokens = signing(PRESENT, FORMER)
    published = jwt.PyJWKSet.from_json(json.dumps({"keys": tokens.verifying_keys()}))
    token = tokens.issue(STAFF)

    key = published[jwt.get_unverified_header(token)["kid"]]

    claims = jwt.decode(token, key, ["EdDSA"], audience=AUDIENCE, issuer="https://book.test")
    assert claims["sub"] == str(STAFF.account_id)
    for one in tokens.verifying_keys():
        assert one.keys() == {"kty", "crv", "x", "alg", "use", "kid"}  # and no private part
        known = f'{{"crv":"Ed25519","kty":"OKP","x":"{one["x"]}"}}'
        thumbprint = base64.urlsafe_b64encode(hashlib.sha256(known.encode()).digest()).rstrip(b"=").decode()
        assert one["kid"] == thumbprint


def test_a_token_belongs_to_a_session() -> None:
    with pytest.raises(AssertionError):
        signing(PRESENT).issue(replace(STAFF, session_id=None))
