"""Sign-in by the organization's own identity provider, against a strict one that misbehaves when told to."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from infra.embedded import EmbeddedStack
from tests.api.house import House, made, opened_house, problem
from tests.api.newcomers import WRONG, Browser, bring, linked, of_whom
from tests.api.people_at_the_door import change, noted
from tests.api.running_api import RunningApi, running_api
from tests.identity_provider import Provider, key_of, parameters, providing

pytestmark = pytest.mark.security(30)


@pytest.fixture(scope="module")
def api(servers: EmbeddedStack, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """Where a provider may be on this very machine."""
    directory = tmp_path_factory.mktemp("api")
    allowed = ("https://book.example",)
    with running_api(servers, postgres_url, directory, webhook_loopback=True, allowed_origins=allowed) as running:
        yield running


@pytest.fixture(scope="module")
def the_provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture
def provider(the_provider: Provider, house: House) -> Provider:
    the_provider.behaves()
    bring(house, the_provider)
    return the_provider


@pytest.fixture
def browser(api: RunningApi) -> Browser:
    return Browser(api)


def test_whoever_has_linked_their_account_signs_in_to_it(house: House, provider: Provider, browser: Browser) -> None:
    ana = linked(house, provider, "ana")

    tokens = made(browser.signs_in(house), 200)

    with house.api.client(tokens["access_token"]) as client:
        sessions = made(client.get("/v1/auth/sessions"), 200)["items"]
    assert [one["method"] for one in sessions if one["current"]] == ["oidc"]
    assert [one["method"] for one in noted(house, "access.signed_in.v1", ana.id)] == ["password", "oidc"]


def test_a_session_by_the_provider_is_refreshed_like_any_other(
    house: House, provider: Provider, browser: Browser
) -> None:
    ana = linked(house, provider, "ana who stays")
    first = made(browser.signs_in(house), 200)
    ana.refresh_token = first["refresh_token"]

    ana.refreshed()

    assert ana.account()["id"] == ana.id


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_each_algorithm_that_only_the_provider_can_sign_with_is_taken(
    house: House, provider: Provider, browser: Browser, algorithm: str
) -> None:
    ana = linked(house, provider, f"ana by {algorithm}")
    provider.key = key_of(algorithm)  # not among the keys that are known from before: they are fetched once more

    assert of_whom(house.api, browser.signs_in(house)) == ana.id


@pytest.mark.parametrize("claims", WRONG, ids=str)
def test_an_id_token_that_says_something_else_lets_nobody_in(
    house: House, provider: Provider, browser: Browser, claims: dict[str, Any]
) -> None:
    ana = linked(house, provider, f"ana of {claims}")
    provider.claims |= claims

    problem(browser.returns(house), 401, "oidc-refused")

    assert [one["reason"] for one in noted(house, "access.sign_in_refused.v1", ana.id)] == ["identity_refused"]


@pytest.mark.parametrize(
    "signs", ["none", "HS256 with the public key", "with another's key", "with a key of no name", "RS512"]
)
def test_an_id_token_that_the_provider_did_not_sign_lets_nobody_in(
    house: House, provider: Provider, browser: Browser, signs: str
) -> None:
    ana = linked(house, provider, f"ana by {signs}")
    provider.signs = signs

    problem(browser.returns(house), 401, "oidc-refused")

    assert [one["reason"] for one in noted(house, "access.sign_in_refused.v1", ana.id)] == ["identity_refused"]


def test_keys_are_fetched_once_more_for_one_that_is_not_known_and_no_oftener(
    house: House, provider: Provider, browser: Browser
) -> None:
    linked(house, provider, "ana of the keys")
    provider.signs, asked = "with a key of no name", len(provider.asked)

    problem(browser.returns(house), 401, "oidc-refused")

    assert provider.asked[asked:].count("/jwks") == 1


def test_an_answer_is_taken_once(house: House, provider: Provider, browser: Browser) -> None:
    back = browser.goes(browser.starts(house).headers["location"])
    assert browser.comes_back(back).status_code == 303

    problem(browser.comes_back(back), 401, "oidc-refused")


def test_a_code_that_was_used_is_refused_by_the_provider(house: House, provider: Provider, browser: Browser) -> None:
    used = parameters(browser.goes(browser.starts(house).headers["location"]))["code"]
    provider.codes.pop(used)
    again = browser.goes(browser.starts(house).headers["location"])

    problem(browser.comes_back(again.replace(parameters(again)["code"], used)), 401, "oidc-refused")


def test_an_answer_is_taken_from_the_browser_that_was_sent_only(
    house: House, provider: Provider, browser: Browser
) -> None:
    back = browser.goes(browser.starts(house).headers["location"])
    other = Browser(house.api)
    other.starts(house)

    problem(browser.comes_back(back, cookie=""), 401, "oidc-refused")
    problem(browser.comes_back(back, cookie=other.cookie), 401, "oidc-refused")

    assert browser.comes_back(back).status_code == 303  # nobody else could use it up


def test_an_answer_comes_within_ten_minutes(house: House, provider: Provider, browser: Browser) -> None:
    back = browser.goes(browser.starts(house).headers["location"])
    change(house.api, "UPDATE oidc_attempt SET expires_at = expires_at - interval '10 minutes'")

    problem(browser.comes_back(back), 401, "oidc-refused")


def test_whoever_says_no_at_the_provider_is_not_let_in(house: House, provider: Provider, browser: Browser) -> None:
    state = parameters(browser.starts(house).headers["location"])["state"]

    refused = browser.comes_back(f"{provider.redirect_uri}?error=access_denied&state={state}&iss={provider.issuer}")

    problem(refused, 401, "oidc-refused")


def test_the_browser_is_known_by_a_cookie_that_no_page_and_no_other_host_can_touch(
    house: House, provider: Provider, browser: Browser
) -> None:
    cookie = browser.starts(house).headers["set-cookie"]

    name, _, attributes = cookie.partition("=")
    assert name == "__Host-daybook-oidc"
    said = {one.strip().lower() for one in attributes.split(";")[1:]}
    assert said == {"httponly", "secure", "samesite=lax", "path=/", "max-age=600"}


def test_the_provider_is_asked_with_pkce_and_for_the_exact_address(
    house: House, provider: Provider, browser: Browser
) -> None:
    url = browser.starts(house).headers["location"]
    asked = parameters(url)

    assert asked["redirect_uri"] == f"{house.api.url}/v1/auth/oidc/{house.id}/callback"
    assert asked["code_challenge_method"] == "S256"
    without = str(httpx.URL(url).copy_remove_param("code_challenge"))
    assert httpx.get(without).status_code == 400  # the provider is strict
    assert httpx.get(str(httpx.URL(url).copy_set_param("redirect_uri", f"{house.api.url}/"))).status_code == 400


def test_a_code_for_another_verifier_is_refused(house: House, provider: Provider, browser: Browser) -> None:
    url = httpx.URL(browser.starts(house).headers["location"]).copy_set_param("code_challenge", "A" * 43)

    problem(browser.comes_back(browser.goes(str(url))), 401, "oidc-refused")


@pytest.mark.parametrize(
    "return_to",
    [
        "https://evil.example/",
        "//evil.example/",
        "/relative",
        "https://book.example.evil.example/",
        "https://book.example@evil.example/",
        "https://book.example:444/",
        "https://book.example\\@evil.example/",
        "https://book.example/\\evil",
        "http://book.example/",
        "HTTPS://BOOK.EXAMPLE/",
        "https://book.example/#ticket=mine",
        "https://book.example/\r\nSet-Cookie: a=b",
        "javascript:alert(1)//https://book.example/",
        " https://book.example/",
    ],
)
def test_nobody_is_sent_on_to_a_page_that_is_not_ours(
    house: House, provider: Provider, browser: Browser, return_to: str
) -> None:
    refused = problem(browser.starts(house, return_to), 422, "invalid-value")

    assert refused["errors"][0]["pointer"] == "/return_to"


def test_the_ticket_stands_where_no_server_sees_it(house: House, provider: Provider, browser: Browser) -> None:
    started = browser.starts(house, "https://book.example/signed-in?at=home")

    back = browser.comes_back(browser.goes(started.headers["location"]))

    page, _, fragment = back.headers["location"].partition("#")
    assert page == "https://book.example/signed-in?at=home"
    assert fragment.startswith("ticket=")
    assert back.headers["referrer-policy"] == "no-referrer"
    assert back.headers["cache-control"] == "no-store"


def test_a_ticket_is_good_once_for_who_began_and_for_a_minute(
    house: House, provider: Provider, browser: Browser
) -> None:
    ana = linked(house, provider, "ana of the tickets")
    stolen, late, good = (browser.ticket(house) for _ in range(3))

    problem(browser.exchanges(stolen, verifier="v" * 43), 401, "oidc-refused")
    assert of_whom(house.api, browser.exchanges(good)) == ana.id
    problem(browser.exchanges(good), 401, "oidc-refused")
    change(house.api, "UPDATE oidc_ticket SET expires_at = expires_at - interval '60 s'")
    problem(browser.exchanges(late), 401, "oidc-refused")


@pytest.fixture
def neighbours(house: House, provider: Provider) -> Iterator[tuple[House, Provider]]:
    """Another house, with a provider of its own."""
    with providing() as other:
        neighbour = opened_house(house.api)
        bring(neighbour, other)
        yield neighbour, other


def test_another_providers_answer_is_not_taken_for_this_ones(
    house: House, provider: Provider, neighbours: tuple[House, Provider], browser: Browser
) -> None:
    neighbour, other = neighbours

    def mixed_up() -> dict[str, str]:
        """The attempt is at the neighbour's provider, which sent the browser to ours: its code is what it is after."""
        state = parameters(browser.starts(neighbour).headers["location"])["state"]
        honest = Browser(house.api)
        return {**parameters(honest.goes(honest.starts(house).headers["location"])), "state": state}

    # With our own address, where the honest provider sends it; at the other's, by its issuer.
    problem(browser.comes_back(f"{provider.redirect_uri}?{httpx.QueryParams(mixed_up())}"), 401, "oidc-refused")
    problem(browser.comes_back(f"{other.redirect_uri}?{httpx.QueryParams(mixed_up())}"), 401, "oidc-refused")
    assert "/token" not in other.asked


def test_a_provider_that_names_itself_always_does(house: House, provider: Provider, browser: Browser) -> None:
    provider.tells_iss = False

    problem(browser.returns(house), 401, "oidc-refused")


def test_the_same_name_at_another_house_is_somebody_else(
    house: House, provider: Provider, neighbours: tuple[House, Provider], browser: Browser
) -> None:
    neighbour, _ = neighbours
    linked(house, provider, "ana of one house")
    at_home = provider.redirect_uri
    bring(neighbour, provider)

    problem(browser.signs_in(neighbour), 401, "identity-unlinked")

    provider.redirect_uri = at_home


def test_a_parameter_that_comes_twice_is_no_answer(house: House, provider: Provider, browser: Browser) -> None:
    back = browser.goes(browser.starts(house).headers["location"])

    problem(browser.comes_back(f"{back}&code=another"), 400, "malformed-request")
