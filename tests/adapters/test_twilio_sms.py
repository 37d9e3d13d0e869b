"""SMS through the real SDK, over real HTTP, to the local fake."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.provider_answers import ProviderNotConfigured
from adapters.twilio_sms import TwilioSms
from application.notifying import Channel
from application.providers import Absent, Accepted, Refused, Unclear
from infra.program import free_port
from infra.provider_fake import Outbox
from tests.adapters.providers import TIMEOUT_S, message

NUMBER = "+5527999990000"


def sms(url: str, **given: object) -> TwilioSms:
    return TwilioSms(
        account_sid="AC0", auth_token="secret", sender="+15550001111", timeout_s=TIMEOUT_S, base_url=url,
        callback_url="https://daybook.example/v1/callbacks/twilio", **given,  # type: ignore[arg-type]
    )  # fmt: skip


def now() -> datetime:
    return datetime.now(UTC)


def test_an_sms_is_taken_with_our_id_in_its_callback_and_our_reference_in_its_text(
    outbox: Outbox, provider_url: str
) -> None:
    sent = message(Channel.SMS, NUMBER)

    answer = sms(provider_url).send(sent)

    [taken] = outbox.messages
    assert answer == Accepted(taken.id)
    assert (taken.to, taken.text, taken.delivery_id) == (NUMBER, sent.content.text, str(sent.delivery_id))


def test_an_sms_that_was_taken_without_an_answer_is_found_again(outbox: Outbox, provider_url: str) -> None:
    outbox.fail("sms", 0, taken=True)
    sent, began = message(Channel.SMS, NUMBER), now()

    assert isinstance(sms(provider_url).send(sent), Unclear)

    assert sms(provider_url).find(sent.delivery_id, NUMBER, began) == Accepted(outbox.messages[0].id)
    assert outbox.requests["sms"] == 1


def test_an_sms_that_was_never_taken_is_absent_though_others_were_sent_to_the_number(
    outbox: Outbox, provider_url: str
) -> None:
    sms(provider_url).send(message(Channel.SMS, NUMBER))

    assert sms(provider_url).find(uuid4(), NUMBER, now()) == Absent()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_provider_certainly_took_nothing(outbox: Outbox, provider_url: str, status: int) -> None:
    outbox.fail("sms", status)

    assert sms(provider_url).send(message(Channel.SMS, NUMBER)) == Refused(f"twilio_{20000 + status}")
    assert outbox.requests["sms"] == 1


def test_a_failure_within_the_provider_leaves_doubt(outbox: Outbox, provider_url: str) -> None:
    outbox.fail("sms", 500, taken=True)

    assert sms(provider_url).send(message(Channel.SMS, NUMBER)) == Unclear("twilio_20500")


def test_a_number_that_is_none_fails_for_good_and_its_reason_does_not_quote_it(
    outbox: Outbox, provider_url: str
) -> None:
    assert sms(provider_url).send(message(Channel.SMS, "nobody")) == Refused("twilio_21211", lasting=True)


def test_where_nobody_listens_nothing_was_taken(outbox: Outbox) -> None:
    unreachable = sms(f"http://127.0.0.1:{free_port()}")

    assert unreachable.send(message(Channel.SMS, NUMBER)) == Refused("twilio_unreachable")
    assert isinstance(unreachable.find(uuid4(), NUMBER, now() - timedelta(minutes=1)), Unclear)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(ProviderNotConfigured, match="DAYBOOK_TWILIO_FROM is missing"):
        TwilioSms(account_sid="AC0", auth_token="secret", sender="", timeout_s=1)
