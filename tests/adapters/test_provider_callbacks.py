"""SECURITY.md row 13: a callback is believed if the provider signed these very bytes, and not long ago."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from twilio.request_validator import RequestValidator

from adapters.provider_answers import ProviderNotConfigured
from adapters.sendgrid_callbacks import WINDOW_S, SendGridCallbacks
from adapters.twilio_callbacks import TwilioCallbacks
from application.callbacks import Callback, CallbackRefused, Outcome, Report
from infra.provider_reporting import signed_events

pytestmark = pytest.mark.security(13)

PUBLIC = "https://api.clinic.example"
TOKEN = "the account's token"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DELIVERY = uuid4()
KEY = ec.generate_private_key(ec.SECP256R1())


class Standing:
    def now(self) -> datetime:
        return NOW


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def shown(key: ec.EllipticCurvePrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def of_twilio(form: Mapping[str, str], *, token: str = TOKEN, public: str = PUBLIC) -> Callback:
    path, query = "/v1/callbacks/twilio", f"delivery={DELIVERY}"
    signature = RequestValidator(token).compute_signature(f"{public}{path}?{query}", form)
    return Callback(headers={"x-twilio-signature": signature}, path=path, query=query, body=urlencode(form).encode())


def of_sendgrid(*events: Mapping[str, object], at: datetime = NOW, key: ec.EllipticCurvePrivateKey = KEY) -> Callback:
    body = json.dumps(events).encode()
    signed = signed_events(pem(key), body, int(at.timestamp()))
    headers = {name.lower(): value for name, value in signed.items()}
    return Callback(headers=headers, path="/v1/callbacks/sendgrid", query="", body=body)


TWILIO = TwilioCallbacks(auth_token=TOKEN, public_url=f"{PUBLIC}/")
SENDGRID = SendGridCallbacks(public_key=shown(KEY), clock=Standing())
DELIVERED_SMS = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+5527999990000"}
DELIVERED_MAIL = {
    "event": "delivered",
    "email": "ana@example.com",
    "sg_event_id": "e1",
    "sg_message_id": "m1.filter-0.0",
    "daybook_delivery_id": str(DELIVERY),
}


def test_what_twilio_signed_is_read() -> None:
    assert TWILIO.read(of_twilio(DELIVERED_SMS)) == (
        Report(event_id="SM1/delivered", delivery_id=DELIVERY, provider_id="SM1", outcome=Outcome.DELIVERED),
    )


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("sent", Outcome.SENT), ("undelivered", Outcome.UNDELIVERED), ("failed", Outcome.UNDELIVERED), ("queued", None)],
)
def test_states_of_twilio_are_ours_or_nothing(status: str, outcome: Outcome | None) -> None:
    told = TWILIO.read(of_twilio({**DELIVERED_SMS, "MessageStatus": status, "ErrorCode": "30003"}))

    assert [(one.outcome, one.reason) for one in told] == ([(outcome, "twilio_30003")] if outcome else [])


def test_what_anyone_else_signed_or_changed_on_the_way_is_refused_for_twilio() -> None:
    genuine = of_twilio(DELIVERED_SMS)
    forged = [
        replace(genuine, headers={}),
        replace(genuine, headers={"x-twilio-signature": "é"}),
        of_twilio(DELIVERED_SMS, token="a guess"),
        of_twilio(DELIVERED_SMS, public="https://elsewhere.example"),
        replace(genuine, body=genuine.body.replace(b"delivered", b"undelivered")),
        replace(genuine, body=genuine.body + b"&MessageStatus=undelivered"),
        replace(genuine, body=b"\xff\xfe"),
        replace(genuine, query=f"delivery={uuid4()}"),
        replace(genuine, path="/v1/callbacks/other"),
    ]

    for callback in forged:
        with pytest.raises(CallbackRefused):
            TWILIO.read(callback)


def test_what_sendgrid_signed_is_read_without_what_it_says_of_the_person() -> None:
    bounce = {**DELIVERED_MAIL, "event": "bounce", "sg_event_id": "e2", "status": "5.1.1", "reason": "ana@example.com?"}
    told = SENDGRID.read(of_sendgrid(DELIVERED_MAIL, bounce))

    assert told == (
        Report(event_id="e1", delivery_id=DELIVERY, provider_id="m1", outcome=Outcome.DELIVERED),
        Report(event_id="e2", delivery_id=DELIVERY, provider_id="m1", outcome=Outcome.BOUNCED, reason="sendgrid_5.1.1"),
    )
    assert "ana" not in str(told)


def test_events_that_are_not_of_our_messages_say_nothing() -> None:
    others: list[dict[str, object]] = [
        {**DELIVERED_MAIL, "event": "open"},
        {**DELIVERED_MAIL, "daybook_delivery_id": "no id"},
        {**DELIVERED_MAIL, "sg_event_id": None},
        {},
    ]
    assert SENDGRID.read(of_sendgrid(*others)) == ()
    body = b'{"not": "a list"}'
    headers = {name.lower(): value for name, value in signed_events(pem(KEY), body, int(NOW.timestamp())).items()}
    assert SENDGRID.read(Callback(headers=headers, path="", query="", body=body)) == ()


def test_what_anyone_else_signed_or_changed_on_the_way_is_refused_for_sendgrid() -> None:
    genuine = of_sendgrid(DELIVERED_MAIL)
    signature, timestamp = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"
    forged = [
        replace(genuine, headers={}),
        replace(genuine, headers={**genuine.headers, signature: "not base64!"}),
        replace(genuine, headers={**genuine.headers, signature: "é"}),
        replace(genuine, headers={**genuine.headers, timestamp: "now"}),
        replace(genuine, headers={**genuine.headers, timestamp: str(int(NOW.timestamp()) + 1)}),
        of_sendgrid(DELIVERED_MAIL, key=ec.generate_private_key(ec.SECP256R1())),
        replace(genuine, body=genuine.body + b" "),  # the same JSON, other bytes
        replace(genuine, body=b"\xff"),
    ]

    for callback in forged:
        with pytest.raises(CallbackRefused):
            SENDGRID.read(callback)


@pytest.mark.parametrize("late", [timedelta(seconds=WINDOW_S + 1), -timedelta(seconds=WINDOW_S + 1)])
def test_a_genuine_callback_is_refused_outside_its_five_minutes(late: timedelta) -> None:
    assert SENDGRID.read(of_sendgrid(DELIVERED_MAIL, at=NOW - late * 0.9))

    with pytest.raises(CallbackRefused):
        SENDGRID.read(of_sendgrid(DELIVERED_MAIL, at=NOW - late))


@pytest.mark.parametrize("key", ["no key", "AAAA", ""])
def test_a_key_that_is_none_is_told_at_the_start(key: str) -> None:
    with pytest.raises(ProviderNotConfigured, match="DAYBOOK_SENDGRID_WEBHOOK_KEY"):
        SendGridCallbacks(public_key=key)
