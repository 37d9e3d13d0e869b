"""Twilio, SendGrid and Firebase on one local port, with an outbox to look into: for development and tests.

It speaks as much of each provider's HTTP as their own SDKs use, including the look-ups by which a message in doubt is
found again, and fails on command as providers do: refusals, errors, and silence after a message was taken.
Open its address in a browser to read what was sent; ``/outbox.json`` is the same for programs.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs
from uuid import uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from infra.provider_reporting import Reporting, SmsCallback

OUTBOX_MESSAGES_MAX = 5_000
SILENCE_S = 60.0
CHANNELS = ("email", "sms", "push")
PAGE = Path(__file__).parent / "outbox.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """One message as its provider took it. ``delivery_id`` is ours, as far as the provider was told it."""

    id: str
    channel: str
    to: str
    subject: str
    text: str
    html: str | None
    delivery_id: str | None
    at: datetime

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "channel": self.channel,
            "to": self.to,
            "subject": self.subject,
            "text": self.text,
            "has_html": self.html is not None,
            "delivery_id": self.delivery_id,
            "at": self.at.isoformat(),
        }


@dataclass(slots=True)
class Failure:
    """What the next ``times`` sends over ``channel`` meet. ``status`` 0 is silence until the client gives up.

    ``taken``: the message reaches the outbox all the same, as when an answer is lost on its way.
    """

    channel: str
    status: int
    taken: bool
    times: int
    retry_after_s: int | None = None


@dataclass(slots=True)
class Outbox:
    """What was taken, newest last, and what is to go wrong. ``silence_s`` is how long a silent answer takes."""

    messages: deque[OutboxMessage] = field(default_factory=lambda: deque(maxlen=OUTBOX_MESSAGES_MAX))
    failures: list[Failure] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANNELS, 0))
    silence_s: float = SILENCE_S
    reporting: Reporting | None = None
    """Tells Daybook what became of messages; without it the stand-in keeps it to itself."""
    activity_feed: bool = True
    """Whether the SendGrid account has bought the look-up."""

    def of(self, channel: str) -> list[OutboxMessage]:
        return [message for message in self.messages if message.channel == channel]

    def fail(
        self, channel: str, status: int, *, taken: bool = False, times: int = 1, retry_after_s: int | None = None
    ) -> None:
        """Let the next sends fail: 429, 503, 500 …, or 0 for silence."""
        self.failures.append(Failure(channel, status, taken, times, retry_after_s))

    def next_failure(self, channel: str) -> Failure | None:
        self.requests[channel] += 1
        for failure in self.failures:
            if failure.channel == channel and failure.times > 0:
                failure.times -= 1
                return failure
        return None

    async def take(self, message: OutboxMessage, callback: SmsCallback | None = None) -> Response | None:
        """Put the message into the outbox, unless it fails; the failure's answer, or None."""
        failure = self.next_failure(message.channel)
        if failure is None or failure.taken:
            self.messages.append(message)
            if self.reporting:
                self.reporting.begin(message.channel, message.id, message.to, message.delivery_id, callback)
        if failure is None:
            return None
        if failure.status == 0:
            await asyncio.sleep(self.silence_s)
            return Response(status_code=504)
        retry_after_s = failure.retry_after_s
        headers = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else None
        return JSONResponse(_error(message.channel, failure.status), failure.status, headers)


def fake_app(outbox: Outbox) -> Starlette:
    """The fake as an ASGI application."""
    return Starlette(routes=[*_twilio(outbox), *_sendgrid(outbox), *_firebase(outbox), *_looking_in(outbox)])


