"""The ledger of messages: what facts give reason to send, and what became of it. Not a read model, never rebuilt.

A fact leaves a *notice*, in the transaction of the checkpoint. The notifier replaces it by one *delivery* for each
channel of each recipient, and each delivery by its outcome; what the provider reports later goes on from there
(``delivery_reports``). No personal data: subject ids only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import class_row

from application.journal import Recorded
from application.notifying import notice_of
from domain.access import SignUpRepeated
from domain.appointment import AppointmentFact
from domain.one_time_code import CodeFact
from domain.reminder import ReminderFact
from domain.series import SeriesFact
from projections.reads import Reads

NOTIFICATIONS_MAX = 200


class Deliveries:
    """The sink. Twice the same fact, from whatever source, is one notice and one delivery per channel."""

    NAME: ClassVar[str] = "deliveries"
    FACTS: ClassVar = AppointmentFact | ReminderFact | SeriesFact | CodeFact | SignUpRepeated
    DURABLE: ClassVar[bool] = True
    TABLES: ClassVar[str] = ""
    """A migration makes them: what they hold cannot be made again from the facts."""

    def project(self, batch: Sequence[Recorded], cursor: Cursor[Any]) -> None:
        notices = [notice for recorded in batch if (notice := notice_of(recorded))]
        if not notices:
            return
        cursor.execute(
            "INSERT INTO notice (position, organization_id, about_id, stream_id, version, at)"
            " SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::uuid[], %s::uuid[], %s::int[], %s::timestamptz[])"
            " ON CONFLICT DO NOTHING",
            (
                [notice.position for notice in notices],
                [notice.organization_id for notice in notices],
                [notice.about_id for notice in notices],
                [notice.stream_id for notice in notices],
                [notice.version for notice in notices],
                [notice.at for notice in notices],
            ),
        )

    def after_commit(self, batch: Sequence[Recorded]) -> None:
        """The dispatcher finds notices by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message as the API shows it. ``position`` is that of the fact; ``at`` when ``status`` was reached."""

    id: UUID
    position: int
    template: str
    channel: str
    recipient_id: UUID
    status: str
    reason: str | None
    provider_id: str | None
    at: datetime


async def notifications_of(reads: Reads, organization_id: UUID, about_id: UUID) -> list[Notification]:
    """The messages about an appointment or a series, oldest first; empty if there are none in this organization."""
    async with reads.connection() as connection:
        rows = await connection.execute(
            "SELECT id, position, template, channel, recipient_id, state AS status, reason, provider_id,"
            " changed_at AS at FROM deliveries.delivery WHERE organization_id = %s AND about_id = %s"
            " ORDER BY position, template, channel, recipient_id LIMIT %s",
            (organization_id, about_id, NOTIFICATIONS_MAX),
        )
        rows.row_factory = class_row(Notification)
        return list(await rows.fetchall())
