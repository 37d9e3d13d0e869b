"""What the API shows of webhooks: an organization's endpoints, and what became of what was to be delivered to one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from projections.reads import Reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An endpoint as lists show it."""

    id: UUID
    url: str
    topics: list[str]
    disabled: str | None
    version: int
    created_position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery:
    """One fact on its way to one endpoint. ``at`` is when ``status`` was reached or last tried for."""

    id: UUID
    position: int
    topic: str
    status: str
    attempts: int
    response_status: int | None
    reason: str | None
    at: datetime
    next_attempt_at: datetime | None


async def listed(reads: Reads, organization_id: UUID, *, after: int, limit: int) -> list[Endpoint]:
    """In the order of their making, those made after position ``after``."""
    async with reads.connection() as connection:
        rows = await connection.execute(
            "SELECT id, url, topics, disabled, version, created_position FROM webhooks.endpoint"
            " WHERE organization_id = %s AND created_position > %s ORDER BY created_position LIMIT %s",
            (organization_id, after, limit),
        )
        rows.row_factory = class_row(Endpoint)
        return list(await rows.fetchall())


async def deliveries_to(
    reads: Reads, organization_id: UUID, webhook_id: UUID, *, before: int | None, limit: int
) -> list[WebhookDelivery]:
    """The newest first, those of facts before position ``before``."""
    async with reads.connection() as connection:
        rows = await connection.execute(
            "SELECT id, position, topic, state AS status, attempts, response_status, reason, changed_at AS at,"
            " CASE state WHEN 'pending' THEN due_at END AS next_attempt_at FROM webhooks.delivery"
            " WHERE organization_id = %s AND webhook_id = %s AND (%s::bigint IS NULL OR position < %s)"
            " ORDER BY position DESC LIMIT %s",
            (organization_id, webhook_id, before, before, limit),
        )
        rows.row_factory = class_row(WebhookDelivery)
        return list(await rows.fetchall())
