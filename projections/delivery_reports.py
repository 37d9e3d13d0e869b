"""What providers report, noted in the ledger of messages: each event once, and never a lesser outcome over a weightier.

A report may come before the answer to the call that it is about, and settles a message in doubt: the dispatcher then
finds it settled. What was never handed to a provider (skipped) cannot be reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from application.callbacks import WEIGHT, Report

REMEMBERED_FOR = timedelta(days=3)
"""Providers repeat an event for a day at most; after that its order still says that it changes nothing."""
FORGOTTEN_MAX = 1_000

_REMEMBER = """
INSERT INTO deliveries.report (provider, event_id)
SELECT DISTINCT %s, event_id FROM unnest(%s::text[]) AS event_id ORDER BY event_id ON CONFLICT DO NOTHING
RETURNING event_id
"""
_FORGET = """
DELETE FROM deliveries.report WHERE (provider, event_id) IN (
    SELECT provider, event_id FROM deliveries.report WHERE at < now() - %s ORDER BY at LIMIT %s FOR UPDATE SKIP LOCKED
)
"""
_WEIGHED = " ".join(f"WHEN '{outcome}' THEN {weight}" for outcome, weight in WEIGHT.items())
NOTE_FUNCTION = f"""
CREATE FUNCTION deliveries.note_report(its_id uuid, its_state text, its_reason text, its_provider_id text, weight int)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $note$
UPDATE deliveries.delivery SET state = its_state, reason = its_reason,
    provider_id = coalesce(provider_id, its_provider_id), changed_at = clock_timestamp()
WHERE id = its_id AND attempts > 0 AND state <> 'skipped'
    AND (provider_id IS NULL OR provider_id = its_provider_id)
    AND weight > CASE state {_WEIGHED} ELSE 0 END
$note$
"""  # noqa: S608  our own names
"""A migration makes it, with the rights of those who keep the ledger: a provider names a message and no organization,
and the API may change no other thing of it.
"""
_NOTE = "SELECT deliveries.note_report(%s, %s, %s, %s, %s)"


@dataclass(slots=True)
class PostgresReports:
    """The application's ``Reports``."""

    pool: AsyncConnectionPool[AsyncConnection[Any]]

    async def note(self, provider: str, reports: Sequence[Report]) -> None:
        if not reports:
            return
        async with self.pool.connection() as connection, connection.transaction():
            events = [report.event_id for report in reports]
            fresh = {row[0] for row in await (await connection.execute(_REMEMBER, (provider, events))).fetchall()}
            # In one order, so that two callbacks about the same messages cannot deadlock.
            for report in sorted(reports, key=lambda report: report.delivery_id):
                if report.event_id in fresh:
                    told = (report.delivery_id, str(report.outcome), report.reason, report.provider_id)
                    await connection.execute(_NOTE, (*told, WEIGHT[report.outcome]))
            await connection.execute(_FORGET, (REMEMBERED_FOR, FORGOTTEN_MAX))
