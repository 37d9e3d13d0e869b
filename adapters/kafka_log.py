"""The topic of facts on a Kafka broker, the relay's end of it; ``kafka_feed`` is the followers'.

Nothing here is certain, by design: offsets are never committed, a broker may forget, messages come again.
The positions in the headers tell a follower what it lacks; the journal has it.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError, for_code

from adapters.fact_messages import FactMessages, Headers
from adapters.kafka_clients import (
    ACKNOWLEDGED_WITHIN_MS,
    ANSWER_WITHIN_MS,
    connection_options,
    ensure_listening,
    new_consumer,
    new_producer,
)
from adapters.kafka_tls import KafkaTls
from application.feed import Delivery, FactTooLarge, TopicUnavailable

MESSAGE_BYTES_MAX = 1_000_000
"""Of the value: brokers take 1,048,588 bytes by default, with everything around it."""
TOPIC_ALREADY_EXISTS = 36

logger = logging.getLogger(__name__)

T = TypeVar("T")


class WrongPartitions(Exception):  # noqa: N818
    """The topic has another number of partitions: organizations would change theirs and lose their order."""

    def __init__(self, topic: str, found: int, wanted: int) -> None:
        super().__init__(f"the topic {topic} has {found} partitions, not {wanted} as DAYBOOK_KAFKA_PARTITIONS says")


class KafkaTopic:
    """The relay's end. Its clients are made when first needed, and anew after any error.

    A producer that has met a wiped broker never works again, so none is kept that has failed.
    """

    def __init__(
        self, bootstrap: str, topic: str, partitions: int, messages: FactMessages, *, tls: KafkaTls | None = None
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._places = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._messages = messages
        self._tls = tls
        self._producer: Any = None
        self._consumer: Any = None
        self._admin: Any = None
        self._next_offsets: dict[int, int] = {}

    def tail(self) -> dict[int, int]:
        """Of each partition. Creates the topic where there is none. Raises ``WrongPartitions`` too."""
        return self._reaching(self._read_tail)

    def publish(self, deliveries: Sequence[Delivery]) -> None:
        messages = [(delivery.partition, *self._encoded(delivery)) for delivery in deliveries]
        self._reaching(lambda: self._send(messages))

    def close(self) -> None:
        for client, options in (
            (self._producer, {"timeout": 1}),
            (self._consumer, {"autocommit": False, "timeout_ms": 1_000}),
            (self._admin, {}),
        ):
            with suppress(KafkaError):
                if client is not None:
                    client.close(**options)
        self._producer = self._consumer = self._admin = None

    def _reaching(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (KafkaError, OSError) as lost:
            self.close()
            raise TopicUnavailable(f"{type(lost).__name__}: {lost}") from lost
        except BaseException:
            self.close()
            raise

    def _encoded(self, delivery: Delivery) -> tuple[bytes, bytes, Headers]:
        key, value, headers = self._messages.encode(delivery)
        if len(value) > MESSAGE_BYTES_MAX:
            raise FactTooLarge(delivery.recorded.position, len(value), MESSAGE_BYTES_MAX)
        return key, value, headers

    def _send(self, messages: Sequence[tuple[int, bytes, bytes, Headers]]) -> None:
        if self._producer is None:
            self._producer = new_producer(self._bootstrap, self._tls)
        sent = [
            (partition, self._producer.send(self._topic, value, key=key, headers=headers, partition=partition))
            for partition, key, value, headers in messages
        ]
        self._producer.flush(timeout=ACKNOWLEDGED_WITHIN_MS / 1_000)
        for partition, future in sent:
            offset = future.get(timeout=0).offset
            if offset < self._next_offsets.get(partition, 0):
                raise TopicUnavailable(f"partition {partition} is shorter than it was: the broker has forgotten")
            self._next_offsets[partition] = offset + 1

    def _read_tail(self) -> dict[int, int]:
        self._next_offsets.clear()
        self._ensure_topic()
        if self._consumer is None:
            self._consumer = new_consumer(self._bootstrap, self._tls)
            self._consumer.assign(self._places)
        begins = self._consumer.beginning_offsets(self._places, timeout_ms=ANSWER_WITHIN_MS)
        ends = self._consumer.end_offsets(self._places, timeout_ms=ANSWER_WITHIN_MS)
        filled = {place for place in self._places if ends[place] > begins[place]}
        for place in self._places:
            self._consumer.seek(place, max(begins[place], ends[place] - 1))
        last = self._last_records(filled)
        return {place.partition: self._position(last.get(place)) for place in self._places}

    def _last_records(self, places: set[TopicPartition]) -> Mapping[TopicPartition, Any]:
        found: dict[TopicPartition, Any] = {}
        deadline = time.monotonic() + ANSWER_WITHIN_MS / 1_000
        while places - found.keys():
            if time.monotonic() > deadline:
                raise TopicUnavailable("the end of the topic could not be read in time")
            for place, records in self._consumer.poll(timeout_ms=200).items():
                found[place] = records[-1]
        return found

    def _position(self, record: Any) -> int:
        return self._messages.position(record.headers) if record else 0

    def _ensure_topic(self) -> None:
        if self._admin is None:
            ensure_listening(self._bootstrap)
            self._admin = KafkaAdminClient(**connection_options(self._bootstrap, self._tls))
        described = self._admin.describe_topics([self._topic])[0]
        if described["error_code"]:
            logger.info("creating the topic %s with %d partitions", self._topic, len(self._places))
            wanted = {self._topic: {"num_partitions": len(self._places)}}
            answer = self._admin.create_topics(wanted, timeout_ms=ANSWER_WITHIN_MS, raise_errors=False)
            error_code = answer["topics"][0]["error_code"]
            if error_code not in {0, TOPIC_ALREADY_EXISTS}:
                raise TopicUnavailable(f"the topic cannot be created: {for_code(error_code).__name__}")
            self._admin.wait_for_topics([self._topic], timeout_ms=ANSWER_WITHIN_MS)
            described = self._admin.describe_topics([self._topic])[0]
        if len(described["partitions"]) != len(self._places):
            raise WrongPartitions(self._topic, len(described["partitions"]), len(self._places))
