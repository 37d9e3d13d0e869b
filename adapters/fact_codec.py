"""Facts as bytes and back: the one form in which they are stored and sent.

The state of a stored event is JSON, ``{"meta": {org, actor, at, command, trace?}, "data": {…the fact's fields…}}``,
written by msgspec straight from the frozen dataclasses. The topic beside it names the type of ``data``.
"""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, MapperDeserialisationError, Notification, StoredEvent, Transcoder

import domain
from application.journal import Provenance, Recorded
from domain.fact import FACTS, Fact

for _module in pkgutil.iter_modules(domain.__path__):
    import_module(f"domain.{_module.name}")  # each declares its facts as it is imported: then the registry is complete

F = TypeVar("F")


class UnknownTopic(MapperDeserialisationError):  # noqa: N818  reads as what it says
    """The journal holds a fact that this version of Daybook has no type for."""


class BrokenFact(MapperDeserialisationError):  # noqa: N818
    """The stored state is not what its topic promises; the message says where."""


class Upcast(NamedTuple):
    """What became of an old topic: its successor, and that one's fields made from the old one's (JSON values)."""

    topic: str
    fields: Callable[[dict[str, Any]], dict[str, Any]]


_ENCODER = msgspec.json.Encoder()

ORGANIZATION_AT = (16, 52)
"""From which byte of a stored state up to which one the organization's id stands, whatever the topic."""

UPCASTS: Mapping[str, Upcast] = {}
"""Old topics, by name. A successor may itself be old: upcasts are applied until a present topic is reached."""


class Meta(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """Provenance as it is stored."""

    org: UUID
    actor: UUID
    at: datetime
    command: UUID
    trace: str | None = None


class Envelope(msgspec.Struct, Generic[F], frozen=True, gc=False):
    meta: Meta
    data: F


class _Old(msgspec.Struct):
    """An envelope whose data is still in an old form; its meta passes through as it is."""

    meta: msgspec.Raw
    data: dict[str, Any]


@dataclass(frozen=True)
class Placed:
    """A fact on its stream: what the event store's library calls a domain event."""

    originator_id: UUID
    originator_version: int
    fact: Fact
    provenance: Provenance


class FactTranscoder(Transcoder):
    """JSON by msgspec. Deterministic: fields in the order of their declaration."""

    def encode(self, obj: Any) -> bytes:
        return _ENCODER.encode(obj)

    def decode(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


class FactMapper(Mapper[UUID]):
    """Facts ⇄ stored events. Raises ``UnknownTopic`` and ``BrokenFact`` on reading, ``ValueError`` on writing."""

    def __init__(self, upcasts: Mapping[str, Upcast] = UPCASTS) -> None:
        super().__init__(FactTranscoder())
        for topic in upcasts.keys() & FACTS.keys():
            raise ValueError(f"{topic} is both a present topic and an old one")
        self._upcasts = upcasts
        self._decode = {topic: _decoder(kind) for topic, kind in FACTS.items()}

    def state(self, fact: Fact, provenance: Provenance) -> bytes:
        """The bytes that are stored and sent. Raises ``ValueError`` if ``provenance.at`` has no time zone."""
        return self.states([fact], provenance)[0]

    def states(self, facts: Sequence[Fact], provenance: Provenance) -> list[bytes]:
        """The same of several facts that came from one command."""
        at = provenance.at
        if at.tzinfo is not UTC:
            if at.tzinfo is None:
                raise ValueError("provenance.at needs a time zone")
            at = at.astimezone(UTC)
        meta = Meta(provenance.organization_id, provenance.actor_id, at, provenance.command_id, provenance.traceparent)
        return [_ENCODER.encode(Envelope(meta, fact)) for fact in facts]

    def recorded(self, position: int, stream_id: UUID, version: int, topic: str, state: bytes) -> Recorded:
        """A stored row as the application sees it. Of an old topic, the fact that it means today."""
        decode = self._decode.get(topic)
        try:
            envelope = decode(state) if decode else self._upcasted(topic, state)
        except (msgspec.MsgspecError, UnicodeDecodeError) as broken:
            raise BrokenFact(f"{topic} at version {version} of stream {stream_id}: {broken}") from broken
        if envelope is None:
            raise UnknownTopic(f"no fact is called {topic} (version {version} of stream {stream_id})")
        meta = envelope.meta
        provenance = Provenance(
            organization_id=meta.org,
            actor_id=meta.actor,
            at=meta.at,
            command_id=meta.command,
            traceparent=meta.trace,
        )
        return Recorded(position, stream_id, version, envelope.data, provenance)

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Of a ``Placed`` fact."""
        assert isinstance(domain_event, Placed)
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.fact.TOPIC,
            state=self.state(domain_event.fact, domain_event.provenance),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Placed:
        """A ``Placed`` fact; of a ``Notification`` use ``to_recorded``, which keeps the position."""
        found = self._of(0, stored_event)
        return Placed(found.stream_id, found.version, found.fact, found.provenance)

    def to_recorded(self, notification: Notification) -> Recorded:
        return self._of(notification.id, notification)

    def _of(self, position: int, stored: StoredEvent) -> Recorded:
        assert isinstance(stored.originator_id, UUID)
        return self.recorded(position, stored.originator_id, stored.originator_version, stored.topic, stored.state)

    def _upcasted(self, topic: str, state: bytes) -> Envelope[Fact] | None:
        """None if neither the topic nor a successor of it is known."""
        if topic not in self._upcasts:
            return None
        old = msgspec.json.decode(state, type=_Old)
        fields = old.data
        while upcast := self._upcasts.get(topic):
            topic, fields = upcast.topic, upcast.fields(fields)
        decode = self._decode.get(topic)
        return decode(_ENCODER.encode({"meta": old.meta, "data": fields})) if decode else None


def _decoder(kind: type[Fact]) -> Callable[[bytes], Envelope[Fact]]:
    """Built once per kind: a decoder compiles its type."""
    return msgspec.json.Decoder(Envelope[kind]).decode  # type: ignore[valid-type]  # a type known at run time
