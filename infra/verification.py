"""An independent audit of the journal: no minute and no seat sold twice, nobody in two places, nothing out of order.

It shares nothing with what it audits: its own SQL, its own JSON, its own sweep, and no import of the domain
or of the codec. A mistake that both made alike would have to be made twice. What must hold is in ``infra.audits``.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from infra.audits.booking_pages import BookingPages
from infra.audits.claims import Claims
from infra.audits.sessions import Sessions
from infra.audits.stored import Audit, StoredFact
from infra.audits.visits import Visits
from infra.audits.waitlists import Waitlists
from infra.findings import DISORDER, GAP, UNREADABLE, Findings

FETCH_ROWS = 5_000

Row = tuple[int, UUID, int, str, bytes]
"""Position, stream id, version, topic, state: as stored."""


class _Sweep:
    def __init__(self) -> None:
        self.findings = Findings()
        self._position = 0
        self._versions: dict[UUID, int] = {}
        # The facts of one command are one step: only its end is judged.
        self._command: tuple[str, datetime] | None = None
        self._audits = _audits(self.findings)
        self._by_kind = {
            kind: [audit for audit in self._audits if kind in audit.KINDS]
            for kind in {kind for audit in self._audits for kind in audit.KINDS}
        }

    def take(self, row: Row) -> None:
        position, stream_id, version, topic, state = row
        self.findings.facts += 1
        if position <= self._position:
            self.findings.report(DISORDER, position, f"it follows {self._position}")
        self._position = position
        expected = self._versions.get(stream_id, 0) + 1
        if version != expected:
            self.findings.report(GAP, position, f"version {version} of stream {stream_id}, not {expected}")
        self._versions[stream_id] = version
        try:
            self._take(position, stream_id, topic, json.loads(state))
        except (ValueError, KeyError, TypeError) as broken:
            self.findings.report(UNREADABLE, position, f"{topic}: {broken!r}")

    def end_command(self) -> None:
        """Judge what the command has brought about."""
        if self._command:
            _, now = self._command
            for audit in self._audits:
                audit.judge(now)

    def _take(self, position: int, stream_id: UUID, topic: str, state: dict[str, Any]) -> None:
        meta, data = state["meta"], state["data"]
        command, organization_id = meta["command"], meta["org"]
        if self._command is None or command != self._command[0]:
            at = datetime.fromisoformat(meta["at"])
            self.end_command()
            self._command = command, at
        fact = StoredFact(position, stream_id, topic, data, organization_id)
        for audit in self._by_kind.get(topic.partition(".")[0], ()):
            audit.take(fact)


def _audits(findings: Findings) -> tuple[Audit, ...]:
    """In the order in which they judge: visits last, because the others ask them whom the command touched."""
    visits = Visits(findings)
    sessions = Sessions(findings, visits)
    return (
        Claims(findings, visits, sessions),
        BookingPages(findings, visits),
        Waitlists(findings, visits),
        sessions,
        visits,
    )


def sweep(rows: Iterable[Row]) -> Findings:
    """Judge the journal. ``rows`` are all facts from the first on, in the order of positions."""
    state = _Sweep()
    for row in rows:
        state.take(row)
    state.end_command()
    return state.findings


def verify(database_url: str, advanced: Callable[[int], None] = lambda _: None) -> Findings:
    """Sweep the journal of a database, as it is at one moment. ``advanced`` hears how many facts more were read."""
    with psycopg.connect(database_url) as connection:
        return sweep(_counted(stored_facts(connection), advanced))


def stored_facts(connection: psycopg.Connection[Any]) -> Iterator[Row]:
    """All facts, streamed in the order of positions, from one snapshot."""
    query = "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
    with connection.transaction(), connection.cursor("verification", row_factory=psycopg.rows.tuple_row) as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(f"{query} ORDER BY notification_id", binary=True)
        yield from cursor


def _counted(rows: Iterable[Row], advanced: Callable[[int], None]) -> Iterator[Row]:
    waiting = 0
    for row in rows:
        yield row
        waiting += 1
        if waiting == FETCH_ROWS:
            advanced(waiting)
            waiting = 0
    advanced(waiting)
