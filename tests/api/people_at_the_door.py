"""People who sign in, as tests of accounts need them: new ones, the links that they were sent, their devices' codes."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pyotp
from psycopg_pool import ConnectionPool

from adapters.one_time_codes import SealedCodes
from adapters.vault import Seal
from domain.one_time_code import Purpose
from tests.api.house import PASSWORD, House, key, made, sign_in
from tests.api.running_api import RunningApi


@dataclass
class Someone:
    """``client`` is signed in; ``refresh_token`` of that session."""

    api: RunningApi
    id: str
    email: str
    client: httpx.Client
    refresh_token: str
    secret: str = ""
    subject_id: str = ""

    def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        return self.client.post(f"/v1{path}", json=body, headers={**key(), **headers})

    def tries(self, password: str = PASSWORD, **form: str) -> httpx.Response:
        return token_asked(self.api, grant_type="password", username=self.email, password=password, **form)

    def refreshes(self) -> httpx.Response:
        return token_asked(self.api, grant_type="refresh_token", refresh_token=self.refresh_token)

    def signs_in_again(self, password: str = PASSWORD, **form: str) -> None:
        self._takes(made(self.tries(password, **form), 200))

    def refreshed(self) -> None:
        self._takes(made(self.refreshes(), 200))

    def account(self) -> dict[str, Any]:
        return made(self.client.get(f"/v1/accounts/{self.id}"), 200)

    def enrols(self) -> list[str]:
        """A second factor; its recovery codes."""
        self.secret = made(self.post("/auth/second-factor", {"password": PASSWORD}), 200)["secret"]
        confirmed = made(self.post("/auth/second-factor/confirm", {"code": self.code()}), 200)
        codes: list[str] = confirmed["recovery_codes"]
        return codes

    def code(self) -> str:
        """Of the device, as if none had been used before."""
        change(self.api, f"UPDATE second_factor SET last_step = 0 WHERE account_id = '{self.id}'")
        return pyotp.TOTP(self.secret).now()

    def _takes(self, tokens: dict[str, Any]) -> None:
        self.client = self.api.client(tokens["access_token"])
        self.refresh_token = tokens["refresh_token"]


def token_asked(api: RunningApi, **form: str) -> httpx.Response:
    with api.client() as client:
        return client.post("/v1/auth/token", data=form)


def member(house: House, role: str) -> Someone:
    email = f"{role}-{uuid4().hex[:8]}@clinic.test"
    body = {"email": email, "password": PASSWORD, "display_name": "Rui", "role": role}
    return _signed_in(house.api, made(house.post("/accounts", body))["id"], email)


def registered(house: House, **changes: object) -> Someone:
    body = registration(house, **changes)
    with house.api.client() as anyone:
        answer = made(anyone.post("/v1/auth/register", json=body, headers=key()))
    someone = _signed_in(house.api, answer["account_id"], str(body["email"]))
    someone.subject_id = answer["subject_id"]
    return someone


def founder(api: RunningApi) -> Someone:
    """The owner of a new organization."""
    email = f"owner-{uuid4().hex[:8]}@clinic.test"
    owner = {"email": email, "password": PASSWORD, "display_name": "Olívia"}
    with api.client() as anyone:
        body = {"name": "Clinic", "time_zone": "UTC", "owner": owner}
        answer = made(anyone.post("/v1/organizations", json=body, headers=key()))
    return _signed_in(api, answer["owner_account_id"], email)


def registration(house: House, **changes: object) -> dict[str, object]:
    return {
        "organization_id": house.id,
        "email": f"{uuid4().hex}@people.test",
        "password": PASSWORD,
        "display_name": "Ana",
        **changes,
    }


def _signed_in(api: RunningApi, account_id: str, email: str) -> Someone:
    tokens = sign_in(api, email)
    return Someone(api, account_id, email, api.client(tokens["access_token"]), tokens["refresh_token"])


def link_sent(api: RunningApi, purpose: Purpose, account_id: str) -> str:
    """The token of the link that is under way, as the notifier sees it."""
    [(code_id,)] = api.rows(f"SELECT id FROM one_time_code WHERE purpose = '{purpose}' AND key = '{account_id}'")
    with ConnectionPool(api.settings.database_url, min_size=1) as pool:
        return SealedCodes(pool, Seal(bytes(32))).enclosed([code_id])[code_id].code


def links_requested(api: RunningApi, purpose: Purpose, account_id: str) -> int:
    """Facts that have a link sent."""
    said = f"convert_from(state, 'UTF8') LIKE '%{purpose}%' AND convert_from(state, 'UTF8') LIKE '%{account_id}%'"
    topic = "one_time_code.requested.v1"
    return int(api.rows(f"SELECT count(*) FROM stored_events WHERE topic = '{topic}' AND {said}")[0][0])


def change(api: RunningApi, statement: str) -> None:
    with psycopg.connect(api.settings.database_url) as connection:
        connection.execute(statement)


def noted(house: House, topic: str, account_id: str) -> list[dict[str, Any]]:
    """What the organization's auditor sees of an account, oldest first."""
    head = house.api.rows("SELECT max(notification_id) FROM stored_events")[0][0]
    query, caught_up = {"topic": topic, "limit": "200"}, {"Journal-Position": str(head)}
    audited = house["auditor"].get("/v1/audit/facts", params=query, headers=caught_up)
    return [one["data"] for one in made(audited, 200)["items"] if one["data"].get("account_id") == account_id]


def timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
