"""What the outermost layer says of itself: headers, other origins, and requests that are too much (rows 33, 36, 39)."""

import json
import re
import select
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from infra.embedded import EmbeddedStack
from tests.api.house import House, key, problem
from tests.api.running_api import RunningApi, running_api

OURS = "https://book.clinic.test"
MUST_HAVE = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}

PUBLIC_KEYS = ("GET", "/.well-known/jwks.json")
MAY_BE_KEPT = {"cache-control": "public, max-age=300"}
"""The public halves of our keys: whoever checks tokens need not ask for them each time."""


@pytest.fixture(scope="module")
def listed(servers: EmbeddedStack, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    """An API that pages of one other origin may ask."""
    with running_api(servers, postgres_url, tmp_path_factory.mktemp("listed"), allowed_origins=OURS) as running:
        yield running


@pytest.mark.security(39)
def test_every_route_whatever_it_answers_has_the_safe_headers(listed: RunningApi) -> None:
    asked = [
        (method, re.sub(r"\{[^}]*\}", "0b7a7c52-7d6c-4c06-8f5b-8f0c6f1fd1a4", str(getattr(route, "path", ""))))
        for route in listed.app.routes
        for method in getattr(route, "methods", None) or ()
    ]
    assert len(asked) > 60
    with listed.client() as anyone:
        for method, path in [*asked, ("GET", "/no/such/page"), ("OPTIONS", "/v1/services"), ("BREW", "/v1/services")]:
            answer = anyone.request(method, path)
            must_have = {**MUST_HAVE, **MAY_BE_KEPT} if (method, path) == PUBLIC_KEYS else MUST_HAVE
            found = {name: answer.headers.get(name) for name in must_have}
            assert found == must_have, (method, path, answer.status_code)
            assert "content-security-policy" in answer.headers, path
            assert "server" not in answer.headers
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.security(39)
def test_the_page_of_documents_runs_its_own_scripts_and_no_others(listed: RunningApi) -> None:
    with listed.client() as anyone:
        policy = anyone.get("/docs").headers["content-security-policy"]
        answer = anyone.get("/v1/services").headers["content-security-policy"]

    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert re.fullmatch(r"script-src 'self'( 'sha256-[A-Za-z0-9+/=]{44}')+", scripts)
    assert answer == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.security(39)
def test_a_page_of_the_list_may_ask_and_read_and_no_other_may(listed: RunningApi) -> None:
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,if-match"}
    with listed.client() as browser:
        before = browser.options("/v1/appointments", headers={"Origin": OURS, **asking})
        foreign = browser.options("/v1/appointments", headers={"Origin": "https://evil.test", **asking})
        answers = [
            browser.get("/v1/services", headers={"Origin": origin})
            for origin in (OURS, "https://evil.test", "null", f"{OURS}.evil.test", OURS.upper())
        ]

    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == OURS
    assert before.headers["access-control-allow-credentials"] == "true"
    assert {"authorization", "if-match", "idempotency-key"} <= set(
        before.headers["access-control-allow-headers"].split(", ")
    )
    problem(foreign, 403, "origin-not-allowed")
    assert [answer.headers.get("access-control-allow-origin") for answer in answers] == [OURS, None, None, None, None]
    assert all("Origin" in answer.headers["vary"] for answer in answers)
    assert "Retry-After" in answers[0].headers["access-control-expose-headers"]


@pytest.mark.security(33)
@pytest.mark.parametrize("limit", ["1000000000", "0", "-1", "201", "1e3"])
def test_a_page_of_a_list_is_bounded(house: House, limit: str) -> None:
    problem(house.get("/services", limit=limit), 422, "invalid-request")


@pytest.mark.security(33)
def test_an_address_or_headers_without_end_are_refused(house: House) -> None:
    anyone = house["anonymous"]

    problem(anyone.get("/v1/services", params={"limit": "1" * 9_000}), 414, "address-too-long")
    problem(anyone.get("/v1/services", headers=[(f"X-{n}", "1") for n in range(150)]), 431, "headers-too-large")


@pytest.mark.security(33)
def test_a_body_of_a_gigabyte_is_refused_before_it_is_read_and_an_endless_one_soon(api: RunningApi) -> None:
    where = urlsplit(api.url)
    head = ("POST /v1/organizations HTTP/1.1", "Host: x", "Idempotency-Key: k", "Content-Type: application/json")
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall("\r\n".join((*head, f"Content-Length: {10**9}", "", "{")).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall("\r\n".join((*head, "Transfer-Encoding: chunked", "", "")).encode())
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(64):
            connection.sendall(chunk)
            if select.select([connection], [], [], 0.02)[0]:
                break
        assert connection.recv(12).startswith(b"HTTP/1.1 413"), "four mebibytes were taken without a word"


@pytest.mark.security(33)
@pytest.mark.parametrize(
    "content",
    [
        b'{"notes": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"notes": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        b"[" + b"1," * 500_000 + b"1]",
        b'{"resource_ids": [' + b'"x",' * 200_000 + b'"x"]}',
        b'{"hold_min": ' + b"9" * 100_000 + b"}",
    ],
    ids=["arrays in arrays", "objects in objects", "half a million values", "a long list", "a long number"],
)
def test_json_that_is_deep_or_has_very_many_values_is_refused_and_quickly(house: House, content: bytes) -> None:
    answer = house["staff"].post(
        "/v1/appointments", content=content, headers={**key(), "Content-Type": "application/json"}
    )

    assert answer.status_code in {400, 422}
    assert len(answer.content) < 5_000  # not a line for each of them
    assert answer.elapsed.total_seconds() < 2


@pytest.mark.security(36)
def test_what_a_wrong_value_was_is_never_repeated(house: House) -> None:
    secret = "canary-4f1b"
    body = {"service_id": secret, "start": secret, "customer_id": house.customer_id, "notes": {secret: secret}}

    answer: httpx.Response = house.post("/appointments", body, role="staff")

    told = answer.text.replace(json.dumps(f"/notes/{secret}"), "")
    assert answer.status_code == 422
    assert secret not in told
