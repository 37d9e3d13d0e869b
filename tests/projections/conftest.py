"""The providers' fake, the real SDKs that talk to it, and a front desk with an empty ledger and no timers."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from psycopg_pool import ConnectionPool

from adapters.firebase_push import FirebasePush
from application.notifying import Channel
from application.providers import Sender
from infra.development import stand_in_providers
from infra.provider_fake import Outbox, running_fake
from tests.projections.front_desk import FrontDesk, senders
from tests.projections.webhook_scene import Scene
from tests.receiver import Receiver, receiving

TIMEOUT_S = 0.5

_seeds = count()


@pytest.fixture(scope="module")
def fake() -> Iterator[tuple[Outbox, str]]:
    outbox = Outbox(silence_s=2 * TIMEOUT_S)
    with running_fake(outbox) as url:
        yield outbox, url


@pytest.fixture
def outbox(fake: tuple[Outbox, str]) -> Outbox:
    outbox, _ = fake
    outbox.messages.clear()
    outbox.failures.clear()
    return outbox


@pytest.fixture(scope="module")
def providers(fake: tuple[Outbox, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Channel, Sender]]:
    port = int(fake[1].rpartition(":")[2])
    account = Path(stand_in_providers(tmp_path_factory.mktemp("firebase"), port)["DAYBOOK_FIREBASE_CREDENTIALS"])
    push = FirebasePush(credentials=account, timeout_s=TIMEOUT_S, base_url=fake[1])
    yield {**senders(fake[1], TIMEOUT_S), Channel.PUSH: push}
    push.close()


@pytest.fixture(scope="module")
def pool(postgres_url: str) -> Iterator[ConnectionPool[Any]]:
    with ConnectionPool(postgres_url, min_size=2, max_size=20) as pool:
        yield pool


@pytest.fixture
def front(postgres_url: str, pool: ConnectionPool[Any]) -> FrontDesk:
    with pool.connection() as connection:
        connection.execute("TRUNCATE deliveries.notice, deliveries.delivery, timers.timer")
        connection.execute("UPDATE deliveries.checkpoint SET position = 0")
        connection.execute("UPDATE timers.checkpoint SET position = 0")
    return FrontDesk(postgres_url, pool, next(_seeds))


@pytest.fixture
def stranger(postgres_url: str, pool: ConnectionPool[Any]) -> FrontDesk:
    """The front desk of another organization."""
    return FrontDesk(postgres_url, pool, next(_seeds))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def other_receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def webhooks(front: FrontDesk) -> Scene:
    with front.pool.connection() as connection:
        connection.execute("TRUNCATE webhooks.endpoint, webhooks.secret, webhooks.delivery")
        connection.execute("UPDATE webhooks.checkpoint SET position = 0")
    return Scene(front)
