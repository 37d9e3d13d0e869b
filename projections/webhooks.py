"""The ledger of webhooks: which endpoints there are, what is to be delivered to each. No read model, never rebuilt.

A fact leaves one delivery for each endpoint that wants it, in the transaction of the checkpoint; what becomes of it is
in ``webhook_ledger``. Twice the same fact, from whatever source, is one delivery.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid5

from psycopg import Cursor

from application.journal import Recorded
from domain.fact import Fact
from domain.webhook import (
    Cause,
    Webhook,
    WebhookAdded,
    WebhookFact,
    WebhookRemoved,
    WebhookTestRequested,
    evolve,
    wants,
)

_ENDPOINTS = "SELECT id, organization_id, url, topics, disabled, created_position FROM webhooks.endpoint"
_SAVE = """
INSERT INTO webhooks.endpoint (id, organization_id, url, topics, disabled, version, created_position)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET url = excluded.url, topics = excluded.topics, disabled = excluded.disabled,
    version = excluded.version, failures = 0, failing_since = NULL, rests_until = NULL
"""
_DROP = """
UPDATE webhooks.delivery SET state = 'dropped', reason = 'disabled', changed_at = now()
WHERE webhook_id = %s AND state = 'pending'
"""
_ADD = """
INSERT INTO webhooks.delivery (id, webhook_id, organization_id, position, topic)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::text[]) ON CONFLICT DO NOTHING
"""


@dataclass(slots=True)
class _Endpoint:
    webhook: Webhook
    created_position: int


class Webhooks:
    """The sink. It is given every fact, and asks once for a batch whether anyone wants to hear of it."""

    NAME: ClassVar[str] = "webhooks"
    FACTS: ClassVar = Fact
    DURABLE: ClassVar[bool] = True
    TABLES: ClassVar[str] = ""
    """A migration makes them: what they hold cannot be made again from the facts."""

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        endpoints = _load(cursor, {recorded.provenance.organization_id for recorded in batch})
        wanted: list[tuple[UUID, Recorded]] = []
        for recorded in batch:
            if isinstance(recorded.fact, WebhookFact):
                _follow(cursor, endpoints, recorded, recorded.fact)
            wanted += [(webhook_id, recorded) for webhook_id in _hearers(endpoints.values(), recorded)]
        # One that is gone by the end of the batch is not delivered to.
        _add(cursor, [(webhook_id, recorded) for webhook_id, recorded in wanted if _hears(endpoints.get(webhook_id))])

    def after_commit(self, batch: Sequence[Recorded]) -> None:
        """Whoever delivers finds deliveries by itself."""


def _load(cursor: Cursor[Any], organizations: Collection[UUID]) -> dict[UUID, _Endpoint]:
    cursor.execute(f"{_ENDPOINTS} WHERE organization_id = ANY(%s)", (list(organizations),), prepare=True)
    return {row[0]: _Endpoint(_webhook(row), row[5]) for row in cursor.fetchall()}


def _webhook(row: tuple[Any, ...]) -> Webhook:
    webhook_id, organization_id, url, topics, disabled, _ = row
    return Webhook(
        id=webhook_id,
        organization_id=organization_id,
        url=url,
        topics=tuple(topics),
        disabled=Cause(disabled) if disabled else None,
    )


def _follow(cursor: Cursor[Any], endpoints: dict[UUID, _Endpoint], recorded: Recorded, fact: WebhookFact) -> None:
    """What a fact about an endpoint makes of its row. They are few."""
    known = endpoints.get(fact.webhook_id)
    if isinstance(fact, WebhookRemoved):
        endpoints.pop(fact.webhook_id, None)
        cursor.execute("DELETE FROM webhooks.endpoint WHERE id = %s", (fact.webhook_id,))
        cursor.execute("DELETE FROM webhooks.secret WHERE webhook_id = %s", (fact.webhook_id,))
        cursor.execute("DELETE FROM webhooks.delivery WHERE webhook_id = %s", (fact.webhook_id,))
        return
    if known is None and not isinstance(fact, WebhookAdded):
        return  # it was removed before: the journal is read again from an earlier place
    webhook = evolve(known.webhook if known else None, fact)
    created_position = known.created_position if known else recorded.position
    endpoints[webhook.id] = _Endpoint(webhook, created_position)
    cursor.execute(
        _SAVE,
        (
            webhook.id,
            webhook.organization_id,
            webhook.url,
            list(webhook.topics),
            webhook.disabled,
            recorded.version,
            created_position,
        ),
    )
    if webhook.disabled:
        cursor.execute(_DROP, (webhook.id,))


def _hears(endpoint: _Endpoint | None) -> bool:
    return endpoint is not None and endpoint.webhook.disabled is None


def _hearers(endpoints: Iterable[_Endpoint], recorded: Recorded) -> list[UUID]:
    if isinstance(recorded.fact, WebhookTestRequested):
        return [recorded.fact.webhook_id]
    return [
        endpoint.webhook.id
        for endpoint in endpoints
        if endpoint.webhook.organization_id == recorded.provenance.organization_id
        and _hears(endpoint)
        and wants(endpoint.webhook.topics, recorded.fact.TOPIC)
    ]


def _add(cursor: Cursor[Any], wanted: Sequence[tuple[UUID, Recorded]]) -> None:
    if wanted:
        columns = (
            [delivery_id(webhook_id, recorded.position) for webhook_id, recorded in wanted],
            [webhook_id for webhook_id, _ in wanted],
            [recorded.provenance.organization_id for _, recorded in wanted],
            [recorded.position for _, recorded in wanted],
            [recorded.fact.TOPIC for _, recorded in wanted],
        )
        cursor.execute(_ADD, columns)


def delivery_id(webhook_id: UUID, position: int) -> UUID:
    """The id that the receiver knows a delivery by: the same however often it is sent."""
    return uuid5(webhook_id, str(position))
