"""Where an identity provider may be, and what it must say of itself; what becomes of answers that never end."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from adapters.id_tokens import UnknownKey, identity_in
from adapters.oidc_providers import ANSWER_BYTES_MAX, OidcProviders
from adapters.public_network import PublicNetwork
from application.oidc import Exchange, OidcRefused, ProviderUnavailable
from domain.identity_provider import ensure_valid_issuer
from domain.refusals import InvalidValue
from tests.identity_provider import Provider, providing

pytestmark = pytest.mark.security(30, 29)

EXCHANGE = Exchange(
    issuer="https://login.example.com",
    client_id="daybook",
    client_secret="secret",
    code="code",
    verifier="verifier",
    nonce="nonce",
    redirect_uri="https://daybook.example/callback",
    iss_told=True,
)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with providing() as one:
        yield one


def ask(issuer: str, network: PublicNetwork, *, loopback_allowed: bool = False) -> str:
    async def asked() -> str:
        providers = OidcProviders(network, loopback_allowed=loopback_allowed, answer_within_s=2.0)
        try:
            return await providers.authorization_endpoint(issuer)
        finally:
            await providers.close()

    return asyncio.run(asked())


def test_a_provider_is_found_by_its_issuer(provider: Provider) -> None:
    here = PublicNetwork(loopback_allowed=True)

    assert ask(provider.issuer, here, loopback_allowed=True) == f"{provider.issuer}/authorize"


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1"])
def test_a_name_that_leads_to_a_private_address_is_connected_to_by_nobody(provider: Provider, address: str) -> None:
    async def resolve(_: str, __: int) -> list[str]:
        return [address]

    port = provider.issuer.rpartition(":")[2]
    with pytest.raises(ProviderUnavailable):
        ask(f"http://login.example.com:{port}", PublicNetwork(resolve=resolve))

    assert provider.asked == []


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example.com",
        "https://127.0.0.1",
        "https://10.1.2.3/tenant",
        "https://[::1]/",
        "https://0x7f.1/",
        "https://localhost",
        "https://metadata.internal",
        "https://me:secret@login.example.com",
        "https://login.example.com/?tenant=1",
        "https://login.example.com/#x",
    ],
)
def test_an_issuer_that_can_never_be_a_public_one_is_not_registered(issuer: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        ensure_valid_issuer(issuer, loopback_allowed=False)
    assert refusal.value.field == "issuer"


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://login.example.com"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://10.0.0.1/authorize"},
    ],
    ids=str,
)
def test_a_provider_that_says_something_else_of_itself_is_not_used(provider: Provider, said: dict[str, Any]) -> None:
    provider.metadata = said

    with pytest.raises(ProviderUnavailable):
        ask(provider.issuer, PublicNetwork(loopback_allowed=True), loopback_allowed=True)


def test_an_issuer_is_compared_character_by_character(provider: Provider) -> None:
    with pytest.raises(ProviderUnavailable):  # it calls itself so without the slash
        ask(f"{provider.issuer}/", PublicNetwork(loopback_allowed=True), loopback_allowed=True)


@pytest.mark.parametrize("said", [{"x": "y" * ANSWER_BYTES_MAX}], ids=["too long"])
def test_an_answer_has_a_size(provider: Provider, said: dict[str, Any]) -> None:
    provider.metadata = said

    with pytest.raises(ProviderUnavailable):
        ask(provider.issuer, PublicNetwork(loopback_allowed=True), loopback_allowed=True)


def test_a_provider_that_is_away_is_unavailable() -> None:
    with providing() as gone:
        issuer = gone.issuer

    with pytest.raises(ProviderUnavailable):
        ask(issuer, PublicNetwork(loopback_allowed=True), loopback_allowed=True)


def test_a_provider_is_asked_for_its_description_once_in_five_minutes(provider: Provider) -> None:
    now = [0.0]

    def monotonic() -> float:
        return now[0]

    async def asked() -> None:
        network = PublicNetwork(loopback_allowed=True)
        providers = OidcProviders(network, loopback_allowed=True, monotonic=monotonic)
        for now[0] in (0.0, 299.0, 301.0):
            await providers.authorization_endpoint(provider.issuer)
        await providers.close()

    asyncio.run(asked())

    assert len(provider.asked) == 2


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "..", "x" * 20_000, "eyJhbGciOiJSUzI1NiJ9.W10.x"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises((OidcRefused, UnknownKey)):
        identity_in(token, None, EXCHANGE, [])
