"""What the stand-in for the providers reports back, signed as they sign it: out of order, and more than once."""

import asyncio
import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

TRIES = 5
FIRST_PAUSE_S = 0.2
UNREACHABLE = "bounce"
"""A mail address that begins so bounces; a number that ends with this many zeros is not reached."""
UNREACHABLE_NUMBER = "0000000"


@dataclass(frozen=True, slots=True)
class SmsCallback:
    """Where Twilio was told to report to, and the header by which it was asked: account and token."""

    url: str
    authorization: str


@dataclass(slots=True)
class Reporting:
    """``events_url`` and ``events_key_pem`` are what the SendGrid account would be told; without them it is silent.

    Twilio is told with each message where to report to, and signs with the token by which it was asked.
    """

    events_url: str | None = None
    events_key_pem: bytes | None = None
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(
        self, channel: str, message_id: str, to: str, delivery_id: str | None, callback: SmsCallback | None
    ) -> None:
        """Report beside all else: it may arrive before the answer to the sending, as the real ones' do."""
        if channel == "sms" and callback:
            self._run(_post_forms(callback, message_id, to))
        elif channel == "email" and delivery_id and self.events_url and self.events_key_pem:
            self._run(_post_events(self.events_url, self.events_key_pem, message_id, delivery_id, to))

    def _run(self, reporting: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(reporting)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


async def _post_forms(callback: SmsCallback, sid: str, to: str) -> None:
    from twilio.request_validator import RequestValidator

    account, _, token = base64.b64decode(callback.authorization.removeprefix("Basic ")).decode().partition(":")
    about = {"AccountSid": account, "MessageSid": sid, "SmsSid": sid, "To": to}
    reached = not to.endswith(UNREACHABLE_NUMBER)
    last = {"MessageStatus": "delivered"} if reached else {"MessageStatus": "undelivered", "ErrorCode": "30003"}
    # The later state first: callbacks travel on their own and overtake one another.
    for status in (last, {"MessageStatus": "sent"}):
        form = {**about, **status}
        headers = {"X-Twilio-Signature": RequestValidator(token).compute_signature(callback.url, form)}
        body = urlencode(form).encode()
        await _post(callback.url, body, {"Content-Type": "application/x-www-form-urlencoded", **headers})


async def _post_events(url: str, key_pem: bytes, message_id: str, delivery_id: str, to: str) -> None:
    about = {"email": to, "daybook_delivery_id": delivery_id, "sg_message_id": f"{message_id}.stand-in-0.0"}
    bounce = {"event": "bounce", "status": "5.1.1", "reason": f"no such mailbox: {to}"}
    last = bounce if to.startswith(UNREACHABLE) else {"event": "delivered"}
    events = [
        {**about, "sg_event_id": uuid4().hex, "timestamp": int(time.time()), **event}
        for event in (last, {"event": "processed"})
    ]
    body = json.dumps(events).encode()
    for _ in range(2):  # as SendGrid does: more than once
        await _post(url, body, {"Content-Type": "application/json", **signed_events(key_pem, body, int(time.time()))})


def signed_events(key_pem: bytes, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers by which SendGrid vouches for ``body``."""
    key = load_pem_private_key(key_pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signature = key.sign(f"{timestamp}".encode() + body, ec.ECDSA(SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": f"{timestamp}",
    }


async def _post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Until it is taken, a few times."""
    for attempt in range(TRIES):
        request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310  what we were told to call
        try:
            await asyncio.to_thread(_ask, request)
        except (urllib.error.URLError, OSError):
            await asyncio.sleep(FIRST_PAUSE_S * 2**attempt)
        else:
            return


def _ask(request: urllib.request.Request) -> None:
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310  what we were told to call
