"""SendGrid's event webhook, verified with its own library: it signs a time and the raw body with a key of its own."""

import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from adapters.clock import SystemClock
from adapters.provider_answers import REPORTED_ID_CHARS_MAX, ProviderNotConfigured, reported_id, reported_reason
from adapters.sendgrid_email import CUSTOM_ARG
from application.callbacks import Callback, CallbackRefused, Outcome, Report
from application.clock import Clock

if TYPE_CHECKING:
    from sendgrid import EventWebhook

WINDOW_S = 300
"""How old or how far ahead a callback's time may be. A provider that tries again signs again."""
EVENTS_MAX = 10_000

_SENDGRID = {
    "processed": Outcome.SENT,
    "delivered": Outcome.DELIVERED,
    "dropped": Outcome.UNDELIVERED,
    "bounce": Outcome.BOUNCED,
}


class SendGridCallbacks:
    """``public_key`` is the verification key of the account's event webhook, base64."""

    def __init__(self, *, public_key: str, clock: Clock | None = None) -> None:
        self._webhook = _event_webhook(public_key)
        self._clock = clock or SystemClock()

    def read(self, callback: Callback) -> Sequence[Report]:
        timestamp = callback.headers.get("x-twilio-email-event-webhook-timestamp", "")
        signature = callback.headers.get("x-twilio-email-event-webhook-signature", "")
        if not self._is_signed(callback.body, signature, timestamp):
            raise CallbackRefused
        if abs(self._clock.now().timestamp() - int(timestamp)) > WINDOW_S:
            raise CallbackRefused
        try:
            events = msgspec.json.decode(callback.body, type=list[dict[str, Any]])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return ()
        return tuple(_of_sendgrid(events[:EVENTS_MAX]))

    def _is_signed(self, body: bytes, signature: str, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= len("9999999999")):
            return False
        try:
            return bool(self._webhook.verify_signature(body.decode(), signature, timestamp))
        except (UnicodeDecodeError, binascii.Error, ValueError):
            return False


def _of_sendgrid(events: Sequence[Mapping[str, Any]]) -> Iterator[Report]:
    for event in events:
        outcome = _SENDGRID.get(str(event.get("event")))
        delivery_id = reported_id(event.get(CUSTOM_ARG))
        event_id, message_id = event.get("sg_event_id"), event.get("sg_message_id")
        if outcome is None or delivery_id is None or not isinstance(event_id, str) or not isinstance(message_id, str):
            continue  # an opening, a click, a mail that is not ours
        if not 0 < len(event_id) <= REPORTED_ID_CHARS_MAX or len(message_id) > REPORTED_ID_CHARS_MAX:
            continue
        yield Report(
            event_id=event_id,
            delivery_id=delivery_id,
            provider_id=message_id.partition(".")[0],  # what was told when it was taken; the rest is SendGrid's own
            outcome=outcome,
            reason=reported_reason("sendgrid", event.get("status")),
        )


def _event_webhook(public_key: str) -> "EventWebhook":
    try:
        from sendgrid import EventWebhook
    except ImportError as missing:
        raise ProviderNotConfigured("E-mail needs the extra: pip install 'daybook[email]'") from missing
    try:
        # Of no key at all the library makes a verifier that fails when it is asked.
        return EventWebhook(public_key or "none")
    except ValueError as wrong:
        raise ProviderNotConfigured("DAYBOOK_SENDGRID_WEBHOOK_KEY is no public key in base64") from wrong
