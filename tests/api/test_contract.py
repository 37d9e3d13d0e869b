"""The OpenAPI document is complete, every refusal has its words, and nothing is served that is not declared."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from api import problems
from api.problem_kinds import KINDS, REFUSALS, REJECTIONS
from application.journal import JournalUnavailable
from application.writer import Busy, InFlight
from domain import refusals
from domain.refusals import Refusal
from tests.api.house import House, made
from tests.api.running_api import RunningApi
from tests.api.stranger import open_to_the_public

UNDECLARED = {"/docs", "/openapi.json", "/docs/oauth2-redirect", "/static-offline-docs", "/v1/stream"}
UNDECLARED |= {"/account", "/account/account.js", "/account/account.css"}
UNDECLARED |= {"/book/{organization_id}", "/book/assets/{name}"}
"""The document itself and its page; pages for people; and the socket, which OpenAPI has no words for."""
STEPS = {"/v1/auth/oidc/{organization_id}/start", "/v1/auth/oidc/{organization_id}/callback"}
"""What browsers are sent through: they send no headers of ours, and are sent on."""


@pytest.fixture(scope="module")
def document(api: RunningApi) -> dict[str, Any]:
    with api.client() as client:
        return made(client.get("/openapi.json"), 200)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_refusal_of_the_domain_is_in_the_table() -> None:
    assert {child for child in subclasses(Refusal) if child.__module__ == refusals.__name__} <= REFUSALS.keys()
    assert {Busy, InFlight, JournalUnavailable} <= REFUSALS.keys()
    assert all(child in REFUSALS for child in subclasses(Refusal))


def test_types_of_problems_are_distinct_and_their_words_are_sentences() -> None:
    assert len(KINDS) == len(REFUSALS) + len(REJECTIONS)
    for kind in KINDS.values():
        assert kind.slug == kind.slug.lower().replace("_", "-")
        assert kind.title[0].isupper()
        assert kind.title.endswith(".")
        assert 400 <= kind.status < 600


def test_every_slug_that_the_code_uses_has_a_row() -> None:
    used = set()
    for module in Path(problems.__file__).parent.glob("*.py"):
        used |= set(re.findall(r'Rejected\(\s*"([^"]+)"', module.read_text()))

    assert used
    assert used <= REJECTIONS.keys()


def test_the_contracts_names_of_refusals_are_kept() -> None:
    named = (
        "slot-taken outside-working-hours resource-closed too-soon too-far-ahead off-grid cancelled-too-late "
        "not-in-that-state hold-lapsed stale-decision session-full booking-limit-reached customer-elsewhere "
        "closed-for-holiday resource-retired series-conflicts"
    )
    assert set(named.split()) <= KINDS.keys()


def test_each_type_of_problem_has_its_page(api: RunningApi) -> None:
    with api.client() as client:
        listed = made(client.get("/problems"), 200)["items"]
        assert {one["type"] for one in listed} == {f"/problems/{slug}" for slug in KINDS}
        for one in listed:
            page = made(client.get(one["type"]), 200)
            assert page == one
            assert page["meaning"]
        assert client.get("/problems/none").status_code == 404


@pytest.mark.security(7)
def test_what_is_served_is_what_is_declared(api: RunningApi, document: dict[str, Any]) -> None:
    served = set()
    for context in iter_route_contexts(api.app.routes):
        path = getattr(context, "path_format", None) or context.path
        if path not in UNDECLARED:
            served |= {(method.lower(), path) for method in context.methods or ()}

    assert served - {(m, p) for m, p in served if m == "head"} == {(m, p) for m, p, _ in operations(document)}


def test_operations_have_stable_names_and_a_summary(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(set(names)) == len(names)
    for _, _, operation in operations(document):
        assert operation["operationId"].isalnum()
        assert operation["summary"]
        assert operation["tags"]


def test_commands_declare_their_key_and_what_may_go_wrong(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if not path.startswith("/v1") or path in {"/v1/auth/token", *STEPS} or path.startswith("/v1/callbacks/"):
            continue
        parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
        declared = {status for status in operation["responses"] if status.startswith(("4", "5"))}
        if method == "get":
            assert "Journal-Position" in parameters
            of_those_signed_in = set() if path.startswith("/v1/public/") else {"401", "403"}
            assert {"400", "422", "503"} | of_those_signed_in <= declared
            continue
        assert parameters["Idempotency-Key"]["required"] == (method == "post")
        assert {"400", "409", "413", "415", "422", "503"} <= declared
        if "If-Match" in parameters and parameters["If-Match"]["required"]:
            assert {"412", "428"} <= declared
        if "{" in path and not path.startswith("/v1/public/"):
            assert {"401", "403", "404"} <= declared
        if method == "post" and "201" in operation["responses"]:
            assert "Location" in operation["responses"]["201"]["headers"]


def test_every_problem_is_declared_as_a_problem_document(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")) and path.startswith("/v1"):
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_all_but_the_doors_ask_for_a_token(document: dict[str, Any]) -> None:
    doors = ("token", "register", "verify-email", "password-reset", "password-reset/confirm")
    open_to_all = {"/v1/organizations": "post", **{f"/v1/auth/{door}": "post" for door in doors}}
    for method, path, operation in operations(document):
        if path.startswith("/v1/public/"):
            assert operation["security"] == ([{"manage": []}] if path.startswith("/v1/public/visit") else []), path
        elif path.startswith("/v1/callbacks/") or path in STEPS:
            assert "security" not in operation
        elif path.startswith("/v1") and open_to_all.get(path) != method:
            assert operation["security"] == [{"bearer": []}], path
        else:
            assert "security" not in operation


def test_bodies_refuse_what_they_do_not_know_and_show_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for method, path, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        schema = content["schema"]
        names = [schema.get("$ref")] + [one.get("$ref") for one in schema.get("anyOf", ())]
        for name in filter(None, names):
            assert schemas[name.rpartition("/")[2]]["additionalProperties"] is False, (method, path)
    for name in (
        "Booking",
        "Rescheduling",
        "Overriding",
        "NewOrganization",
        "NewCustomer",
        "NewResource",
        "NewService",
        "NewAccount",
        "Problem",
    ):
        assert "example" in schemas[name], name


def test_the_documentation_needs_no_network(api: RunningApi) -> None:
    with api.client() as client:
        page = client.get("/docs")
        assert page.status_code == 200
        assert "cdn." not in page.text
        for line in page.text.split('"'):
            if line.startswith("/static"):
                assert client.get(line).status_code == 200


def test_answers_hold_what_the_contract_says_and_no_more(house: House, document: dict[str, Any]) -> None:
    """Only declared fields are answered (API3): each answer's members are its schema's."""
    schemas = document["components"]["schemas"]

    def members(answer: httpx.Response, path: str, method: str) -> None:
        operation = document["paths"][path][method]
        status = str(answer.status_code)
        reference = operation["responses"][status]["content"]["application/json"]["schema"]["$ref"]
        body, schema = answer.json(), schemas[reference.rpartition("/")[2]]
        if "items" in schema["properties"]:
            item = schema["properties"]["items"]["items"]["$ref"]
            rows, schema = body["items"], schemas[item.rpartition("/")[2]]
        else:
            rows = [body]
        assert rows, path
        for row in rows:
            assert row.keys() <= schema["properties"].keys(), path
            missing = {name for name in schema.get("required", ()) if name not in row}
            assert not missing, path

    open_to_the_public(house)
    made(house.book("2027-02-03T10:00:00Z"))
    made(house.post(f"/webhooks/{house.webhook_id}/test"), 200)
    hit = {"start": "2027-02-03T10:00:00Z", "end": "2027-02-03T11:00:00Z"}
    made(house.post(f"/resources/{house.resource_id}/closures", hit))
    ids = {"organization_id": house.id, "resource_id": house.resource_id, "customer_id": house.customer_id}
    ids |= {"service_id": house.service_id, "location_id": house.location_id, "appointment_id": house.appointment_id}
    ids |= {
        "closure_id": house.closure_id,
        "entry_id": house.waitlist_entry_id,
        "series_id": house.series_id,
        "account_id": house.account_ids["owner"],
        "pool_id": house.pool_id,
        "api_key_id": house.api_key_id,
        "webhook_id": house.webhook_id,
    }
    window = {"start": "2027-02-01", "end": "2027-02-14"}
    asks = {"getCalendar": window, "findSlots": window, "explainSlot": {"start": "2027-02-01T10:00:00Z"}}
    # Tests of messages, visitors, providers and proofs ask these.
    elsewhere = {"listNotifications", "getManagedVisit", "endOidcSignIn", "getAuditProof"}
    asks["findPublicSlots"] = window
    for method, path, operation in operations(document):
        if method == "get" and path.startswith("/v1") and operation["operationId"] not in elsewhere:
            answer = house.get(path.format(**ids).removeprefix("/v1"), **asks.get(operation["operationId"], {}))
            assert answer.status_code == 200, (path, answer.text)
            members(answer, path, method)
