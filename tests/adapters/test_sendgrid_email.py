"""E-mail through the real SDK, over real HTTP, to the local fake."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.provider_answers import ProviderNotConfigured
from adapters.sendgrid_email import SendGridEmail
from application.notifying import Channel
from application.providers import Absent, Accepted, CannotTell, Refused, Unclear
from infra.program import free_port
from infra.provider_fake import Outbox
from tests.adapters.providers import TIMEOUT_S, message

ADDRESS = "ana@example.com"


def email(url: str) -> SendGridEmail:
    return SendGridEmail(
        api_key="SG.key", sender="Daybook <no-reply@daybook.example>", timeout_s=TIMEOUT_S, base_url=url
    )


def now() -> datetime:
    return datetime.now(UTC)


def test_a_mail_is_taken_as_text_and_html_with_our_id_among_its_arguments(outbox: Outbox, provider_url: str) -> None:
    sent = message(Channel.EMAIL, ADDRESS)

    answer = email(provider_url).send(sent)

    [taken] = outbox.messages
    assert answer == Accepted(taken.id)
    assert (taken.to, taken.subject, taken.delivery_id) == (ADDRESS, "Confirmed", str(sent.delivery_id))
    assert (taken.text, taken.html) == (sent.content.text, sent.content.html)


def test_a_mail_that_was_taken_without_an_answer_is_found_again(outbox: Outbox, provider_url: str) -> None:
    outbox.fail("email", 0, taken=True)
    sent = message(Channel.EMAIL, ADDRESS)

    assert email(provider_url).send(sent) == Unclear("sendgrid_TimeoutError")

    assert email(provider_url).find(sent.delivery_id, ADDRESS, now()) == Accepted(outbox.messages[0].id)


def test_a_mail_that_was_never_taken_is_absent(outbox: Outbox, provider_url: str) -> None:
    email(provider_url).send(message(Channel.EMAIL, ADDRESS))

    assert email(provider_url).find(uuid4(), ADDRESS, now()) == Absent()


def test_an_account_without_the_activity_feed_cannot_tell(outbox: Outbox, provider_url: str) -> None:
    outbox.activity_feed = False

    assert email(provider_url).find(uuid4(), ADDRESS, now()) == CannotTell("sendgrid_no_activity_feed")


def test_a_provider_that_asks_for_patience_names_the_time(outbox: Outbox, provider_url: str) -> None:
    outbox.fail("email", 429, retry_after_s=7)

    assert email(provider_url).send(message(Channel.EMAIL, ADDRESS)) == Refused(
        "sendgrid_429", retry_after=timedelta(seconds=7)
    )


def test_wrong_credentials_are_the_operators_mistake_and_keep_the_message(outbox: Outbox, provider_url: str) -> None:
    outbox.fail("email", 401)

    answer = email(provider_url).send(message(Channel.EMAIL, ADDRESS))

    assert isinstance(answer, Refused)
    assert not answer.lasting


def test_a_mail_that_is_malformed_fails_for_good(outbox: Outbox, provider_url: str) -> None:
    outbox.fail("email", 400)

    assert email(provider_url).send(message(Channel.EMAIL, ADDRESS)) == Refused("sendgrid_400", lasting=True)


def test_where_nobody_listens_nothing_was_taken() -> None:
    unreachable = email(f"http://127.0.0.1:{free_port()}")

    assert unreachable.send(message(Channel.EMAIL, ADDRESS)) == Refused("sendgrid_unreachable")


def test_a_sender_that_is_no_address_is_named() -> None:
    with pytest.raises(ProviderNotConfigured, match="DAYBOOK_SENDGRID_FROM"):
        SendGridEmail(api_key="SG.key", sender="Daybook", timeout_s=1)
