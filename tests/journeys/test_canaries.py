"""What a client sends, rightly or wrongly, is found in no log, metric, key of Redis or message (row 36).

Every operation of the OpenAPI document is called in every wrong way with a mark in it; new ones are among them at once.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.journeys import test_personal_data as searching
from tests.journeys.visitor import Visitor, owner_of_a_new_clinic
from tests.running import RunningStack

CANARY = f"zcanary{uuid4().hex[:12]}"
NOBODYS = "0b7a7c52-7d6c-4c06-8f5b-8f0c6f1fd1a4"
METHODS = ("get", "post", "put", "patch", "delete")


def marked(value: Any) -> Any:
    """The same shape, with the mark wherever there is a text."""
    match value:
        case str():
            return f"{CANARY}@example.com" if "@" in value else CANARY
        case list():
            return [marked(one) for one in value]
        case dict():
            return {name: marked(one) for name, one in value.items()}
        case _:
            return value


def example_of(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    schema = next((one for one in schema.get("anyOf", ()) if "$ref" in one), schema)
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"].get(name, {}).get("example", {}) if name else {}


def wrong_requests(document: dict[str, Any], token: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and the rest of each. None of them can be done."""
    signed_in = {"Authorization": f"Bearer {token}"}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method not in methods:
                continue
            nowhere = re.sub(r"\{[^}]*\}", NOBODYS, path)
            headers = {**signed_in, "Idempotency-Key": uuid4().hex, "If-Match": '"v1"'}
            body = example_of(document, methods[method])
            yield method, re.sub(r"\{[^}]*\}", CANARY, path), {"headers": headers}
            yield method, nowhere, {"headers": headers, "params": {CANARY: CANARY, "cursor": CANARY}}
            yield method, nowhere, {"headers": {"Authorization": f"Bearer {CANARY}", "Idempotency-Key": CANARY * 20}}
            yield (
                method,
                nowhere,
                {"headers": {**signed_in, "traceparent": CANARY, "If-Match": CANARY, "Cookie": CANARY}},
            )
            if method != "get":
                yield method, nowhere, {"headers": headers, "json": {**marked(body), CANARY: CANARY}}
                yield method, nowhere, {"headers": headers, "content": f'{{"{CANARY}": "{CANARY}'.encode()}
                yield method, nowhere, {"headers": headers, "data": {"username": CANARY, "password": CANARY}}


def found_in(stack: RunningStack, marks: list[str]) -> dict[str, list[str]]:
    environment = stack.environment
    metrics = [httpx.get(f"{url}/metrics").text for url in stack.urls]
    found: dict[str, list[str]] = {"logs": [], "metrics": [], "redis": [], "kafka": []}
    for mark in marks:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(searching, "MARK", mark)
            found["logs"] += searching.told_by_logs(stack)
            found["redis"] += searching.told_by_redis(environment["DAYBOOK_REDIS_URL"])
            bootstrap, topic = environment["DAYBOOK_KAFKA_BOOTSTRAP"], environment["DAYBOOK_KAFKA_TOPIC"]
            found["kafka"] += searching.told_by_kafka(bootstrap, topic)
        found["metrics"] += [mark for told in metrics if mark in told]
    return found


def tried_to_sign_in(owner: Visitor, http: httpx.Client) -> None:
    for form in (
        {"grant_type": "password", "username": f"{CANARY}@example.com", "password": CANARY},
        {"grant_type": "refresh_token", "refresh_token": CANARY},
        {"grant_type": CANARY, "username": CANARY, "password": CANARY},
    ):
        assert http.post("/v1/auth/token", data=form).status_code in {400, 401, 422}
    person = {"display_name": CANARY, "email": f"{CANARY}@example.com", "phone": "+12025550178"}
    owner.post("/customers", person)
    account = {**person, "organization_id": owner.organization_id, "password": f"{CANARY} as a password"}
    Visitor(owner.url).post("/auth/register", account)
    again = Visitor(owner.url).send("POST", "/auth/register", account)
    assert again.status_code in {201, 409}


@pytest.mark.security(36)
def test_no_log_metric_key_or_message_repeats_what_a_client_sent(stack: RunningStack) -> None:
    owner = owner_of_a_new_clinic(stack.urls[0])
    assert owner.token
    with httpx.Client(base_url=stack.urls[0], timeout=30) as http:
        document = http.get("/openapi.json").json()
        statuses = set()
        for method, path, sent in wrong_requests(document, owner.token):
            statuses.add(http.request(method, path, **sent).status_code)
        # Among what was asked is to sign out.
        tried_to_sign_in(owner_of_a_new_clinic(stack.urls[0]), http)
        form = {"grant_type": "password", "username": f"{CANARY}@example.com", "password": f"{CANARY} as a password"}
        tokens = http.post("/v1/auth/token", data=form).json()

    assert {400, 401, 404, 415, 422} <= statuses
    assert not {status for status in statuses if status >= 500} - {503}
    secrets = [CANARY, owner.token, tokens["access_token"], tokens["refresh_token"], "127.0.0.1-"]
    assert found_in(stack, secrets) == {"logs": [], "metrics": [], "redis": [], "kafka": []}


@pytest.mark.security(36)
def test_the_marks_are_where_they_should_be() -> None:
    assert json.dumps(marked({"a": ["x", {"b": "x@y"}], "n": 1})).count(CANARY) == 2
