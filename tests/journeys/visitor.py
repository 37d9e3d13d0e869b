"""Someone who uses the API: signs up, signs in, asks; each question carries the position of their last command."""

from typing import Any
from uuid import uuid4

import httpx

PASSWORD = "a long enough password"
TIME_ZONE = "America/Sao_Paulo"
EVERY_DAY = [{"weekday": day, "start": "08:00", "end": "20:00"} for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")]


class Visitor:
    """``position`` is that of the last command, which every query waits for."""

    def __init__(self, url: str, token: str | None = None, organization_id: str = "") -> None:
        self.url = url
        self.organization_id = organization_id
        self.token = token
        self.position = "0"
        self._http = httpx.Client(base_url=f"{url}/v1", timeout=30)
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"

    def send(
        self, method: str, path: str, body: object = None, *, key: str | None = None, if_match: str | None = None
    ) -> httpx.Response:
        """A command, under a new key unless one is given."""
        headers = {"Idempotency-Key": key or uuid4().hex}
        if if_match:
            headers["If-Match"] = if_match
        answer = self._http.request(method, path, json=body, headers=headers)
        self.position = answer.headers.get("Journal-Position", self.position)
        return answer

    def post(self, path: str, body: object = None, *, if_match: str | None = None) -> dict[str, Any]:
        return self._ok(self.send("POST", path, body, if_match=if_match))

    def get(self, path: str, **query: object) -> dict[str, Any]:
        return self._ok(self.ask(path, **query))

    def ask(self, path: str, **query: object) -> httpx.Response:
        params = {name: str(value) for name, value in query.items()}
        return self._http.get(path, params=params, headers={"Journal-Position": self.position})

    def signed_in(self, email: str, password: str = PASSWORD) -> "Visitor":
        form = {"grant_type": "password", "username": email, "password": password}
        token = self._ok(self._http.post("/auth/token", data=form))["access_token"]
        return Visitor(self.url, token, self.organization_id)

    def at(self, url: str) -> "Visitor":
        """The same person at another API process."""
        return Visitor(url, self.token, self.organization_id)

    @staticmethod
    def _ok(answer: httpx.Response) -> dict[str, Any]:
        assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found


def owner_of_a_new_clinic(url: str) -> Visitor:
    """Sign up an organization and sign its owner in."""
    stranger = Visitor(url)
    email = f"owner-{uuid4().hex}@clinic.example"
    owner = {"email": email, "password": PASSWORD, "display_name": "Olga Owner"}
    stranger.organization_id = stranger.post(
        "/organizations", {"name": "Clinic by the Sea", "time_zone": TIME_ZONE, "owner": owner}
    )["id"]
    return stranger.signed_in(email)


def a_service_of_one_room(owner: Visitor, *, capacity: int = 1) -> tuple[str, str]:
    """A room that is open every day and a half-hour service in it: resource id, service id."""
    location = owner.post("/locations", {"name": "Pier 1", "time_zone": TIME_ZONE})
    room = owner.post(
        "/resources",
        {
            "name": "Dr Ana Reis",
            "kind": "practitioner",
            "location_id": location["id"],
            "time_zone": TIME_ZONE,
            "capacity": capacity,
            "working_hours": EVERY_DAY,
        },
    )
    service = owner.post(
        "/services", {"name": "Consultation", "duration_min": 30, "requirements": [{"resource_id": room["id"]}]}
    )
    return room["id"], service["id"]
