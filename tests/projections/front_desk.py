"""A front desk on a real database: its facts go into the journal, and a notifier works off what they cause."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from adapters.fact_codec import FactMapper
from adapters.journal_streams import JournalStreams
from adapters.message_rendering import JinjaRenderer
from adapters.one_time_codes import SealedCodes
from adapters.sendgrid_email import SendGridEmail
from adapters.twilio_sms import TwilioSms
from adapters.vault import PostgresVault, Seal, VaultContacts
from adapters.visitors import PostgresLinksToSend
from adapters.walls import Walls
from application import booking, visits
from application.dispatching import Dispatcher
from application.feed import Delivery
from application.journal import Provenance, Recorded
from application.notifying import Channel
from application.providers import Sender
from application.vault import Person
from domain.appointment import Appointment
from domain.fact import Fact
from domain.series import Series
from projections.applying import Outlet
from projections.checkpoint import Sink
from projections.deliveries import Notification, notifications_of
from projections.delivery_ledger import PostgresLedger
from tests.desk import HOUR, NINE, SEED, Desk

MASTER = bytes(32)
AT_ONCE = timedelta()
PUBLIC_URL = "https://book.clinic.example"
EMAIL = {"email": "ana@example.com"}
PHONE = {"phone": "+5527999990000"}
PUSH = {"push_token": "device"}


class FrontDesk:
    """``record`` writes what happened since to the journal; ``follow`` lets a sink see it."""

    def __init__(self, url: str, pool: ConnectionPool[Any], seed: int) -> None:
        self.url, self.pool = url, pool
        self.desk = Desk(seed=uuid5(SEED, str(seed)))
        self.room = self.desk.resource("room", time_zone="America/Sao_Paulo")
        self.service = self.desk.service()
        self.recorded: list[Recorded] = []
        self._versions: dict[UUID, int] = {}
        self._mapper = FactMapper()
        self._ahead = 0

    def now(self) -> datetime:
        """The desk's time is the dispatcher's clock."""
        return self.desk.now

    def customer(self, **contact: str) -> UUID:
        customer_id = self.desk.customer()
        asyncio.run(self._store(customer_id, Person(display_name="Ana Souza", **contact)))
        return customer_id

    async def _store(self, subject_id: UUID, person: Person | None) -> None:
        async with AsyncConnectionPool(self.url, min_size=1, kwargs={"autocommit": True}) as pool:
            vault = PostgresVault(Walls(pool), Seal(MASTER))
            if person:
                await vault.store(self.desk.organization_id, subject_id, person)
            else:
                await vault.erase(self.desk.organization_id, subject_id)

    def erase(self, subject_id: UUID) -> None:
        asyncio.run(self._store(subject_id, None))

    def books(self, customer_id: UUID, hours_later: int = 0, **wish: Any) -> Appointment:
        start = NINE + hours_later * HOUR
        return self.desk.booked(self.service, start, customer_id=customer_id, resource_ids=(self.room,), **wish)

    def books_ahead(self, customer_id: UUID, **wish: Any) -> Appointment:
        """For the first noon after tomorrow that is free, by the desk's clock."""
        self._ahead += 1
        noon = (self.desk.now + timedelta(days=1 + self._ahead)).replace(hour=12, minute=0, second=0, microsecond=0)
        return self.desk.booked(self.service, noon, customer_id=customer_id, resource_ids=(self.room,), **wish)

    def cancels(self, visit: Appointment) -> None:
        self.desk.do(visits.cancel, visits.Cancel(appointment_id=visit.id))

    def moves(self, visit: Appointment, hours_later: int) -> None:
        wish = booking.Reschedule(appointment_id=visit.id, start=NINE + hours_later * HOUR, resource_ids=(self.room,))
        self.desk.do(booking.reschedule, wish)

    def record(self) -> list[Recorded]:
        """The facts since the last time, now in the journal."""
        fresh = self.desk.facts[len(self.recorded) :]
        with self.pool.connection() as connection:
            added = [self._insert(connection, stream_id, fact) for stream_id, fact in fresh]
        self.recorded += added
        return added

    def _insert(self, connection: psycopg.Connection[Any], stream_id: UUID, fact: Fact) -> Recorded:
        provenance = Provenance(
            organization_id=self.desk.organization_id,
            actor_id=self.desk.staff.account_id,
            at=self.desk.now,
            command_id=uuid5(stream_id, str(len(self._versions))),
        )
        version = self._versions[stream_id] = self._versions.get(stream_id, 0) + 1
        row = connection.execute(
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, %s)"
            " RETURNING notification_id",
            (stream_id, version, fact.TOPIC, self._mapper.state(fact, provenance)),
        ).fetchone()
        assert row
        return Recorded(row[0], stream_id, version, fact, provenance)

    def follow(self, sink: Sink) -> None:
        """Record, and apply all that is recorded to the sink, as a follower does that has just started."""
        self.record()
        outlet = follower(self.url, sink)
        outlet.refill(self.recorded, after=0, complete=True)
        assert not outlet.is_behind()
        outlet.close()

    def notifications(self, about: Appointment | Series) -> list[Notification]:
        async def ask() -> list[Notification]:
            async with AsyncConnectionPool(self.url, min_size=1) as pool:
                return await notifications_of(pool, self.desk.organization_id, about.id)

        return asyncio.run(ask())

    def told(self, about: Appointment | Series) -> list[tuple[str, str, str, str | None]]:
        """Template, channel, status and reason of each message about a visit or a series."""
        return [(n.template, n.channel, n.status, n.reason) for n in self.notifications(about)]


