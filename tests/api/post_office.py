"""Where the messages of the API's own journal arrive: by a real dispatcher, with the rights of a notifier."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg_pool import ConnectionPool

from adapters.fact_codec import FactMapper
from adapters.journal_streams import JournalStreams
from adapters.message_rendering import JinjaRenderer
from adapters.one_time_codes import SealedCodes
from adapters.vault import Seal, VaultContacts
from adapters.visitors import PostgresLinksToSend
from application.dispatching import Dispatcher
from infra.database_roles import url_for
from infra.provider_fake import Outbox, OutboxMessage, running_fake
from projections.delivery_ledger import PostgresLedger
from tests.api.house import House
from tests.projections.front_desk import senders


@dataclass
class PostOffice:
    outbox: Outbox
    dispatcher: Dispatcher

    def mail(self, to: str, about: str) -> OutboxMessage:
        deadline = time.monotonic() + 30
        while True:
            self.dispatcher.step()
            for mail in list(self.outbox.messages):
                if mail.to == to and about in mail.subject:
                    return mail
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)

    def closes(self) -> None:
        """What is under way is settled."""
        self.dispatcher.drain()


@contextmanager
def open_post_office(house: House) -> Iterator[PostOffice]:
    outbox = Outbox()
    with (
        running_fake(outbox) as url,
        ConnectionPool[Any](url_for("notify", house.api.settings.database_url), min_size=1, max_size=12) as pool,
        ThreadPoolExecutor(8) as threads,
    ):
        dispatcher = Dispatcher(
            ledger=PostgresLedger(pool),
            streams=JournalStreams(pool, FactMapper()),
            contacts=VaultContacts(pool, Seal(bytes(32))),
            enclosures=SealedCodes(pool, Seal(bytes(32))),
            links=PostgresLinksToSend(pool, Seal(bytes(32))),
            renderer=JinjaRenderer(),
            senders=senders(url, 5.0),
            clock=house.api.clock,
            threads=threads,
            public_url=house.api.settings.public_url,
        )
        yield PostOffice(outbox, dispatcher)
        dispatcher.drain()
