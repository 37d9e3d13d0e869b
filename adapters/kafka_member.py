"""One membership of a consumer group, from joining it to leaving it: what is known of it goes with it.

Its client is librdkafka, which fetches and unpacks outside Python's lock. It fetches on while facts are applied, so
what comes together is taken together.
"""

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from adapters.kafka_clients import ANSWER_WITHIN_S, SESSION_MS, connection_options
from adapters.kafka_tls import KafkaTls
from application.feed import TopicUnavailable

POLL_FACTS_MAX = 4_000
UNJOINED_FOR_S = 15.0
SPARE_FOR_S = 60.0
"""A member without partitions may be one too many, or forgotten by a broker that was restarted: it joins anew."""
JOINED_WITHIN_S = 4.0
UNDER_WAY_S = 0.002


class KafkaMember:
    """Not thread-safe. Raises ``KafkaException`` when its broker is lost; it is of no use then but to ``leave``."""

    def __init__(self, bootstrap: str, topic: str, group: str, tls: KafkaTls | None = None) -> None:
        self.partitions: frozenset[int] = frozenset()
        self.next_offsets: dict[int, int] = {}
        self._topic = topic
        self._joined = self._joining = False
        self._assigned_at = time.monotonic()
        self._wrong: KafkaException | None = None
        """What the client's callbacks have met: raised through the client, it would arrive as no exception of ours."""
        self._consumer = Consumer(
            {
                **connection_options(bootstrap, tls),
                "group.id": group,
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": SESSION_MS // 3,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "queued.max.messages.kbytes": 16_384,
                # The embedded broker only looks for news twice in it; Apache Kafka answers at once.
                "fetch.wait.max.ms": 100,
                "error_cb": self._note_if_lost,
            }
        )

    def join(self) -> None:
        # Who joins as the leader of a group and does not know the topic shares out nothing.
        if not self._consumer.list_topics(self._topic, timeout=ANSWER_WITHIN_S).topics[self._topic].partitions:
            raise TopicUnavailable("the relay has not made the topic yet")
        self._joining = True
        self._consumer.subscribe([self._topic], on_assign=self._place, on_revoke=self._displace)
        self._assigned_at = time.monotonic()

    def poll(self, timeout_s: float) -> list[Message]:
        """The first message that comes, and what is under way behind it."""
        first = self._consumer.poll(timeout_s)
        arrived = [first, *self._consumer.consume(POLL_FACTS_MAX, UNDER_WAY_S)] if first is not None else []
        if self._wrong is not None:
            raise self._wrong
        return arrived

    def ensure_of_use(self) -> None:
        now = time.monotonic()
        if self.partitions:
            self._assigned_at = now
        elif now - self._assigned_at > (SPARE_FOR_S if self._joined else UNJOINED_FOR_S):
            raise TopicUnavailable("no partition was assigned" if self._joined else "the group cannot be joined")

    def leave(self) -> None:
        """Tell the group, if it can still be told. May take for ever: see ``closing_apart``."""
        # The embedded broker waits for ever for a leader that left while it was joining: let it join first.
        deadline = time.monotonic() + JOINED_WITHIN_S
        while self._joining and time.monotonic() < deadline:
            self._consumer.poll(0.1)
        self._consumer.close()

    def _place(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        """Read on, after a rebalance, where we were; at the end of what is new to us."""
        self._joined, self._joining = True, False
        self.partitions = frozenset(place.partition for place in assigned)
        for lost in self.next_offsets.keys() - self.partitions:
            del self.next_offsets[lost]
        try:
            for place in assigned:
                # Asked for now: what is published once the partition is known to be ours is delivered.
                if place.partition not in self.next_offsets:
                    _, end = consumer.get_watermark_offsets(place, timeout=ANSWER_WITHIN_S)
                    self.next_offsets[place.partition] = end
                place.offset = self.next_offsets[place.partition]
            consumer.assign(assigned)
        except KafkaException as failed:  # a partition so new that it has no leader yet, for one
            self._wrong = failed

    def _displace(self, _consumer: Consumer, _revoked: list[TopicPartition]) -> None:
        """Nothing is committed, so there is nothing else to do."""
        self._joined, self._joining = False, True
        self.partitions = frozenset()

    def _note_if_lost(self, wrong: KafkaError) -> None:
        """What the client cannot mend, or only in its own time: whoever polls learns it, and follows the journal."""
        if wrong.fatal() or wrong.code() == KafkaError._ALL_BROKERS_DOWN:
            self._wrong = KafkaException(wrong)
