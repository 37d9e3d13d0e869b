"""A follower's end of the topic of facts. Nothing here is certain: see ``kafka_log``, the relay's end.

Its client is librdkafka, which fetches and unpacks outside Python's lock. It fetches on while facts are applied, so
what comes together is taken together.
"""

import logging
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from adapters.fact_messages import FactMessages
from adapters.kafka_clients import ANSWER_WITHIN_MS, SESSION_MS, ensure_listening
from adapters.kafka_tls import KafkaTls
from application.feed import Delivery, TopicUnavailable

POLL_FACTS_MAX = 4_000
ANSWER_WITHIN_S = ANSWER_WITHIN_MS / 1_000
CONNECT_EVERY_S = 2.0
UNJOINED_FOR_S = 15.0
SPARE_FOR_S = 60.0
"""A member without partitions may be one too many, or forgotten by a broker that was restarted: it joins anew."""
UNDER_WAY_S = 0.002

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
        self._consumer: Consumer | None = None
        self._connect_at = 0.0
        self._assigned_at = 0.0
        self._joined = False
        self._partitions: frozenset[int] = frozenset()
        self._next_offsets: dict[int, int] = {}
        self._wrong: KafkaException | None = None
        """What the client's callbacks have met: raised through the client, it would arrive as no exception of ours."""

    def poll(self, timeout_s: float) -> Sequence[Delivery]:
        if self._consumer is None and time.monotonic() < self._connect_at:
            raise TopicUnavailable("not tried again yet")
        try:
            consumer = self._consumer or self._connect()
            arrived = self._gathered(consumer, timeout_s)
            if self._wrong is not None:
                raise self._wrong
            deliveries = self._decoded(arrived)
            self._ensure_of_use()
        except (KafkaException, OSError, TopicUnavailable) as lost:
            self.close()
            self._connect_at = time.monotonic() + CONNECT_EVERY_S
            raise TopicUnavailable(f"{type(lost).__name__}: {lost}") from lost
        return deliveries

    def partitions(self) -> frozenset[int]:
        return self._partitions

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()
        self._joined = False
        self._partitions = frozenset()
        self._next_offsets.clear()
        self._wrong = None

    def _connect(self) -> Consumer:
        ensure_listening(self._bootstrap)  # else the client would try for ever, and say so each time
        self._consumer = consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "client.id": "daybook",
                "group.id": self._group,
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": SESSION_MS // 3,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "allow.auto.create.topics": False,
                "topic.metadata.refresh.interval.ms": 10_000,
                "reconnect.backoff.max.ms": 1_000,
                "queued.max.messages.kbytes": 16_384,
                # The embedded broker only looks for news twice in it; Apache Kafka answers at once.
                "fetch.wait.max.ms": 100,
                "error_cb": self._note_if_lost,
                **(self._tls.for_librdkafka() if self._tls else {}),
            },
            logger=logger,
        )
        # Who joins as the leader of a group and does not know the topic shares out nothing.
        if not consumer.list_topics(self._topic, timeout=ANSWER_WITHIN_S).topics[self._topic].partitions:
            raise TopicUnavailable("the relay has not made the topic yet")
        consumer.subscribe([self._topic], on_assign=self._place, on_revoke=self._displace)
        self._assigned_at = time.monotonic()
        return consumer

    def _gathered(self, consumer: Consumer, timeout_s: float) -> list[Message]:
        gathering_s = min(max(0.0, self._news_at + self._gather_s - time.monotonic()), timeout_s)
        time.sleep(gathering_s)
        first = consumer.poll(timeout_s - gathering_s)
        if first is None:
            return []
        self._news_at = time.monotonic()
        return [first, *consumer.consume(POLL_FACTS_MAX, UNDER_WAY_S)]

    def _place(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        """Read on, after a rebalance, where we were; at the end of what is new to us."""
        self._joined = True
        self._partitions = frozenset(place.partition for place in assigned)
        for lost in self._next_offsets.keys() - self._partitions:
            del self._next_offsets[lost]
        try:
            for place in assigned:
                # Asked for now: what is published once the partition is known to be ours is delivered.
                if place.partition not in self._next_offsets:
                    _, end = consumer.get_watermark_offsets(place, timeout=ANSWER_WITHIN_S)
                    self._next_offsets[place.partition] = end
                place.offset = self._next_offsets[place.partition]
            consumer.assign(assigned)
        except KafkaException as failed:  # a partition so new that it has no leader yet, for one
            self._wrong = failed

    def _displace(self, _consumer: Consumer, _revoked: list[TopicPartition]) -> None:
        """Nothing is committed, so there is nothing else to do."""
        self._joined = False
        self._partitions = frozenset()

    def _note_if_lost(self, wrong: KafkaError) -> None:
        """What the client cannot mend, or only in its own time: whoever polls learns it, and follows the journal."""
        if wrong.fatal() or wrong.code() == KafkaError._ALL_BROKERS_DOWN:
            self._wrong = KafkaException(wrong)

    def _ensure_of_use(self) -> None:
        now = time.monotonic()
        if self._partitions:
            self._assigned_at = now
        elif now - self._assigned_at > (SPARE_FOR_S if self._joined else UNJOINED_FOR_S):
            raise TopicUnavailable("no partition was assigned" if self._joined else "the group cannot be joined")

    def _decoded(self, arrived: Sequence[Message]) -> list[Delivery]:
        deliveries = []
        decode = self._messages.decode
        for message in arrived:
            if wrong := message.error():
                raise KafkaException(wrong)
            partition: Any = message.partition()
            offset: Any = message.offset()
            headers: Any = message.headers()
            value: Any = message.value()
            self._next_offsets[partition] = offset + 1
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
