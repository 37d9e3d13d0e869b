"""Every operation × every role × whose the object is: the document's policy is what happens. SECURITY.md rows 1, 4, 6.

The requests are made of the OpenAPI document, so an operation that is added to it is among them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.permissions import PERMISSIONS
from tests.api.house import OFFICE_HOURS, PASSWORD, House, key, made, opened_house, problem, sign_in
from tests.api.matrix import RELATIONS, ROLES, Objects, Operation, expected, operations
from tests.api.running_api import RunningApi

OPEN_TO_ALL = {
    "signUpOrganization",
    "issueToken",
    "registerCustomerAccount",
    "getSigningKeys",
    "verifyEmail",
    "requestPasswordReset",
    "resetPassword",
    "beginOidcSignIn",
    "endOidcSignIn",
    "listProblems",
    "getProblem",
}
SIGNS_OUT = {"signOut", "endSessionsOfAccount"}
"""After it, whoever did it to themselves has to sign in again."""
SIGNED_BY_THE_PROVIDER = {"hearTwilio", "hearSendGrid"}
ABOUT_THE_PROCESS = {"livez", "healthz", "readyz", "metrics"}
BY_THE_CLOCK = {
    "appointment.lapse",
    "appointment.release",
    "appointment.remind",
    "waitlist.offer",
    "webhook.disable",
}
"""What only Daybook's own processes do, over no interface."""
BESIDE_THE_MATRIX = {"appointment.override"}
"""A right within an operation that has another."""


@dataclass
class Scene:
    """``clients``, their accounts' ids and e-mail addresses by role; ``objects`` by whose they are."""

    clients: Mapping[str, httpx.Client]
    account_ids: Mapping[str, str]
    emails: Mapping[str, str]
    objects: Mapping[str, Objects]

    def of(self, role: str, relation: str) -> Objects:
        """Everyone's own account is their own."""
        of_all = self.objects[relation]
        return {**of_all, "account_id": self.account_ids[role]} if relation == "own" else of_all

    def sign_in_again(self, api: RunningApi, role: str) -> None:
        token = sign_in(api, self.emails[role])["access_token"]
        self.clients[role].headers["Authorization"] = f"Bearer {token}"


@pytest.fixture(scope="module")
def scene(api: RunningApi) -> Scene:
    house, neighbour = opened_house(api), opened_house(api)
    room = {"name": "Room 2", "kind": "room", "time_zone": "UTC", "working_hours": OFFICE_HOURS}
    room_id = made(house.post("/resources", room))["id"]
    service = {"name": "Visit to a room", "duration_min": 30, "requirements": [{"resource_id": room_id}]}
    service_id = made(house.post("/services", service))["id"]
    other_id = made(house.post("/customers", {"display_name": "Other"}))["id"]
    account = _account()
    account_id = made(house.post("/accounts", account))["id"]
    assignment = {"resource_ids": [room_id]}
    made(house["owner"].put(f"/v1/accounts/{account_id}/assignment", json=assignment, headers=key()), 200)
    practitioner = house.api.client(sign_in(api, account["email"])["access_token"])
    assigned = _visits(house, {"service_id": service_id, "customer_id": other_id}, "2027-03-01", resource_id=room_id)
    other = _visits(house, {"service_id": house.service_id, "customer_id": other_id}, "2027-03-02")
    someone = {**_objects(house), "account_id": made(house.post("/accounts", _account()))["id"]}
    objects = {
        "own": _objects(house),
        "assigned": {**someone, **assigned, "closure_id": _closure(house, room_id)},
        "other": {**someone, **other},
        "elsewhere": _objects(neighbour),
    }
    accounts = {**house.account_ids, "practitioner": account_id, "anonymous": house.account_ids["customer"]}
    emails = {**house.emails, "practitioner": account["email"]}
    return Scene({**house.clients, "practitioner": practitioner}, accounts, emails, objects)


def _account() -> dict[str, str]:
    return {"email": f"{uuid4().hex}@x.test", "password": PASSWORD, "display_name": "P", "role": "staff"}


def _objects(house: House) -> dict[str, str]:
    return {
        "organization_id": house.id,
        "account_id": house.account_ids["customer"],
        "customer_id": house.customer_id,
        "location_id": house.location_id,
        "resource_id": house.resource_id,
        "closure_id": house.closure_id,
        "pool_id": house.pool_id,
        "service_id": house.service_id,
        "appointment_id": house.appointment_id,
        "entry_id": house.waitlist_entry_id,
        "series_id": house.series_id,
        "api_key_id": house.api_key_id,
        "session_id": str(uuid4()),  # one's own are ended in ``test_signing_out``
        "webhook_id": house.webhook_id,
    }


