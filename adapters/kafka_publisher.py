"""A producer that has not failed yet: one that has, as by a wiped broker, is closed and never used again."""

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from adapters.fact_messages import Headers
from adapters.kafka_clients import ACKNOWLEDGED_WITHIN_MS, ANSWER_WITHIN_MS, connection_options
from adapters.kafka_tls import KafkaTls
from application.feed import TopicUnavailable

MESSAGE_BYTES_MAX = 1_000_000
"""Of the value: brokers take 1,048,588 bytes by default, with everything around it."""
LOOK_EVERY_S = 0.25


class KafkaPublisher:
    """Not thread-safe. Keeps the order within a partition, also when the client sends something again."""

    def __init__(self, bootstrap: str, topic: str, tls: KafkaTls | None = None) -> None:
        self._topic = topic
        self._next_offsets: dict[int, int] = {}
        self._wrong: KafkaError | None = None
        self._shrunk: int | None = None
        self._producer = Producer(
            {
                **connection_options(bootstrap, tls),
                "acks": "all",
                "enable.idempotence": True,  # this also keeps the order while several batches are in flight
                "delivery.timeout.ms": ACKNOWLEDGED_WITHIN_MS,
                "request.timeout.ms": ANSWER_WITHIN_MS,
                "message.max.bytes": MESSAGE_BYTES_MAX + 48_588,
                "linger.ms": 50,  # a flush does not wait for it, and so finds all that is published at once together
                "error_cb": self._note_if_lost,
            }
        )

    def send(self, messages: Sequence[tuple[int, bytes, bytes, Headers]]) -> None:
        """Partition, key, value, headers. Returns when the broker has them on all its replicas.

        Raises ``KafkaException`` and ``TopicUnavailable``; the publisher is of no use then but to ``close``.
        """
        produce: Any = self._producer.produce
        for partition, key, value, headers in messages:
            produce(self._topic, value, key, partition, headers=headers, on_delivery=self._note_delivery)
        deadline = time.monotonic() + ACKNOWLEDGED_WITHIN_MS / 1_000
        while (left := self._producer.flush(LOOK_EVERY_S)) and self._wrong is None:
            if time.monotonic() > deadline:
                raise TopicUnavailable(f"{left} facts are not acknowledged after {ACKNOWLEDGED_WITHIN_MS} ms")
        if self._wrong is not None:
            raise KafkaException(self._wrong)
        if self._shrunk is not None:
            raise TopicUnavailable(f"partition {self._shrunk} is shorter than it was: the broker has forgotten")

    def forget(self) -> None:
        """How long the partitions were: their end has been looked at anew."""
        self._next_offsets.clear()

    def close(self) -> None:
        """What is not sent is never sent. May take long: see ``closing_apart``."""
        self._producer.purge()
        self._producer.close()

    def _note_delivery(self, wrong: KafkaError | None, message: Message) -> None:
        if wrong is not None:
            self._wrong = wrong
            return
        partition: Any = message.partition()
        offset: Any = message.offset()
        if offset < self._next_offsets.get(partition, 0):
            self._shrunk = partition
        self._next_offsets[partition] = offset + 1

    def _note_if_lost(self, wrong: KafkaError) -> None:
        if wrong.fatal() or wrong.code() == KafkaError._ALL_BROKERS_DOWN:
            self._wrong = wrong
