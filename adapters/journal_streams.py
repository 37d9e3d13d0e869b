"""Whole streams from the journal without an event loop: for the notifier, which judges on them just before it sends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg_pool import ConnectionPool

from adapters.fact_codec import FactMapper
from application.journal import Recorded

_LOAD = """
SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
WHERE originator_id = ANY(%s) ORDER BY originator_id, originator_version
"""


@dataclass(slots=True)
class JournalStreams:
    """The dispatcher's ``FactStreams``."""

    pool: ConnectionPool[Connection[Any]]
    mapper: FactMapper

    def load(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Recorded]]:
        """All facts of the streams, in one round trip; a stream that does not exist is an empty sequence."""
        streams: dict[UUID, list[Recorded]] = {stream_id: [] for stream_id in stream_ids}
        if not streams:
            return {}
        with self.pool.connection() as connection:
            rows = connection.execute(_LOAD, (list(streams),)).fetchall()
        for position, stream_id, version, topic, state in rows:
            streams[stream_id].append(self.mapper.recorded(position, stream_id, version, topic, bytes(state)))
        return streams
