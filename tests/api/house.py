"""An organization as tests need it: someone in each role, a practitioner, a service, a customer."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from tests.api.running_api import RunningApi

PASSWORD = "three lemons on a boat"
OFFICE_HOURS = [{"weekday": day, "start": "09:00", "end": "17:00"} for day in ("MO", "TU", "WE", "TH", "FR")]


def key() -> dict[str, str]:
    """A fresh Idempotency-Key."""
    return {"Idempotency-Key": uuid4().hex}


def made(answer: httpx.Response, status: int = 201) -> dict[str, Any]:
    """The body of a command that must have been accepted."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    body: dict[str, Any] = answer.json()
    return body


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem document that must have been answered."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"/problems/{slug}"
    assert document["status"] == status
    assert document["trace_id"]
    return document


@dataclass
class House:
    """``clients`` by role; ``position`` of the last thing that was set up."""

    api: RunningApi
    id: str
    clients: dict[str, httpx.Client]
    customer_id: str = ""
    resource_id: str = ""
    service_id: str = ""
    location_id: str = ""
    appointment_id: str = ""
    closure_id: str = ""
    waitlist_entry_id: str = ""
    series_id: str = ""
    pool_id: str = ""
    api_key_id: str = ""
    webhook_id: str = ""
    emails: dict[str, str] = field(default_factory=dict)
    account_ids: dict[str, str] = field(default_factory=dict)
    position: str = "0"

    def __getitem__(self, role: str) -> httpx.Client:
        return self.clients[role]

    def post(self, path: str, body: object = None, *, role: str = "owner", **headers: str) -> httpx.Response:
        answer = self[role].post(f"/v1{path}", json=body, headers={**key(), **headers})
        self.position = answer.headers.get("Journal-Position", self.position)
        return answer

    def get(self, path: str, *, role: str = "owner", **query: str) -> httpx.Response:
        """Reads what was written: the query waits for the last position."""
        return self[role].get(f"/v1{path}", params=query, headers={"Journal-Position": self.position})

    def book(self, start: str, *, role: str = "staff", **changes: object) -> httpx.Response:
        wanted = {"service_id": self.service_id, "start": start, "customer_id": self.customer_id, **changes}
        return self.post("/appointments", wanted, role=role)


def sign_in(api: RunningApi, email: str, password: str = PASSWORD) -> dict[str, Any]:
    form = {"grant_type": "password", "username": email, "password": password}
    with api.client() as client:
        return made(client.post("/v1/auth/token", data=form), 200)


def api_key_terms(*scopes: str, **changes: object) -> dict[str, object]:
    """What a key is issued with that lasts a day."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    return {
        "name": "A program",
        "role": "staff",
        "scopes": scopes or ("service.read",),
        "expires_at": tomorrow,
        **changes,
    }


def opened_house(api: RunningApi) -> House:
    """A new organization with everything in it."""
    mark = uuid4().hex[:8]
    emails = {role: f"{role}-{mark}@clinic.test" for role in ("owner", "manager", "staff", "auditor", "customer")}
    owner = {"email": emails["owner"], "password": PASSWORD, "display_name": "Olívia Prado"}
    with api.client() as anyone:
        organization = made(
            anyone.post("/v1/organizations", json={"name": "Clinic", "time_zone": "UTC", "owner": owner}, headers=key())
        )
    house = House(api, organization["id"], {}, emails=emails)
    house.account_ids["owner"] = organization["owner_account_id"]
    _join(house, "owner")
    for role in ("manager", "staff", "auditor"):
        body = {"email": emails[role], "password": PASSWORD, "display_name": f"A {role}", "role": role}
        house.account_ids[role] = made(house.post("/accounts", body))["id"]
        _join(house, role)
    _register_customer(house)
    house.clients["anonymous"] = api.client()
    _furnish(house)
    return house


def _join(house: House, role: str) -> None:
    house.clients[role] = house.api.client(sign_in(house.api, house.emails[role])["access_token"])


def _register_customer(house: House) -> None:
    body = {
        "organization_id": house.id,
        "email": house.emails["customer"],
        "password": PASSWORD,
        "display_name": "Ana Souza",
        "phone": "+5527999990000",
    }
    with house.api.client() as anyone:
        registered = made(anyone.post("/v1/auth/register", json=body, headers=key()))
    house.customer_id, house.account_ids["customer"] = registered["subject_id"], registered["account_id"]
    _join(house, "customer")


def _furnish(house: House) -> None:
    location = {"name": "Centro", "time_zone": "UTC", "address": "Rua Um 1"}
    house.location_id = made(house.post("/locations", location))["id"]
    resource = {
        "name": "Dra. Helena Luz",
        "kind": "practitioner",
        "location_id": house.location_id,
        "time_zone": "UTC",
        "working_hours": OFFICE_HOURS,
    }
    house.resource_id = made(house.post("/resources", resource))["id"]
    pool = {"name": "Doctors", "resource_ids": [house.resource_id], "strategy": "priority"}
    house.pool_id = made(house.post("/pools", pool))["id"]
    service = {"name": "Visit", "duration_min": 30, "requirements": [{"kind": "practitioner"}]}
    house.service_id = made(house.post("/services", service))["id"]
    webhook = {"url": "https://crm.example.com/daybook", "topics": ["series.*"]}
    house.webhook_id = made(house.post("/webhooks", webhook))["id"]
    provider = {"issuer": "https://login.example.com", "client_id": "x", "client_secret": "x"}
    provider["sign_up"] = "existing_accounts"
    made(house["owner"].put("/v1/identity-provider", json=provider, headers=key()), 200)
    # Far from where tests book.
    house.appointment_id = made(house.book("2027-02-01T10:00:00Z"))["id"]
    closure = {"start": "2027-02-08T00:00:00Z", "end": "2027-02-13T00:00:00Z"}
    house.closure_id = made(house.post(f"/resources/{house.resource_id}/closures", closure))["id"]
    waiting = {
        "service_id": house.service_id,
        "customer_id": house.customer_id,
        "windows": [{"start": "2027-02-11T09:00:00Z", "end": "2027-02-11T12:00:00Z"}],
    }
    house.waitlist_entry_id = made(house.post("/waitlist", waiting))["id"]
    recurring = {
        "service_id": house.service_id,
        "customer_id": house.customer_id,
        "start_local": "2027-02-16T10:00",
        "time_zone": "UTC",
        "rrule": "FREQ=WEEKLY;COUNT=2",
    }
    house.series_id = made(house.post("/series", recurring))["id"]
    house.api_key_id = made(house.post("/api-keys", api_key_terms()))["id"]
