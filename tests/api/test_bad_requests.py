"""Whatever is malformed, unknown, oversized or contradictory gets a clear problem document and changes nothing."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.api.house import House, key, made, problem

SOMEONES = "0b7a7c52-7d6c-4c06-8f5b-8f0c6f1fd1a4"
"""An id that is always the same: the workers of a parallel run must name their tests alike."""

START = "2026-11-24T09:00:00Z"


@pytest.fixture(autouse=True)
def nothing_happens(house: House) -> Iterator[None]:
    before = house.api.head()
    yield
    assert house.api.head() == before


def booking(house: House, **changes: object) -> dict[str, object]:
    return {"service_id": house.service_id, "start": START, "customer_id": house.customer_id, **changes}


def sent(house: House, path: str, body: object, *, method: str = "POST", **headers: str) -> httpx.Response:
    return house["owner"].request(method, f"/v1{path}", json=body, headers={**key(), **headers})


def raw(house: House, content: bytes | Iterator[bytes], **headers: str) -> httpx.Response:
    return house["owner"].post(
        "/v1/appointments", content=content, headers={**key(), "Content-Type": "application/json", **headers}
    )


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"start": "2026-11-24T09:00:00"}, "/start"),  # which offset?
        ({"start": "2026-11-24"}, "/start"),
        ({"start": "tomorrow"}, "/start"),
        ({"start": 1795510800}, "/start"),
        ({"start": "2026-02-30T09:00:00Z"}, "/start"),
        ({"start": "9999-12-31T23:59:59Z"}, "/start"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "/start"),
        ({"start": None}, "/start"),
        ({"start": ["2026-11-24T09:00:00Z"]}, "/start"),
        ({"service_id": "first"}, "/service_id"),
        ({"service_id": 7}, "/service_id"),
        ({"customer_id": ""}, "/customer_id"),
        ({"resource_ids": "all"}, "/resource_ids"),
        ({"resource_ids": [SOMEONES] * 11}, "/resource_ids"),
        ({"resource_ids": ["x"]}, "/resource_ids/0"),
        ({"seats": 0}, "/seats"),
        ({"seats": True}, "/seats"),
        ({"hold_min": 0}, "/hold_min"),
        ({"hold_min": -5}, "/hold_min"),
        ({"hold_min": 10**30}, "/hold_min"),
        ({"hold_min": "10"}, "/hold_min"),
        ({"hold_min": 1.5}, "/hold_min"),
        ({"notes": ""}, "/notes"),
        ({"notes": "x" * 4_001}, "/notes"),
        ({"notes": "a\u0000b"}, "/notes"),
        ({"notes": {"text": "x"}}, "/notes"),
        ({"status": "fulfilled"}, "/status"),
        ({"organization_id": SOMEONES}, "/organization_id"),
        ({"id": SOMEONES}, "/id"),
        ({"price": -1}, "/price"),
        ({"": 1}, "/"),
        ({"a/b~c": 1}, "/a~1b~0c"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_by_its_pointer(house: House, changes: dict[str, Any], pointer: str) -> None:
    document = problem(sent(house, "/appointments", booking(house, **changes)), 422, "invalid-request")

    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert document["instance"] == "/v1/appointments"


@pytest.mark.parametrize("body", [[], "text", 7, True, [{"start": START}]], ids=repr)
def test_a_body_that_is_no_object_is_refused(house: House, body: object) -> None:
    problem(sent(house, "/appointments", body), 422, "invalid-request")


def test_every_missing_field_is_named(house: House) -> None:
    document = problem(sent(house, "/appointments", {}), 422, "invalid-request")

    assert {error["pointer"] for error in document["errors"]} == {"/service_id", "/start", "/customer_id"}
    problem(raw(house, b""), 422, "invalid-request")
    problem(raw(house, b"null"), 422, "invalid-request")


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"start": ', b"{'start': 1}", b'{"a": 1,}', b"\xff\xfe", b'{"notes": "\xc3\x28"}', b"[" * 100_000],
    ids=lambda content: repr(content[:20]),
)
def test_what_is_not_json_is_malformed(house: House, content: bytes) -> None:
    problem(raw(house, content), 400, "malformed-request")


def test_lone_surrogates_and_nan_are_no_values(house: House) -> None:
    text = json.dumps(booking(house, notes="\ud800"))
    problem(raw(house, text.encode()), 422, "invalid-request")
    problem(raw(house, text.replace('"\\ud800"', "NaN").encode()), 422, "invalid-request")


def test_another_media_type_is_unsupported(house: House) -> None:
    body = json.dumps(booking(house)).encode()

    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "", "nonsense"):
        problem(raw(house, body, **{"Content-Type": media_type}), 415, "unsupported-media-type")


def test_a_body_above_a_mebibyte_is_refused_before_it_is_read(house: House) -> None:
    def stream() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 2**16

    problem(raw(house, b" " * (2**20 + 1)), 413, "body-too-large")
    problem(raw(house, stream()), 413, "body-too-large")
    just_right = json.dumps(booking(house, notes="")).encode().ljust(2**20)
    problem(raw(house, just_right), 422, "invalid-request")  # it is read


def test_a_terabyte_that_is_only_announced_is_refused_at_once(house: House) -> None:
    where = urlsplit(house.api.url)
    with socket.create_connection((where.hostname, where.port), timeout=5) as connection:
        head = ("POST /v1/organizations HTTP/1.1", "Host: x", "Idempotency-Key: k", "Content-Type: application/json")
        connection.sendall("\r\n".join((*head, f"Content-Length: {10**12}", "", "{")).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("given", [None, "", "x" * 256, "a\tb", "é"], ids=repr)
def test_a_command_needs_an_idempotency_key(house: House, given: str | None) -> None:
    headers = {} if given is None else {b"Idempotency-Key": given.encode("latin-1")}
    for path in ("/appointments", f"/appointments/{uuid4()}/confirm", "/customers", "/organizations"):
        answer = house["owner"].post(f"/v1{path}", json=booking(house), headers=headers)
        problem(answer, 400, "idempotency-key-missing")


def test_a_command_whose_address_says_it_all_takes_no_fields(house: House) -> None:
    for move in ("confirm", "check-in", "fulfil", "no-show"):
        path = f"/appointments/{uuid4()}/{move}"
        document = problem(sent(house, path, {"status": "fulfilled"}), 422, "invalid-request")
        assert document["errors"][0]["pointer"] == "/status"
        problem(sent(house, path, {}), 404, "not-found")


def test_what_is_not_there_is_not_found(house: House) -> None:
    owner = house["owner"]
    problem(owner.get("/v1/appointments/7"), 404, "no-such-page")
    problem(owner.get(f"/v1/appointments/{uuid4()}"), 404, "not-found")
    problem(owner.get("/v1/nothing"), 404, "no-such-page")
    problem(owner.get("/v1/appointments/"), 404, "no-such-page")
    problem(owner.delete("/v1/appointments"), 405, "method-not-allowed")
    assert "POST" in owner.delete("/v1/appointments").headers["Allow"]
    problem(sent(house, "/appointments", booking(house, service_id=str(uuid4()))), 404, "not-found")
    problem(sent(house, "/appointments", booking(house, customer_id=str(uuid4()))), 404, "not-found")
    # One kind's id is not another's.
    problem(sent(house, "/appointments", booking(house, customer_id=house.resource_id)), 404, "not-found")


def test_positions_and_lists_have_their_bounds(house: House) -> None:
    owner = house["owner"]
    for position in ("-1", "x", "1.5", "٣", "9" * 30):
        headers = {b"Journal-Position": position.encode()}
        problem(owner.get("/v1/services", headers=headers), 400, "malformed-position")
    for query in ("limit=0", "limit=-1", "limit=1000000000", "limit=ten"):
        problem(owner.get(f"/v1/customers?{query}"), 422, "invalid-request")
    for cursor in ("", "%00", "eyJ9", "bm90IGpzb24", "WzFd" * 200):
        answer = owner.get(f"/v1/customers?cursor={cursor}")
        assert answer.status_code in {400, 422}, cursor
    far = owner.get("/v1/services", headers={"Journal-Position": str(10**12)})
    problem(far, 503, "not-caught-up")
    assert far.headers["Retry-After"]


def test_a_trace_goes_on_and_a_malformed_one_does_not(house: House) -> None:
    trace_id = uuid4().hex
    given = {"traceparent": f"00-{trace_id}-{uuid4().hex[:16]}-01"}
    assert house["owner"].get("/v1/nothing", headers=given).json()["trace_id"] == trace_id
    for bad in ("00-x", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{trace_id}-{uuid4().hex[:16]}-01 "[:-2], "☃"):
        answer = house["owner"].get("/v1/nothing", headers={b"traceparent": bad.encode()})
        assert len(answer.json()["trace_id"]) == 32
        assert answer.json()["trace_id"] != trace_id


def test_safe_headers_are_on_every_answer(house: House) -> None:
    owner = house["owner"]
    for answer in (
        owner.get("/v1/services"),
        owner.get("/v1/nothing"),
        owner.get("/livez"),
        owner.get("/docs"),
        owner.post("/v1/appointments", content=b" " * (2**20 + 1)),
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer.headers["Cache-Control"]
        assert "Strict-Transport-Security" in answer.headers
        assert "Server" not in answer.headers or answer.headers["Server"] == "uvicorn"


def test_a_get_changes_nothing(house: House) -> None:
    made(house.get("/services"), 200)
    for path in ("/organizations", "/accounts", "/customers", "/locations", "/resources", "/appointments"):
        assert house.get(path).status_code == 200
    assert house.get("/audit/facts").status_code == 200
