"""SECURITY.md rows 34 and 35: deliveries are signed, and go to public addresses only, whoever names the address."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from socket import SHUT_RDWR
from typing import Any
from uuid import uuid4

import httpcore
import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from adapters.clock import SystemClock
from adapters.public_network import PublicNetwork, Resolve, system_resolve
from adapters.webhook_courier import ANSWER_BYTES_MAX, WebhookCourier
from adapters.webhook_secrets import new_secret
from application.clock import Clock
from application.parcels import Parcel, Reached, Unreached
from infra.program import free_port
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.security(34, 35)

SECRET, EARLIER = new_secret(), new_secret()
PUBLIC = "93.184.215.14"
"""Some address of the internet. Nothing is sent there: the tests' dialler connects to the receiver instead."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


class Dialler(httpcore.AnyIOBackend):
    """Connects as asked, but to ``instead`` where that is given, and remembers which addresses it was given."""

    def __init__(self, instead: str | None = None) -> None:
        self.dialled: list[str] = []
        self._instead = instead

    async def connect_tcp(self, host: str, *args: Any, **more: Any) -> httpcore.AsyncNetworkStream:
        self.dialled.append(host)
        return await super().connect_tcp(self._instead or host, *args, **more)


def says(*answers: Sequence[str]) -> tuple[Resolve, list[str]]:
    """A name server that gives one answer after another, and a list of what it was asked for."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolve, asked


def parcel(url: str, body: bytes = b'{"type":"appointment.booked.v1"}') -> Parcel:
    return Parcel(
        id=uuid4(), webhook_id=uuid4(), organization_id=uuid4(), position=1, topic="appointment.booked.v1", url=url,
        attempt=1, at=datetime.now(UTC), body=body,
    )  # fmt: skip


def delivered(
    what: Parcel, network: PublicNetwork, *secrets: str, clock: Clock | None = None, **courier: Any
) -> Reached | Unreached:
    async def deliver() -> Reached | Unreached:
        carrier = WebhookCourier(network, clock or SystemClock(), **courier)
        try:
            return await carrier.deliver(what, secrets or (SECRET,))
        finally:
            await carrier.close()

    return asyncio.run(deliver())


def here(**given: Any) -> PublicNetwork:
    return PublicNetwork(loopback_allowed=True, **given)


def test_a_receiver_that_checks_as_the_standard_says_takes_it(receiver: Receiver) -> None:
    sent = parcel(receiver.url)

    assert delivered(sent, here(), SECRET, EARLIER) == Reached(200)

    [got] = receiver.got
    assert got.id == str(sent.id)
    assert got.body == sent.body
    for secret in (SECRET, EARLIER):  # while a rotation is under way
        assert got.verified(secret) == {"type": "appointment.booked.v1"}
    with pytest.raises(WebhookVerificationError):
        got.verified(new_secret())


def test_what_was_changed_by_one_space_is_refused_by_it(receiver: Receiver) -> None:
    delivered(parcel(receiver.url), here())
    [got] = receiver.got

    for body in (got.body.replace(b":", b": "), got.body + b"\n", got.body.replace(b"booked", b"cancelled")):
        with pytest.raises(WebhookVerificationError):
            replace(got, body=body).verified(SECRET)
    with pytest.raises(WebhookVerificationError):
        replace(got, headers={**got.headers, "webhook-id": str(uuid4())}).verified(SECRET)


def test_what_is_replayed_after_five_minutes_is_refused_by_it(receiver: Receiver) -> None:
    class Late:
        def now(self) -> datetime:
            return datetime.now(UTC) - timedelta(minutes=5, seconds=2)

    delivered(parcel(receiver.url), here(), clock=Late())
    [got] = receiver.got

    with pytest.raises(WebhookVerificationError, match="too old"):
        got.verified(SECRET)
    with pytest.raises(WebhookVerificationError):  # nor does a new time help: it is signed
        replace(got, headers={**got.headers, "webhook-timestamp": str(int(time.time()))}).verified(SECRET)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[fe80::1]", "[fd00::1]",
        "[fec0::1]", "[ff02::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "2130706433", "0177.0.0.1", "0x7f.1",
        "127.1", "localhost",
    ],
)  # fmt: skip
def test_no_private_address_is_connected_to_however_it_is_written(host: str) -> None:
    dialler = Dialler()

    answer = delivered(parcel(f"https://{host}/"), PublicNetwork(dial=dialler))

    assert answer in {Unreached("not_public"), Unreached("unresolvable")}
    assert dialler.dialled == []


def test_the_ways_to_write_an_address_do_reach_the_resolver() -> None:
    """Else the test above would hold of a resolver that knows nothing."""
    assert set(asyncio.run(system_resolve("2130706433", 443))) == {"127.0.0.1"}
    assert set(asyncio.run(system_resolve("0177.0.0.1", 443))) == {"127.0.0.1"}


@pytest.mark.parametrize("answers", [["10.1.2.3"], [PUBLIC, "10.1.2.3"], ["::ffff:10.1.2.3"], [PUBLIC, "fe80::1%eth0"]])
def test_a_name_that_leads_to_a_private_address_is_not_connected_to(answers: list[str]) -> None:
    dialler = Dialler()
    resolve, _ = says(answers)

    answer = delivered(parcel("https://internal.example/"), PublicNetwork(resolve=resolve, dial=dialler))

    assert answer == Unreached("not_public")
    assert dialler.dialled == []


def test_a_name_that_changes_its_answer_is_connected_to_by_the_one_that_was_judged(receiver: Receiver) -> None:
    """DNS rebinding: public when it is judged, private when it is connected to."""
    dialler = Dialler(instead="127.0.0.1")
    resolve, asked = says([PUBLIC], ["169.254.169.254"])
    url = f"http://rebind.example:{receiver.port}/"

    assert delivered(parcel(url), PublicNetwork(resolve=resolve, dial=dialler)) == Reached(200)
    assert (asked, dialler.dialled) == (["rebind.example"], [PUBLIC])
    assert receiver.got[0].headers["host"] == f"rebind.example:{receiver.port}"

    # The next connection looks up anew, and is refused.
    assert delivered(parcel(url), PublicNetwork(resolve=resolve, dial=dialler)) == Unreached("not_public")
    assert dialler.dialled == [PUBLIC]


def test_the_next_address_of_a_name_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    resolve, _ = says(["127.0.0.2", "127.0.0.1"])
    dialler = Dialler()

    answer = delivered(parcel(f"http://two.example:{receiver.port}/"), here(resolve=resolve, dial=dialler))

    assert answer == Reached(200)
    assert dialler.dialled == ["127.0.0.2", "127.0.0.1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver, status: int) -> None:
    def redirect(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        request.send_header("Content-Length", "0")
        request.end_headers()

    receiver.answers.append(redirect)
    dialler = Dialler()

    assert delivered(parcel(receiver.url), here(dial=dialler)) == Reached(status)
    assert dialler.dialled == ["127.0.0.1"]
    assert len(receiver.got) == 1


def test_no_proxy_is_taken_from_the_environment(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{free_port()}")

    assert delivered(parcel(receiver.url), here()) == Reached(200)


def test_headers_that_trickle_in_are_not_waited_for_for_ever(receiver: Receiver) -> None:
    def trickle(request: BaseHTTPRequestHandler) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 200:
            request.wfile.write(bytes([byte]))
            request.wfile.flush()
            time.sleep(0.1)

    receiver.answers.append(trickle)
    began = time.monotonic()

    assert delivered(parcel(receiver.url), here(), answer_within_s=1.0) == Unreached("timed_out")
    assert time.monotonic() - began < 5


def test_a_body_that_trickles_in_does_not_undo_the_status(receiver: Receiver) -> None:
    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        for _ in range(200):
            request.wfile.write(b"x")
            request.wfile.flush()
            time.sleep(0.1)

    receiver.answers.append(trickle)
    began = time.monotonic()

    assert delivered(parcel(receiver.url), here()) == Reached(200)
    assert time.monotonic() - began < 8


def test_an_answer_without_end_is_read_up_to_a_bound(receiver: Receiver) -> None:
    written = 0

    def pour(request: BaseHTTPRequestHandler) -> None:
        nonlocal written
        request.send_response(200)
        request.send_header("Content-Length", str(2**34))
        request.end_headers()
        while True:
            written += request.wfile.write(b"x" * 2**16)

    receiver.answers.append(pour)

    assert delivered(parcel(receiver.url), here()) == Reached(200)
    assert ANSWER_BYTES_MAX < written < 2**26  # what the kernel's buffers took, too


def test_what_is_no_http_and_whoever_is_not_there_is_told_in_a_word(receiver: Receiver) -> None:
    receiver.answers.append(lambda request: request.wfile.write(b"220 mail.example ESMTP\r\n\r\n"))

    assert delivered(parcel(receiver.url), here()) == Unreached("no_http")
    assert delivered(parcel(f"http://127.0.0.1:{free_port()}"), here()) == Unreached("unreachable")
    receiver.answers.append(lambda request: request.connection.shutdown(SHUT_RDWR))
    assert delivered(parcel(receiver.url), here()) in {Unreached("no_http"), Unreached("broken_off")}
