"""Facts as messages on a wire: CloudEvents 1.0 in Kafka's binary mode. The value is the journal's own JSON.

| Header | Is |
|---|---|
| ``ce_id`` | the position |
| ``ce_type`` | the fact's topic name |
| ``ce_subject``, ``ce_version`` | the stream and the fact's version in it |
| ``ce_previous`` | the position of the fact before it on the partition |
| ``ce_epoch`` | the journal's epoch |
| ``ce_source``, ``ce_time``, ``ce_traceparent`` | as CloudEvents has them |
"""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import UUID

from adapters.fact_codec import FactMapper
from application.feed import Delivery
from application.journal import Provenance, Recorded
from domain.fact import FACTS

SOURCE = b"daybook"
_NONE = UUID(int=0)
_NOBODY = Provenance(organization_id=_NONE, actor_id=_NONE, at=datetime.min.replace(tzinfo=UTC), command_id=_NONE)

Headers = list[tuple[str, bytes]]


class FactMessages:
    """Deliveries ⇄ Kafka messages. ``epoch`` is the journal's: positions of another epoch mean other facts.

    Of a fact whose topic is in ``besides`` a delivery tells its kind and its position, and has no fields: to read them
    costs several times as much, and nobody here is going to look.
    """

    def __init__(self, mapper: FactMapper, epoch: UUID, besides: Collection[str] = ()) -> None:
        self._mapper = mapper
        self._epoch = str(epoch).encode()
        self._unread = {topic.encode(): object.__new__(FACTS[topic]) for topic in besides}

    def encode(self, delivery: Delivery) -> tuple[bytes, bytes, Headers]:
        """Key, value, headers."""
        recorded = delivery.recorded
        provenance = recorded.provenance
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", b"%d" % recorded.position),
            ("ce_type", recorded.fact.TOPIC.encode()),
            ("ce_source", SOURCE),
            ("ce_subject", str(recorded.stream_id).encode()),
            ("ce_time", provenance.at.isoformat().encode()),
            ("ce_previous", b"%d" % delivery.previous),
            ("ce_version", b"%d" % recorded.version),
            ("ce_epoch", self._epoch),
            ("content-type", b"application/json"),
        ]
        if provenance.traceparent:
            headers.append(("ce_traceparent", provenance.traceparent.encode()))
        value = self._mapper.state(recorded.fact, provenance)
        return str(provenance.organization_id).encode(), value, headers

    def decode(self, partition: int, headers: Headers, value: bytes) -> Delivery | None:
        """None for a message of another epoch. Raises what the mapper raises, ``KeyError``, ``ValueError``."""
        found = dict(headers)
        if found["ce_epoch"] != self._epoch:
            return None
        unread = self._unread.get(found["ce_type"])
        if unread is not None:
            happened = Recorded(int(found["ce_id"]), _NONE, 0, unread, _NOBODY)
            return Delivery(partition, int(found["ce_previous"]), happened)
        recorded = self._mapper.recorded(
            int(found["ce_id"]),
            UUID(found["ce_subject"].decode()),
            int(found["ce_version"]),
            found["ce_type"].decode(),
            value,
        )
        return Delivery(partition, int(found["ce_previous"]), recorded)

    def position(self, headers: Headers) -> int:
        """Of a message; 0 if it is of another epoch, or not one of ours."""
        found = dict(headers)
        return int(found["ce_id"]) if found.get("ce_epoch") == self._epoch else 0