def _twilio(outbox: Outbox) -> Sequence[Route]:
    async def send(request: Request) -> Response:
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        asked = parse_qs(form.get("StatusCallback", "").partition("?")[2])
        if not form.get("To", "").startswith("+"):
            return JSONResponse({"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}, 400)
        message = OutboxMessage(
            id=f"SM{uuid4().hex}",
            channel="sms",
            to=form["To"],
            subject="",
            text=form.get("Body", ""),
            html=None,
            delivery_id=asked.get("delivery", [None])[0],
            at=datetime.now(UTC),
        )
        callback = SmsCallback(form["StatusCallback"], request.headers["authorization"]) if asked else None
        return await outbox.take(message, callback) or JSONResponse(_twilio_shape(message), 201)

    async def listed(request: Request) -> Response:
        to = request.query_params.get("To")
        found = [_twilio_shape(one) for one in reversed(outbox.of("sms")) if to in {None, one.to}]
        return JSONResponse({"messages": found, "next_page_uri": None, "page": 0, "page_size": len(found)})

    path = "/2010-04-01/Accounts/{account}/Messages.json"
    return [Route(path, send, methods=["POST"]), Route(path, listed, methods=["GET"])]


def _sendgrid(outbox: Outbox) -> Sequence[Route]:
    async def send(request: Request) -> Response:
        mail = await request.json()
        content = {part["type"]: part["value"] for part in mail["content"]}
        message = OutboxMessage(
            id=uuid4().hex,
            channel="email",
            to=mail["personalizations"][0]["to"][0]["email"],
            subject=mail["subject"],
            text=content.get("text/plain", ""),
            html=content.get("text/html"),
            delivery_id=mail.get("custom_args", {}).get("daybook_delivery_id"),
            at=datetime.now(UTC),
        )
        return await outbox.take(message) or Response(status_code=202, headers={"X-Message-Id": message.id})

    async def listed(request: Request) -> Response:
        if not outbox.activity_feed:
            return JSONResponse({"errors": [{"message": "authorization required"}]}, 403)
        wanted = request.query_params.get("query", "").partition("=")[2].strip('"')
        found = [{"msg_id": one.id, "status": "processed"} for one in outbox.of("email") if one.delivery_id == wanted]
        return JSONResponse({"messages": found})

    return [
        Route("/v3/mail/send", send, methods=["POST"]),
        Route("/v3/messages", listed, methods=["GET"]),
    ]


def _firebase(outbox: Outbox) -> Sequence[Route]:
    async def send(request: Request) -> Response:
        push = (await request.json())["message"]
        message = OutboxMessage(
            id=f"projects/{request.path_params['project']}/messages/{uuid4().int % 10**16}",
            channel="push",
            to=push["token"],
            subject=push["notification"]["title"],
            text=push["notification"]["body"],
            html=None,
            delivery_id=push.get("data", {}).get("daybook_delivery_id"),
            at=datetime.now(UTC),
        )
        return await outbox.take(message) or JSONResponse({"name": message.id})

    async def token(_request: Request) -> Response:
        return JSONResponse({"access_token": uuid4().hex, "token_type": "Bearer", "expires_in": 3600})

    return [
        Route("/v1/projects/{project}/messages:send", send, methods=["POST"]),
        Route("/token", token, methods=["POST"]),
    ]


def _looking_in(outbox: Outbox) -> Sequence[Route]:
    async def page(_request: Request) -> Response:
        return FileResponse(PAGE, headers={"Cache-Control": "no-store"})

    async def listed(request: Request) -> Response:
        channel, to = request.query_params.get("channel"), request.query_params.get("to")
        found = [m.as_json() for m in reversed(outbox.messages) if channel in {None, m.channel} and to in {None, m.to}]
        return JSONResponse({"messages": found, "requests": outbox.requests}, headers={"Cache-Control": "no-store"})

    async def mail(request: Request) -> Response:
        wanted = request.path_params["id"]
        found = next((message for message in outbox.messages if message.id == wanted and message.html), None)
        if found is None:
            return Response("No such mail.", 404)
        # As a mail program would: nothing in it runs and nothing is fetched.
        policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
        return HTMLResponse(found.html or "", headers={"Content-Security-Policy": policy})

    async def fail(request: Request) -> Response:
        asked = await request.json()
        if asked.get("channel") not in CHANNELS or not isinstance(asked.get("status"), int):
            return JSONResponse({"error": f"channel: one of {', '.join(CHANNELS)}; status: 0 or 400…599"}, 422)
        outbox.fail(
            asked["channel"],
            asked["status"],
            taken=bool(asked.get("taken")),
            times=int(asked.get("times", 1)),
            retry_after_s=asked.get("retry_after_s"),
        )
        return Response(status_code=204)

    async def empty(_request: Request) -> Response:
        outbox.messages.clear()
        outbox.failures.clear()
        return Response(status_code=204)

    return [
        Route("/", page),
        Route("/outbox.json", listed),
        Route("/outbox.json", empty, methods=["DELETE"]),
        Route("/mail/{id}", mail),
        Route("/failures", fail, methods=["POST"]),
    ]


def _twilio_shape(message: OutboxMessage) -> dict[str, object]:
    at = message.at.strftime("%a, %d %b %Y %H:%M:%S +0000")
    return {
        "sid": message.id,
        "to": message.to,
        "body": message.text,
        "status": "queued",
        "date_created": at,
        "date_updated": at,
        "date_sent": None,
        "num_segments": "1",
        "num_media": "0",
        "direction": "outbound-api",
        "api_version": "2010-04-01",
    }


def _error(channel: str, status: int) -> Mapping[str, object]:
    """What the provider would say, in its own shape."""
    if channel == "sms":
        return {"code": 20000 + status, "message": "failing as asked", "status": status}
    if channel == "email":
        return {"errors": [{"message": "failing as asked", "field": None}]}
    return {"error": {"code": status, "message": "failing as asked", "status": "UNAVAILABLE"}}


def serve_fake(host: str, port: int, reporting: Reporting) -> None:
    """Serve until SIGTERM or SIGINT. What was sent is forgotten then."""
    uvicorn.run(
        fake_app(Outbox(reporting=reporting)), host=host, port=port, log_level="warning", timeout_graceful_shutdown=1
    )


@contextmanager
def running_fake(outbox: Outbox, host: str = "127.0.0.1") -> Iterator[str]:
    """The fake on a free port in a thread, for tests; gives its URL."""
    server = uvicorn.Server(
        uvicorn.Config(fake_app(outbox), host=host, port=0, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()