def _visits(house: House, what: dict[str, str], day: str, **on: str) -> dict[str, str]:
    """A visit, a wait and a series of someone's, from that day on."""
    window = {"start": f"{day}T12:00:00Z", "end": f"{day}T15:00:00Z"}
    recurring = {**what, "start_local": f"{day}T16:00", "time_zone": "UTC", "rrule": "FREQ=WEEKLY;COUNT=2"}
    return {
        **what,
        **on,
        "appointment_id": made(house.post("/appointments", {**what, "start": f"{day}T10:00:00Z"}))["id"],
        "entry_id": made(house.post("/waitlist", {**what, **on, "windows": [window]}))["id"],
        "series_id": made(house.post("/series", recurring))["id"],
    }


def _closure(house: House, resource_id: str) -> str:
    closure = {"start": "2027-06-08T00:00:00Z", "end": "2027-06-13T00:00:00Z"}
    return str(made(house.post(f"/resources/{resource_id}/closures", closure))["id"])


@pytest.fixture(scope="module")
def document(api: RunningApi) -> dict[str, Any]:
    with api.client() as client:
        return made(client.get("/openapi.json"), 200)


def test_every_operation_shows_its_row_of_the_policy(document: dict[str, Any]) -> None:
    all_of_them = {one["operationId"]: one for methods in document["paths"].values() for one in methods.values()}

    without = {name for name, one in all_of_them.items() if "x-permission" not in one}

    assert without == OPEN_TO_ALL | ABOUT_THE_PROCESS | SIGNED_BY_THE_PROVIDER
    assert all("Who may: " in one["description"] for name, one in all_of_them.items() if name not in without)


def test_every_row_of_the_policy_is_asked_for_by_an_operation(document: dict[str, Any]) -> None:
    shown = [
        one["x-permission"]
        for methods in document["paths"].values()
        for one in methods.values()
        if "x-permission" in one
    ]
    asked = {one["operation"] for one in shown}

    assert asked | BY_THE_CLOCK | BESIDE_THE_MATRIX == PERMISSIONS.keys()


@pytest.mark.security(1, 4, 6)
def test_what_the_policy_says_is_what_happens(api: RunningApi, scene: Scene, document: dict[str, Any]) -> None:
    asked: Counter[str] = Counter()
    mismatches = []
    for operation in operations(document):
        head, nobody_may_yet = api.head(), True
        for role, relation in _in_order(operation):
            objects = scene.of(role, relation)
            named = operation.names(objects)
            if relation != "other" and not named:
                continue  # the request names nothing, so it is the same for all of them
            must = expected(operation, role, relation, named)
            if nobody_may_yet and must(200):
                nobody_may_yet = False
                assert api.head() == head, f"{operation.id} did something for someone who may not"
            answer = operation.send(scene.clients[role], objects)
            asked[role] += 1
            if operation.id in SIGNS_OUT and answer.status_code == 200:
                scene.sign_in_again(api, role)
            is_gone = operation.method == "DELETE" and answer.status_code == 404
            meets = must(answer.status_code)
            if not (meets or (is_gone and role != "anonymous")) or answer.status_code not in operation.statuses:
                mismatches.append(f"{operation.id} by {role}, {relation}: {answer.status_code} {answer.text[:300]}")
    assert not mismatches, "\n".join(mismatches)
    assert asked.keys() == set(ROLES)


def _in_order(operation: Operation) -> list[tuple[str, str]]:
    """Whoever may not comes before whoever may: what is taken away must still be there to be kept from them."""
    pairs = [(role, relation) for role in ROLES for relation in RELATIONS]
    reach = operation.reach
    return sorted(
        pairs, key=lambda pair: (pair[1] != "elsewhere" and pair[0] in reach, pair[0] in reach, pair[1] == "own")
    )


def test_the_matrix_finds_what_does_not_agree(scene: Scene, document: dict[str, Any]) -> None:
    """A test that cannot fail is none: with a row that allows too much or too little it does."""
    read = next(one for one in operations(document) if one.id == "listFacts")
    answer = read.send(scene.clients["staff"], scene.objects["other"])

    problem(answer, 403, "forbidden")
    assert expected(read, "staff", "other", set())(403)
    assert not expected(read, "owner", "other", set())(403)
    assert not expected(read, "staff", "other", set())(200)
