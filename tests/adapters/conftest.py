"""The running fake of all providers, and every journal that there is."""

from collections.abc import Iterator

import pytest

from infra.provider_fake import Outbox, running_fake
from tests.adapters.journal_ends import ends
from tests.adapters.providers import TIMEOUT_S

__all__ = ["ends"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def fake() -> Iterator[tuple[Outbox, str]]:
    outbox = Outbox(silence_s=2 * TIMEOUT_S)
    with running_fake(outbox) as url:
        yield outbox, url


@pytest.fixture
def outbox(fake: tuple[Outbox, str]) -> Outbox:
    """The fake's outbox, emptied."""
    outbox, _ = fake
    outbox.messages.clear()
    outbox.failures.clear()
    outbox.requests = dict.fromkeys(outbox.requests, 0)
    outbox.activity_feed = True
    return outbox


@pytest.fixture
def provider_url(fake: tuple[Outbox, str]) -> str:
    return fake[1]
