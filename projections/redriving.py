"""What was given up or parked, and how it gets its next try: messages to customers, deliveries to webhooks.

An operator's work, one statement each: it names the state that it leaves, so twice the same is once. No personal data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

LISTED_MAX = 1_000

_LIST = """
SELECT 'message' AS kind, id, organization_id, template || ' by ' || channel AS what, state, reason,
    changed_at AS since, false AS disabled
FROM deliveries.delivery WHERE state IN ('failed', 'unknown')
UNION ALL
SELECT 'webhook', d.id, d.organization_id, d.topic, d.state, d.reason, d.changed_at, e.disabled IS NOT NULL
FROM webhooks.delivery AS d JOIN webhooks.endpoint AS e ON e.id = d.webhook_id WHERE d.state = 'failed'
ORDER BY since LIMIT %s
"""
_MESSAGE = """
UPDATE deliveries.delivery SET state = 'intent', due_at = clock_timestamp(), changed_at = clock_timestamp()
WHERE id = %s AND state = ANY(%s)
"""
_WEBHOOK = """
UPDATE webhooks.delivery AS d SET state = 'pending', due_at = clock_timestamp(), changed_at = clock_timestamp()
FROM webhooks.endpoint AS e WHERE d.id = %s AND d.state = 'failed' AND e.id = d.webhook_id AND e.disabled IS NULL
"""


@dataclass(frozen=True, slots=True)
class Parked:
    """``kind`` is message or webhook; of a message whose ``state`` is unknown nobody knows whether it was sent."""

    kind: str
    id: UUID
    organization_id: UUID
    what: str
    state: str
    reason: str | None
    since: datetime
    disabled: bool

    @property
    def may_have_been_sent(self) -> bool:
        return self.state == "unknown"


def parked(connection: Connection[Any]) -> Sequence[Parked]:
    """The oldest first."""
    with connection.cursor(row_factory=class_row(Parked)) as cursor:
        return cursor.execute(_LIST, (LISTED_MAX,)).fetchall()


def redrive(connection: Connection[Any], one: Parked, *, twice_allowed: bool) -> bool:
    """Make it due now. False if it was not parked any more, or must not be: disabled, or perhaps sent already."""
    if one.kind == "webhook":
        return connection.execute(_WEBHOOK, (one.id,)).rowcount == 1
    states = ["failed", "unknown"] if twice_allowed else ["failed"]
    return connection.execute(_MESSAGE, (one.id, states)).rowcount == 1
