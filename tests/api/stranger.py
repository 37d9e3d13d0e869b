"""Someone without an account, and what they find in their mail: here it is opened where it waits to be sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from psycopg_pool import ConnectionPool

from adapters.one_time_codes import SealedCodes
from adapters.vault import Seal
from adapters.visitors import PostgresLinksToSend
from tests.api.house import House, key, made


@dataclass
class Stranger:
    """``client`` has no token."""

    house: House
    client: httpx.Client
    email: str = "ada.canary@mail.test"
    name: str = "Ada Canary"
    position: str = field(default="0")

    def asks_for(self, start: str, **changes: object) -> httpx.Response:
        contact = {"display_name": self.name, "email": self.email}
        body = {"service_id": self.house.service_id, "start": start, "contact": contact, **changes}
        return self.post(f"/{self.house.id}/appointments", body)

    def holds(self, start: str, **changes: object) -> dict[str, Any]:
        return made(self.asks_for(start, **changes))

    def confirms(self, visit: dict[str, Any], code: str | None = None) -> httpx.Response:
        return self.post(f"/appointments/{visit['id']}/confirm", {"code": code or self.code_of(visit)})

    def books(self, start: str, **changes: object) -> dict[str, Any]:
        return made(self.confirms(self.holds(start, **changes)), 200)

    def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        answer = self.client.post(f"/v1/public{path}", json=body, headers={**key(), **headers})
        self.position = self.house.position = answer.headers.get("Journal-Position", self.house.position)
        return answer

    def get(self, path: str, **query: str) -> httpx.Response:
        headers = {"Journal-Position": self.house.position}
        return self.client.get(f"/v1/public{path}", params=query, headers=headers)

    def sees(self, token: str) -> httpx.Response:
        return self.client.get("/v1/public/visit", headers={"Authorization": f"Manage {token}"})

    def with_link(self, token: str, path: str, body: object = None, *, version: int | str = "*") -> httpx.Response:
        if_match = version if version == "*" else f'"v{version}"'
        return self.post(f"/visit{path}", body, Authorization=f"Manage {token}", **{"If-Match": str(if_match)})

    def code_of(self, visit: dict[str, Any]) -> str:
        """As the notifier would find it."""
        (code_id,) = self.house.api.rows(f"SELECT id FROM one_time_code WHERE key = '{visit['id']}'")[0]
        with _opened(self.house) as (pool, seal):
            return SealedCodes(pool, seal).enclosed([code_id])[code_id].code

    def mailed_link(self, visit: dict[str, Any]) -> str:
        its_id = UUID(visit["id"])
        with _opened(self.house) as (pool, seal):
            return PostgresLinksToSend(pool, seal).tokens([(UUID(self.house.id), its_id)])[its_id]


@contextmanager
def _opened(house: House) -> Iterator[tuple[ConnectionPool[Any], Seal]]:
    settings = house.api.settings
    assert settings.vault_key
    with ConnectionPool(settings.database_url, min_size=1, max_size=2) as pool:
        yield pool, Seal(settings.vault_key.get_secret_value())


def open_to_the_public(house: House, service_id: str | None = None, **terms: object) -> None:
    body = {"public": True, **terms}
    path = f"/v1/services/{service_id or house.service_id}"
    answer = house["owner"].patch(path, json=body, headers={"If-Match": "*"})
    assert made(answer, 200)["public"] is True
    house.position = answer.headers["Journal-Position"]
