"""A follower's end of the topic of facts. Nothing here is certain: see ``kafka_log``, the relay's end."""

import logging
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaException, Message

from adapters.closing_apart import ClosingApart
from adapters.fact_messages import FactMessages
from adapters.kafka_clients import ensure_listening
from adapters.kafka_member import KafkaMember
from adapters.kafka_tls import KafkaTls
from application.feed import Delivery, TopicUnavailable

CONNECT_EVERY_S = 2.0

logger = logging.getLogger(__name__)


class KafkaFeed:
    """A follower's end: a member of the consumer group ``group``, of which each set of sinks has its own.

    It begins at the end of a partition that it is given: what lies before is read from the journal.
    ``gather_s``: who is in no hurry is told so long after the last news at the earliest, of more at a time.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        group: str,
        messages: FactMessages,
        *,
        gather_s: float = 0.0,
        tls: KafkaTls | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._group = group
        self._messages = messages
        self._gather_s = gather_s
        self._tls = tls
        self._news_at = 0.0
        self._member: KafkaMember | None = None
        self._connect_at = 0.0
        self._closing = ClosingApart()

    def poll(self, timeout_s: float) -> Sequence[Delivery]:
        if self._member is None and time.monotonic() < self._connect_at:
            raise TopicUnavailable("not tried again yet")
        try:
            member = self._member or self._connect()
            deliveries = self._decoded(member, self._gathered(member, timeout_s))
            member.ensure_of_use()
        except (KafkaException, OSError, TopicUnavailable) as lost:
            self._leave()
            self._connect_at = time.monotonic() + CONNECT_EVERY_S
            raise TopicUnavailable(f"{type(lost).__name__}: {lost}") from lost
        return deliveries

    def partitions(self) -> frozenset[int]:
        return self._member.partitions if self._member else frozenset()

    def close(self) -> None:
        """In bounded time, whatever the broker does."""
        self._leave()
        self._closing.wait()

    def _leave(self) -> None:
        """The broker may be gone: facts are followed in the journal at once, whatever becomes of the client."""
        member, self._member = self._member, None
        if member is not None:
            self._closing.begin(member.leave)

    def _connect(self) -> KafkaMember:
        ensure_listening(self._bootstrap)  # else the client would try for ever, and say so each time
        # One of us in the group is enough, and the embedded broker loses its way among members that come and go.
        if self._closing.is_under_way() or not self._closing.has_room():
            raise TopicUnavailable("the client before this one has not ended")
        self._member = member = KafkaMember(self._bootstrap, self._topic, self._group, self._tls)
        member.join()
        return member

    def _gathered(self, member: KafkaMember, timeout_s: float) -> list[Message]:
        gathering_s = min(max(0.0, self._news_at + self._gather_s - time.monotonic()), timeout_s)
        time.sleep(gathering_s)
        arrived = member.poll(timeout_s - gathering_s)
        if arrived:
            self._news_at = time.monotonic()
        return arrived

    def _decoded(self, member: KafkaMember, arrived: Sequence[Message]) -> list[Delivery]:
        deliveries = []
        decode = self._messages.decode
        for message in arrived:
            if wrong := message.error():
                raise KafkaException(wrong)
            partition: Any = message.partition()
            offset: Any = message.offset()
            headers: Any = message.headers()
            value: Any = message.value()
            member.next_offsets[partition] = offset + 1
            try:
                delivery = decode(partition, headers, value)
            except (KeyError, TypeError, ValueError) as unreadable:
                # Left out: the next message names what came before it, and the journal will say what is wrong.
                logger.error(  # noqa: TRY400
                    "the message at offset %d of partition %d is no fact: %s", offset, partition, unreadable
                )
                continue
            if delivery is not None:
                deliveries.append(delivery)
        return deliveries
