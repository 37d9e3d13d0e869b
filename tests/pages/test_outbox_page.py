"""The pages that people look at, in a real browser."""

from pathlib import Path

from infra.provider_fake import Outbox, running_fake
from tests.browser import page_as_seen


def sent_to(url: str, *, phone: str, text: str) -> None:
    from twilio.rest import Client

    client = Client("AC" + "0" * 32, "stand-in")
    client.api.base_url = url
    client.messages.create(to=phone, from_="+15005550006", body=text)


def test_the_outbox_shows_what_was_sent_and_runs_nothing_that_was_written_in_it(tmp_path: Path) -> None:
    with running_fake(Outbox()) as url:
        sent_to(url, phone="+5527999000001", text="Monday at nine <script>document.title='taken over'</script>")
        page = page_as_seen(url, tmp_path)
    assert "+5527999000001" in page
    assert "Monday at nine" in page
    assert "<title>taken over</title>" not in page
