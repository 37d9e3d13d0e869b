"""Push through the real SDK, over real HTTP, to the local fake; and a guard on the SDK's private names that we use."""

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.firebase_push import FirebasePush
from adapters.provider_answers import ProviderNotConfigured
from application.notifying import Channel
from application.providers import Accepted, CannotTell, Refused, Unclear
from infra.development import stand_in_providers
from infra.provider_fake import Outbox
from tests.adapters.providers import TIMEOUT_S, message

TOKEN = "device-token"


def service_account(token_url: str, directory: Path) -> Path:
    port = int(token_url.rpartition(":")[2])
    return Path(stand_in_providers(directory, port)["DAYBOOK_FIREBASE_CREDENTIALS"])


@pytest.fixture
def push(provider_url: str, tmp_path: Path) -> Iterator[FirebasePush]:
    sender = FirebasePush(
        credentials=service_account(provider_url, tmp_path), timeout_s=TIMEOUT_S, base_url=provider_url
    )
    yield sender
    sender.close()


def test_a_push_is_taken_with_our_id_among_its_data(outbox: Outbox, push: FirebasePush) -> None:
    sent = message(Channel.PUSH, TOKEN)

    answer = push.send(sent)

    [taken] = outbox.messages
    assert answer == Accepted(taken.id)
    assert (taken.to, taken.subject, taken.delivery_id) == (TOKEN, "Confirmed", str(sent.delivery_id))


def test_a_push_without_an_answer_stays_in_doubt_and_firebase_cannot_be_asked(
    outbox: Outbox, push: FirebasePush
) -> None:
    outbox.fail("push", 0, taken=True)
    sent = message(Channel.PUSH, TOKEN)

    assert isinstance(push.send(sent), Unclear)

    assert isinstance(push.find(sent.delivery_id, TOKEN, datetime.now(UTC)), CannotTell)
    assert len(outbox.messages) == 1


@pytest.mark.parametrize(("status", "taken"), [(503, False), (500, True), (0, True)])
def test_the_sdk_repeats_nothing_by_itself(outbox: Outbox, push: FirebasePush, status: int, taken: bool) -> None:
    outbox.fail("push", status, taken=taken)

    push.send(message(Channel.PUSH, TOKEN))

    assert outbox.requests["push"] == 1


def test_a_busy_provider_certainly_took_nothing(outbox: Outbox, push: FirebasePush) -> None:
    outbox.fail("push", 503)

    assert push.send(message(Channel.PUSH, TOKEN)) == Refused("firebase_unavailable")


def test_a_device_that_is_gone_fails_for_good(outbox: Outbox, push: FirebasePush) -> None:
    outbox.fail("push", 404)

    answer = push.send(message(Channel.PUSH, TOKEN))

    assert isinstance(answer, Refused)
    assert answer.lasting


def test_a_push_whose_token_endpoint_cannot_be_reached_was_not_taken(
    outbox: Outbox, provider_url: str, tmp_path: Path
) -> None:
    nowhere = service_account("http://127.0.0.1:1", tmp_path)
    push = FirebasePush(credentials=nowhere, timeout_s=TIMEOUT_S, base_url=provider_url)

    assert push.send(message(Channel.PUSH, TOKEN)) == Refused("firebase_token_TransportError")
    push.close()


def test_missing_credentials_are_named() -> None:
    with pytest.raises(ProviderNotConfigured, match="DAYBOOK_FIREBASE_CREDENTIALS"):
        FirebasePush(credentials=Path("/nowhere.json"), timeout_s=1)


def test_the_private_names_of_the_sdk_that_we_use_are_still_there(push: FirebasePush, provider_url: str) -> None:
    from firebase_admin import messaging

    service = messaging._get_messaging_service(push._app)

    assert service._fcm_url == f"{provider_url}/v1/projects/daybook-stand-in/messages:send"
    assert all(adapter.max_retries.total == 0 for adapter in service._client.session.adapters.values())
    assert hasattr(messaging.Message(topic="x"), "token")
    assert hasattr(type(service._credential), "_is_regional_access_boundary_lookup_required")


def test_a_stand_in_is_talked_to_and_nobody_else(
    outbox: Outbox, push: FirebasePush, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[str] = set()
    resolve = socket.getaddrinfo

    def remember(host: str, *rest: Any, **options: Any) -> Any:
        asked.add(host)
        return resolve(host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", remember)

    push.send(message(Channel.PUSH, TOKEN))
    time.sleep(0.2)  # the SDK asks elsewhere in the background

    assert asked == {"127.0.0.1"}
