"""Whose account it is that a person of the organization's identity provider signs in to, and who becomes a customer."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from infra.embedded import EmbeddedStack
from tests.api.house import PASSWORD, House, key, made, opened_house, problem, sign_in
from tests.api.newcomers import Browser, bring
from tests.api.people_at_the_door import Someone, change, member, noted, registered, token_asked
from tests.api.running_api import RunningApi, running_api
from tests.identity_provider import Provider, providing

pytestmark = pytest.mark.security(30)


@pytest.fixture(scope="module")
def api(servers: EmbeddedStack, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """Where a provider may be on this very machine."""
    with running_api(servers, postgres_url, tmp_path_factory.mktemp("api"), webhook_loopback=True) as running:
        yield running


@pytest.fixture(scope="module")
def the_provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture
def provider(the_provider: Provider, house: House) -> Provider:
    """It speaks for someone whom nobody has linked."""
    the_provider.behaves()
    bring(house, the_provider)
    the_provider.claims["sub"] = uuid4().hex
    return the_provider


@pytest.fixture
def browser(api: RunningApi) -> Browser:
    return Browser(api)


def link(someone: Someone, house: House, **changes: str) -> dict[str, str]:
    browser = Browser(someone.api)
    return {"ticket": browser.ticket(house), "code_verifier": browser.verifier, "password": PASSWORD, **changes}


def email() -> str:
    return f"{uuid4().hex}@people.test"


def says(provider: Provider, address: str, *, verified: bool = True) -> None:
    provider.claims |= {"email": address, "email_verified": verified, "name": "Ana Souza"}


def test_whom_no_account_is_linked_with_is_told_so(house: House, provider: Provider, browser: Browser) -> None:
    ana = registered(house)
    says(provider, ana.email)  # the same address makes nobody the same person

    problem(browser.signs_in(house), 401, "identity-unlinked")


def test_a_link_takes_the_password_and_a_good_ticket(house: House, provider: Provider, browser: Browser) -> None:
    ana = registered(house)

    problem(ana.post("/auth/oidc/link", link(ana, house, password="not it")), 422, "wrong-password")
    problem(ana.post("/auth/oidc/link", link(ana, house, ticket="made up")), 422, "code-refused")
    problem(ana.post("/auth/oidc/link", link(ana, house, code_verifier="v" * 43)), 422, "code-refused")

    problem(browser.signs_in(house), 401, "identity-unlinked")


def test_a_link_is_made_once_and_a_retry_is_told_so(house: House, provider: Provider) -> None:
    ana, body = registered(house), {}
    body = link(ana, house)
    named = key()

    made(ana.post("/auth/oidc/link", body, **named), 200)
    again = ana.post("/auth/oidc/link", body, **named)

    assert made(again, 200) == {"linked": True}
    assert again.headers["idempotent-replay"] == "true"
    problem(ana.post("/auth/oidc/link", body), 422, "code-refused")
    problem(ana.post("/auth/oidc/link", link(ana, house)), 409, "already-so")


def test_one_identity_signs_in_to_one_account(house: House, provider: Provider) -> None:
    ana, bia = registered(house), registered(house)
    made(ana.post("/auth/oidc/link", link(ana, house)), 200)

    problem(bia.post("/auth/oidc/link", link(bia, house)), 409, "identity-taken")


def test_a_ticket_of_one_house_links_no_account_of_another(house: House, provider: Provider) -> None:
    neighbour = opened_house(house.api)
    stranger = registered(neighbour)

    problem(stranger.post("/auth/oidc/link", link(stranger, house)), 422, "code-refused")


def test_a_new_customer_is_made_of_whom_the_provider_has_verified(
    house: House, provider: Provider, browser: Browser
) -> None:
    bring(house, provider, "customers")
    address = email()
    says(provider, address)

    first, second = made(browser.signs_in(house), 200), made(browser.signs_in(house), 200)

    accounts = []
    for tokens in (first, second):
        with house.api.client(tokens["access_token"]) as client:
            accounts += made(client.get("/v1/accounts"), 200)["items"]
            [customer] = made(client.get("/v1/customers"), 200)["items"]
    assert accounts[0] == accounts[1]
    assert (accounts[0]["role"], accounts[0]["email_verified"]) == ("customer", True)
    assert (customer["display_name"], customer["email"]) == ("Ana Souza", address)
    # The provider is the only way in: there is no password, and no address to sign in with.
    form = {"grant_type": "password", "username": address, "password": PASSWORD}
    problem(token_asked(house.api, **form), 401, "sign-in-refused")


def test_nobody_becomes_a_customer_by_an_address_that_is_not_verified(
    house: House, provider: Provider, browser: Browser
) -> None:
    bring(house, provider, "customers")
    says(provider, email(), verified=False)
    problem(browser.signs_in(house), 401, "identity-unlinked")
    provider.claims |= {"email_verified": "true"}
    problem(browser.signs_in(house), 401, "identity-unlinked")


def test_nobody_is_taken_for_who_has_an_account_with_the_same_address(
    house: House, provider: Provider, browser: Browser
) -> None:
    bring(house, provider, "customers")
    ana = registered(house)
    says(provider, ana.email.upper())

    problem(browser.signs_in(house), 409, "email-taken")

    assert ana.account()["email"] == ana.email
    assert noted(house, "access.signed_in.v1", ana.id)[-1]["method"] == "password"


def test_a_provider_does_not_tell_who_has_an_account_elsewhere(
    house: House, provider: Provider, browser: Browser
) -> None:
    bring(house, provider, "customers")
    elsewhere = registered(opened_house(house.api))
    says(provider, elsewhere.email)

    made(browser.signs_in(house), 200)

    elsewhere.signs_in_again()  # to the account that the address signs in to, as before


def test_a_disabled_account_is_not_signed_in_to(house: House, provider: Provider, browser: Browser) -> None:
    ana = registered(house)
    made(ana.post("/auth/oidc/link", link(ana, house)), 200)
    made(house.post(f"/accounts/{ana.id}/disable", **{"If-Match": "*"}), 200)

    problem(browser.signs_in(house), 401, "sign-in-refused")

    assert [one["reason"] for one in noted(house, "access.sign_in_refused.v1", ana.id)] == ["disabled"]


def test_a_second_factor_that_the_house_demands_is_the_providers_affair(
    house: House, provider: Provider, browser: Browser
) -> None:
    neighbour = opened_house(house.api)
    bring(neighbour, provider)
    staff = member(neighbour, "staff")
    made(staff.post("/auth/oidc/link", link(staff, neighbour)), 200)
    demand = {"second_factor_roles": ["staff"]}
    path = f"/v1/organizations/{neighbour.id}"
    made(neighbour["owner"].patch(path, json=demand, headers={**key(), "If-Match": "*"}), 200)

    tokens = made(browser.signs_in(neighbour), 200)
    by_password = sign_in(house.api, staff.email)
    refreshed = token_asked(house.api, grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    for held in (tokens, made(refreshed, 200)):
        with house.api.client(held["access_token"]) as client:
            made(client.get("/v1/appointments", params={"start": "2027-02-01", "end": "2027-02-02"}), 200)
    with house.api.client(by_password["access_token"]) as client:
        refused = client.get("/v1/appointments", params={"start": "2027-02-01", "end": "2027-02-02"})
    problem(refused, 403, "second-factor-required")


def test_nobody_signs_in_by_a_provider_that_was_removed(house: House, provider: Provider, browser: Browser) -> None:
    ana = registered(house)
    made(ana.post("/auth/oidc/link", link(ana, house)), 200)
    ticket, started = browser.ticket(house), browser.starts(house)

    made(house["owner"].delete("/v1/identity-provider"), 200)

    problem(browser.exchanges(ticket), 401, "oidc-refused")
    problem(browser.comes_back(browser.goes(started.headers["location"])), 401, "oidc-refused")
    problem(browser.starts(house), 404, "not-found")
    problem(house["owner"].get("/v1/identity-provider"), 404, "not-found")
    assert house.api.rows(f"SELECT 1 FROM oidc_client_secret WHERE organization_id = '{house.id}'") == []


def test_the_owner_sees_the_provider_and_nobody_its_secret(house: House, provider: Provider) -> None:
    shown = made(house["owner"].get("/v1/identity-provider"), 200)
    problem(house["manager"].get("/v1/identity-provider"), 403, "forbidden")

    assert shown["issuer"] == provider.issuer
    assert shown["redirect_uri"] == f"{house.api.url}/v1/auth/oidc/{house.id}/callback"
    assert provider.client_secret not in str(shown)
    facts = house.api.rows("SELECT convert_from(state, 'UTF8') FROM stored_events")
    assert provider.client_secret not in str(facts)
    [(sealed,)] = house.api.rows(f"SELECT sealed FROM oidc_client_secret WHERE organization_id = '{house.id}'")
    assert provider.client_secret.encode() not in bytes(sealed)


def test_what_the_provider_says_of_a_person_is_in_no_fact(house: House, provider: Provider, browser: Browser) -> None:
    bring(house, provider, "customers")
    says(provider, address := email())

    made(browser.signs_in(house), 200)

    facts = str(house.api.rows("SELECT convert_from(state, 'UTF8') FROM stored_events"))
    assert address not in facts
    assert provider.claims["sub"] not in facts


def test_a_provider_that_is_away_is_told_from_one_that_refuses(house: House, browser: Browser) -> None:
    with providing() as gone:
        bring(house, gone)

    away = problem(browser.starts(house), 503, "identity-provider-unavailable")
    assert away["status"] == 503


def test_an_issuer_is_no_address_of_the_inside(house: House) -> None:
    body = {"issuer": "https://10.0.0.1", "client_id": "x", "client_secret": "x", "sign_up": "customers"}

    refused = house["owner"].put("/v1/identity-provider", json=body, headers=key())

    assert problem(refused, 422, "invalid-value")["errors"][0]["pointer"] == "/issuer"


def test_attempts_and_tickets_that_are_over_are_swept_away(house: House, provider: Provider, browser: Browser) -> None:
    browser.starts(house)
    browser.ticket(house)
    for table in ("oidc_attempt", "oidc_ticket"):
        change(house.api, f"UPDATE {table} SET expires_at = expires_at - interval '1 hour'")

    browser.ticket(house)

    assert house.api.rows("SELECT 1 FROM oidc_attempt") == []
    assert len(house.api.rows("SELECT 1 FROM oidc_ticket")) == 1
