"""A front desk whose facts are delivered to receivers: the real ledger, courier and secrets, step by step."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg_pool import AsyncConnectionPool

from adapters.clock import SystemClock
from adapters.public_network import PublicNetwork
from adapters.vault import Seal
from adapters.walls import Walls
from adapters.webhook_courier import WebhookCourier
from adapters.webhook_secrets import PostgresWebhookSecrets
from application.delivering import Delivering
from application.parcels import Parcel
from application.webhooks import AddWebhook, DisableWebhook, add_webhook, disable_webhook
from domain.account import Role
from domain.permissions import Actor
from domain.refusals import Refusal
from domain.webhook import Cause, Webhook
from projections import webhook_queries
from projections.webhook_ledger import PostgresDeliveryLedger
from projections.webhook_queries import WebhookDelivery
from projections.webhooks import Webhooks
from tests.projections.front_desk import MASTER, FrontDesk
from tests.receiver import Receiver


@dataclass
class Scene:
    """``tell`` lets the sink see what happened, and delivers what is due; ``secrets`` by endpoint."""

    front: FrontDesk
    secrets: dict[UUID, str] = field(default_factory=dict)
    reported: list[tuple[str, str]] = field(default_factory=list)

    def endpoint(self, url: str, *topics: str) -> UUID:
        desk = self.front.desk
        command = AddWebhook(webhook_id=desk.new_id(), url=url, topics=topics, loopback_allowed=True)
        webhook_id = UUID(str(desk.do(add_webhook, command, desk.owner)["id"]))
        self.secrets[webhook_id] = self.secret(webhook_id, 1)
        return webhook_id

    def secret(self, webhook_id: UUID, version: int) -> str:
        async def keep() -> str | None:
            async with self._pool() as pool:
                secrets = PostgresWebhookSecrets(Walls(pool), Seal(MASTER), SystemClock())
                return await secrets.keep(self.front.desk.organization_id, webhook_id, version)

        kept = asyncio.run(keep())
        assert kept
        return kept

    def tell(self) -> None:
        self.front.follow(Webhooks())
        self.work()

    def work(self) -> None:
        """Deliver until nothing is due."""

        async def until_nothing_is_due() -> None:
            async with self._pool() as pool:
                courier = WebhookCourier(PublicNetwork(loopback_allowed=True), SystemClock(), answer_within_s=2)
                delivering = Delivering(
                    ledger=PostgresDeliveryLedger(pool),
                    secrets=PostgresWebhookSecrets(Walls(pool), Seal(MASTER), SystemClock()),
                    courier=courier,
                    disable=self._disable,
                    clock=self.front,
                    report=lambda _, state, reason: self.reported.append((state, reason)),
                )
                while await delivering.step():
                    await delivering.drain()
                await courier.close()

        asyncio.run(until_nothing_is_due())

    async def _disable(self, parcel: Parcel, cause: Cause) -> None:
        desk = self.front.desk
        clock = Actor(desk.new_id(), parcel.organization_id, desk.new_id(), Role.SERVICE)
        try:
            desk.do(disable_webhook, DisableWebhook(webhook_id=parcel.webhook_id, cause=cause), clock)
        except Refusal:
            return

    def later(self, by: timedelta) -> None:
        """Time passes for what waits: for deliveries, endpoints at rest, and how long they have failed."""
        with self.front.pool.connection() as connection:
            connection.execute("UPDATE webhooks.delivery SET due_at = due_at - %s WHERE state = 'pending'", (by,))
            connection.execute(
                "UPDATE webhooks.endpoint SET rests_until = rests_until - %s, failing_since = failing_since - %s",
                (by, by),
            )

    def deliveries(self, webhook_id: UUID) -> list[WebhookDelivery]:
        """The oldest first."""

        async def ask() -> list[WebhookDelivery]:
            async with self._pool() as pool:
                organization_id = self.front.desk.organization_id
                return await webhook_queries.deliveries_to(pool, organization_id, webhook_id, before=None, limit=200)

        return asyncio.run(ask())[::-1]

    def statuses(self, webhook_id: UUID) -> list[tuple[str, str | None]]:
        return [(one.status, one.reason) for one in self.deliveries(webhook_id)]

    def webhook(self, webhook_id: UUID) -> Webhook:
        state = self.front.desk.streams[webhook_id].state
        assert isinstance(state, Webhook)
        return state

    def rows(self, statement: str, **given: object) -> list[Mapping[str, Any]]:
        with self.front.pool.connection() as connection:
            cursor = connection.execute(statement, given)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _pool(self) -> AsyncConnectionPool[Any]:
        return AsyncConnectionPool(self.front.url, min_size=1, max_size=8, open=False, kwargs={"autocommit": True})


def told(receiver: Receiver) -> list[str]:
    """The topics that it heard of, in the order of their positions: calls may overtake one another."""
    heard = sorted((json.loads(got.body) for got in receiver.got), key=lambda said: int(said["data"]["position"]))
    return [said["type"] for said in heard]
