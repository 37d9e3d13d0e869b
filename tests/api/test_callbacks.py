"""SECURITY.md row 13: provider callbacks are authenticated; what they report is shown, and nothing else happens."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twilio.request_validator import RequestValidator

from infra.provider_reporting import signed_events
from tests.api.house import House, made, problem
from tests.api.running_api import EVENTS_KEY, TWILIO_TOKEN, RunningApi

pytestmark = pytest.mark.security(13)

EVENTS_PEM = EVENTS_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def a_sent_message(house: House, channel: str) -> tuple[UUID, str]:
    """In the ledger: a message about the house's visit that the provider took."""
    delivery_id, provider_id = uuid4(), uuid4().hex
    with psycopg.connect(house.api.settings.database_url) as connection:
        connection.execute(
            "INSERT INTO deliveries.delivery (id, position, template, channel, recipient_id, organization_id, about_id,"
            " stream_id, version, at, state, provider_id, attempts)"
            " VALUES (%s, %s, 'confirmation', %s, %s, %s, %s, %s, 1, now(), 'sent', %s, 1)",
            (
                delivery_id, uuid4().int % 2**60, channel, house.customer_id, house.id, house.appointment_id,
                house.appointment_id, provider_id,
            ),
        )  # fmt: skip
    return delivery_id, provider_id


def status_of(house: House, delivery_id: UUID) -> str:
    listed = made(house.get("/notifications", appointment_id=house.appointment_id), 200)["items"]
    return str(next(one["status"] for one in listed if one["id"] == str(delivery_id)))


def twilio(api: RunningApi, form: Mapping[str, str], query: str, *, token: str = TWILIO_TOKEN) -> httpx.Response:
    path = "/v1/callbacks/twilio" + (f"?{query}" if query else "")
    signature = RequestValidator(token).compute_signature(f"{api.settings.public_url}{path}", form)
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    with api.client() as anyone:
        return anyone.post(path, content=urlencode(form), headers=headers)


def sendgrid(api: RunningApi, *events: Mapping[str, object], at: float | None = None) -> httpx.Response:
    body = json.dumps(events).encode()
    headers = signed_events(EVENTS_PEM, body, int(at or time.time()))
    with api.client() as anyone:
        return anyone.post("/v1/callbacks/sendgrid", content=body, headers=headers)


def test_an_sms_that_twilio_delivered_is_shown_as_delivered(house: House) -> None:
    delivery_id, sid = a_sent_message(house, "sms")

    answer = twilio(house.api, {"MessageSid": sid, "MessageStatus": "delivered"}, f"delivery={delivery_id}")

    assert made(answer, 200) == {"heard": 1}
    assert status_of(house, delivery_id) == "delivered"


def test_a_mail_that_bounced_is_shown_as_bounced(house: House) -> None:
    delivery_id, message_id = a_sent_message(house, "email")
    about = {"sg_message_id": f"{message_id}.x", "daybook_delivery_id": str(delivery_id), "email": "ana@example.com"}

    answer = sendgrid(
        house.api,
        {**about, "event": "bounce", "sg_event_id": uuid4().hex, "status": "5.1.1"},
        {**about, "event": "delivered", "sg_event_id": uuid4().hex},
    )

    assert made(answer, 200) == {"heard": 2}
    assert status_of(house, delivery_id) == "bounced"


def test_a_forged_callback_is_refused_and_changes_nothing(house: House) -> None:
    delivery_id, sid = a_sent_message(house, "sms")
    form, query = {"MessageSid": sid, "MessageStatus": "delivered"}, f"delivery={delivery_id}"
    head = house.api.head()

    problem(twilio(house.api, form, query, token="a guess"), 403, "callback-refused")
    problem(sendgrid(house.api, {"event": "delivered"}, at=time.time() - 301), 403, "callback-refused")
    for unsigned in ("twilio", "sendgrid"):
        problem(house["owner"].post(f"/v1/callbacks/{unsigned}", content=urlencode(form)), 403, "callback-refused")

    assert status_of(house, delivery_id) == "sent"
    assert house.api.head() == head


def test_a_genuine_callback_about_an_unknown_message_is_thanked_for(api: RunningApi) -> None:
    form = {"MessageSid": "SM404", "MessageStatus": "delivered"}

    assert made(twilio(api, form, f"delivery={uuid4()}"), 200) == {"heard": 1}
    assert made(twilio(api, form, ""), 200) == {"heard": 0}


def test_a_signature_for_another_host_does_not_count_whatever_the_host_header_says(api: RunningApi) -> None:
    path, form = "/v1/callbacks/twilio", {"MessageSid": "SM1", "MessageStatus": "sent"}
    signature = RequestValidator(TWILIO_TOKEN).compute_signature(f"http://evil.example{path}", form)
    headers = {
        "Host": "evil.example", "X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    with api.client() as anyone:
        problem(anyone.post(path, content=urlencode(form), headers=headers), 403, "callback-refused")


@pytest.mark.parametrize("provider", ["twilio", "sendgrid"])
def test_a_provider_that_is_not_configured_has_no_address_here(api: RunningApi, provider: str) -> None:
    configured = api.app.state.ports
    api.app.state.ports = replace(configured, partners=replace(configured.partners, callbacks={}))
    try:
        with api.client() as anyone:
            problem(anyone.post(f"/v1/callbacks/{provider}", content=b""), 404, "no-such-page")
    finally:
        api.app.state.ports = configured
