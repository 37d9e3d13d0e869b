"""The stand-in for the providers shows what it took, and fails as it is told. The SDKs' own tests are elsewhere."""

from collections.abc import Iterator

import httpx
import pytest

from infra.provider_fake import OUTBOX_MESSAGES_MAX, Outbox, running_fake

MAIL = {
    "from": {"email": "no-reply@daybook.example"},
    "personalizations": [{"to": [{"email": "ana@example.com"}]}],
    "subject": "<script>alert(1)</script>",
    "content": [{"type": "text/plain", "value": "Hello."}, {"type": "text/html", "value": "<h1>Hello.</h1>"}],
    "custom_args": {"daybook_delivery_id": "0"},
}


@pytest.fixture(scope="module")
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def client(outbox: Outbox) -> Iterator[httpx.Client]:
    outbox.messages.clear()
    with running_fake(outbox) as url, httpx.Client(base_url=url) as client:
        yield client


def listed(client: httpx.Client, **query: str) -> list[dict[str, object]]:
    messages: list[dict[str, object]] = client.get("/outbox.json", params=query).json()["messages"]
    return messages


def test_the_outbox_shows_the_newest_message_first_by_channel_and_recipient(client: httpx.Client) -> None:
    client.post("/v3/mail/send", json=MAIL)
    client.post("/2010-04-01/Accounts/AC0/Messages.json", data={"To": "+5527", "From": "+1", "Body": "Hi."})

    assert [message["channel"] for message in listed(client)] == ["sms", "email"]
    assert [message["text"] for message in listed(client, channel="email")] == ["Hello."]
    assert [message["text"] for message in listed(client, to="+5527")] == ["Hi."]


def test_a_mail_is_shown_as_it_is_without_letting_it_run_or_fetch_anything(client: httpx.Client) -> None:
    client.post("/v3/mail/send", json=MAIL)
    [mail] = listed(client)

    shown = client.get(f"/mail/{mail['id']}")

    assert shown.text == "<h1>Hello.</h1>"
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert client.get("/mail/another").status_code == 404


def test_the_page_needs_nothing_from_elsewhere_and_writes_what_was_sent_as_text(client: httpx.Client) -> None:
    page = client.get("/")

    assert page.headers["Content-Type"].startswith("text/html")
    assert "https://" not in page.text
    assert "innerHTML" not in page.text


def test_a_failure_that_was_asked_for_happens_as_often_as_asked(client: httpx.Client) -> None:
    asked = {"channel": "email", "status": 429, "times": 2, "retry_after_s": 5}
    assert client.post("/failures", json=asked).status_code == 204

    answers = [client.post("/v3/mail/send", json=MAIL) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 202]
    assert answers[0].headers["Retry-After"] == "5"
    assert len(listed(client)) == 1


def test_a_failure_that_makes_no_sense_is_refused(client: httpx.Client) -> None:
    assert client.post("/failures", json={"channel": "pigeon", "status": 500}).status_code == 422


def test_the_outbox_can_be_emptied_and_is_bounded(client: httpx.Client, outbox: Outbox) -> None:
    client.post("/v3/mail/send", json=MAIL)
    client.delete("/outbox.json")

    assert listed(client) == []
    assert outbox.messages.maxlen == OUTBOX_MESSAGES_MAX
