"""Twilio's status callbacks, verified with its own library: it signs the address that it was told to call and the form.

It signs no time: what is replayed says what it said before.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from adapters.provider_answers import REPORTED_ID_CHARS_MAX, ProviderNotConfigured, reported_id, reported_reason
from application.callbacks import Callback, CallbackRefused, Outcome, Report

if TYPE_CHECKING:
    from twilio.request_validator import RequestValidator

_TWILIO = {
    "sent": Outcome.SENT,
    "delivered": Outcome.DELIVERED,
    "read": Outcome.DELIVERED,
    "undelivered": Outcome.UNDELIVERED,
    "failed": Outcome.UNDELIVERED,
}


class TwilioCallbacks:
    """``public_url`` is where Twilio was told to call: what a proxy or the caller says of the host does not count."""

    def __init__(self, *, auth_token: str, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")
        self._validator = _validator(auth_token)

    def read(self, callback: Callback) -> Sequence[Report]:
        form = _form(callback.body)
        url = f"{self._public_url}{callback.path}" + (f"?{callback.query}" if callback.query else "")
        signature = callback.headers.get("x-twilio-signature", "")
        # The library compares as text: a signature that is none must not reach it.
        if not signature.isascii() or not self._validator.validate(url, form, signature):
            raise CallbackRefused
        delivery_id = reported_id(parse_qs(callback.query).get("delivery", [""])[0])
        status, sid = form.get("MessageStatus", ""), form.get("MessageSid", "")
        if delivery_id is None or status not in _TWILIO or not 0 < len(sid) <= REPORTED_ID_CHARS_MAX:
            return ()
        reason = reported_reason("twilio", form.get("ErrorCode"))
        report = Report(
            event_id=f"{sid}/{status}",
            delivery_id=delivery_id,
            provider_id=sid,
            outcome=_TWILIO[status],
            reason=reason,
        )
        return (report,)


def _form(body: bytes) -> dict[str, str]:
    """Raises ``CallbackRefused`` for what is no form of single values: Twilio sends no other."""
    try:
        values = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=100)
    except ValueError:
        raise CallbackRefused from None
    if any(len(several) != 1 for several in values.values()):
        raise CallbackRefused
    return {name: several[0] for name, several in values.items()}


def _validator(auth_token: str) -> "RequestValidator":
    try:
        from twilio.request_validator import RequestValidator
    except ImportError as missing:
        raise ProviderNotConfigured("SMS needs the extra: pip install 'daybook[sms]'") from missing
    return RequestValidator(auth_token)