def follower(url: str, sink: Sink) -> Outlet:
    """One that owns the only partition and starts from the checkpoint."""
    outlet = Outlet(sink, lambda: psycopg.connect(url), 1)
    outlet.assign(frozenset({0}))
    assert outlet.ready()
    return outlet


def fed(recorded: list[Recorded]) -> list[Delivery]:
    """The facts as the feed brings them."""
    before = 0
    deliveries = []
    for one in recorded:
        deliveries.append(Delivery(0, before, one))
        before = one.position
    return deliveries


def senders(url: str, timeout_s: float) -> dict[Channel, Sender]:
    """E-mail and SMS by the real SDKs, whose word is final at once."""
    return {
        Channel.EMAIL: SendGridEmail(
            api_key="SG.key", sender="no-reply@daybook.example", timeout_s=timeout_s, base_url=url,
            conclusive_after=AT_ONCE,
        ),
        Channel.SMS: TwilioSms(
            account_sid="AC0", auth_token="secret", sender="+15550001111", timeout_s=timeout_s, base_url=url,
            conclusive_after=AT_ONCE, callback_url="https://daybook.example/callback",
        ),
    }  # fmt: skip


@contextmanager
def notifier(front: FrontDesk, senders: Mapping[Channel, Sender], **given: Any) -> Iterator[Dispatcher]:
    with ThreadPoolExecutor(8) as threads:
        dispatcher = Dispatcher(
            ledger=given.pop("ledger", None) or PostgresLedger(front.pool),
            streams=JournalStreams(front.pool, FactMapper()),
            contacts=VaultContacts(front.pool, Seal(MASTER)),
            enclosures=SealedCodes(front.pool, Seal(MASTER)),
            links=PostgresLinksToSend(front.pool, Seal(MASTER)),
            renderer=JinjaRenderer(),
            senders=senders,
            clock=front,
            threads=threads,
            public_url=PUBLIC_URL,
            **given,
        )
        yield dispatcher


def work_off(front: FrontDesk, dispatcher: Dispatcher, *, within_s: float = 30) -> None:
    """Step until nothing is open any more. Waiting is skipped: what is due some day is made due now."""
    deadline = time.monotonic() + within_s
    while True:
        while dispatcher.step():
            assert time.monotonic() < deadline, "the dispatcher does not come to rest"
        dispatcher.drain()
        with front.pool.connection() as connection:
            left = connection.execute(
                "UPDATE deliveries.delivery SET due_at = now() WHERE state IN ('intent', 'in_doubt')"
            ).rowcount
        if not left:
            return
        assert time.monotonic() < deadline, f"{left} deliveries are still open"
