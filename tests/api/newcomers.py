"""A house with an identity provider, and browsers that go there and come back."""

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.api.house import PASSWORD, House, key, made
from tests.api.people_at_the_door import Someone, registered, token_asked
from tests.api.running_api import RunningApi
from tests.identity_provider import Provider, base64url

GRANT = "urn:daybook:oidc-ticket"
COOKIE = "__Host-daybook-oidc"


WRONG: list[dict[str, Any]] = [
    {"iss": "https://login.example.com"},
    {"aud": "another client"},
    {"aud": ["daybook of the tests", "another client"]},
    {"azp": "another client"},
    {"nonce": "of another attempt"},
    {"nonce": None},
    {"exp": 1_700_000_000},
    {"exp": None},
    {"iat": 4_000_000_000},
    {"iat": None},
    {"at_hash": "of-another-token"},
]
"""What an ID token must not say; None leaves it out."""


def challenge_of(verifier: str) -> str:
    return base64url(hashlib.sha256(verifier.encode()).digest())


def bring(house: House, provider: Provider, sign_up: str = "existing_accounts") -> dict[str, Any]:
    """The house registers the provider, and is registered there."""
    body = {
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "sign_up": sign_up,
    }
    told = made(house["owner"].put("/v1/identity-provider", json=body, headers=key()), 200)
    provider.redirect_uri = told["redirect_uri"]
    return told


@dataclass
class Browser:
    """``cookie``: what it was given to be known again by. ``verifier``: of the program that runs in it."""

    api: RunningApi
    cookie: str = ""
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def starts(self, house: House, return_to: str | None = None, challenge: str | None = None) -> httpx.Response:
        form = {"return_to": return_to or self.api.url, "code_challenge": challenge or challenge_of(self.verifier)}
        with self.api.client() as client:
            answer = client.post(f"/v1/auth/oidc/{house.id}/start", data=form)
        if answer.status_code == 303:
            self.cookie = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
        return answer

    def goes(self, url: str) -> str:
        """To the provider, which sends it on."""
        answer = httpx.get(url)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def comes_back(self, url: str, cookie: str | None = None) -> httpx.Response:
        sent = self.cookie if cookie is None else cookie
        return httpx.get(url, headers={"Cookie": f"{COOKIE}={sent}"} if sent else {})

    def returns(self, house: House) -> httpx.Response:
        """There and back."""
        started = self.starts(house)
        assert started.status_code == 303, started.text
        return self.comes_back(self.goes(started.headers["location"]))

    def ticket(self, house: House) -> str:
        back = self.returns(house)
        assert back.status_code == 303, back.text
        return str(back.headers["location"].partition("#ticket=")[2])

    def exchanges(self, ticket: str, verifier: str | None = None) -> httpx.Response:
        return token_asked(self.api, grant_type=GRANT, ticket=ticket, code_verifier=verifier or self.verifier)

    def signs_in(self, house: House) -> httpx.Response:
        return self.exchanges(self.ticket(house))


def linking(someone: Someone, house: House, **changes: str) -> httpx.Response:
    browser = Browser(someone.api)
    body = {"ticket": browser.ticket(house), "code_verifier": browser.verifier, "password": PASSWORD, **changes}
    return someone.post("/auth/oidc/link", body)


def linked(house: House, provider: Provider, subject: str) -> Someone:
    """Someone with an account, whom the provider knows by that name and speaks for from now on."""
    someone, provider.claims["sub"] = registered(house), subject
    assert made(linking(someone, house), 200) == {"linked": True}
    return someone


def of_whom(api: RunningApi, tokens: httpx.Response) -> str:
    """The account that the tokens are of."""
    with api.client(made(tokens, 200)["access_token"]) as client:
        [account] = made(client.get("/v1/accounts"), 200)["items"]
    return str(account["id"])
