"""Whatever is sent: a declared status, a problem document if it is refused, and never an error of ours."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.house import House, key, made

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ODD_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?%&+/\\"), max_size=60)
FEW = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def document(house: House) -> dict[str, Any]:
    return made(house["owner"].get("/openapi.json"), 200)


def filled(path: str, house: House, odd: str | None = None) -> str:
    ids = {"organization_id": house.id, "resource_id": house.resource_id, "customer_id": house.customer_id}
    ids |= {"service_id": house.service_id, "location_id": house.location_id, "closure_id": house.closure_id}
    ids |= {"appointment_id": house.appointment_id, "account_id": house.account_ids["owner"], "slug": "slot-taken"}
    ids |= {"entry_id": house.waitlist_entry_id, "series_id": house.series_id, "pool_id": house.pool_id}
    names = re.findall(r"\{(\w+)\}", path)
    return path.format(**{name: odd or ids.get(name, str(uuid4())) for name in names})


def an_example(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """The body that the document itself shows, where it shows one."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    example: dict[str, Any] = document["components"]["schemas"].get(name, {}).get("example", {})
    return dict(example)


def ensure_declared(answer: Any, operation: dict[str, Any]) -> None:
    assert answer.status_code != 500, answer.text
    assert str(answer.status_code) in operation["responses"], (operation["operationId"], answer.text)
    if answer.status_code >= 400:
        assert answer.json()["status"] == answer.status_code


@FEW
@given(data=st.data())
def test_no_body_makes_an_error_of_ours(house: House, document: dict[str, Any], data: st.DataObject) -> None:
    commands = [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "get" and path != "/v1/auth/token"
    ]
    method, path, operation = data.draw(st.sampled_from(commands))
    body: Any = an_example(document, operation)
    if body and data.draw(st.booleans()):
        body[data.draw(st.sampled_from(sorted(body)))] = data.draw(ANY_JSON)
    else:
        body = data.draw(ANY_JSON)
    headers = {**key(), "If-Match": '"v999999"', "Content-Type": "application/json"}

    answer = house["owner"].request(
        method, filled(path, house), content=json.dumps(body, ensure_ascii=True).encode(), headers=headers
    )

    ensure_declared(answer, operation)


@FEW
@given(data=st.data())
def test_no_query_makes_an_error_of_ours(house: House, document: dict[str, Any], data: st.DataObject) -> None:
    queries = [
        (path, methods["get"])
        for path, methods in document["paths"].items()
        if "get" in methods and path.startswith(("/v1", "/problems"))
    ]
    path, operation = data.draw(st.sampled_from(queries))
    declared = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    values = ODD_TEXT | st.text(max_size=20) | st.just(str(uuid4())) | st.dates().map(str)
    values |= st.datetimes().map(lambda moment: f"{moment.isoformat()}Z") | st.integers().map(str)
    asked = data.draw(st.dictionaries(st.sampled_from(declared), values)) if declared else {}
    odd = data.draw(st.none() | ODD_TEXT.filter(lambda text: text.strip(".") != ""))

    answer = house["owner"].get(filled(path, house, odd if "{" in path else None), params=asked)

    if odd and answer.status_code == 404:
        assert answer.json()["type"].startswith("/problems/")
    else:
        ensure_declared(answer, operation)
