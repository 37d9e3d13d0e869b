"""The topic of facts on a Kafka broker, the relay's end of it; ``kafka_feed`` is the followers'.

Nothing here is certain, by design: offsets are never committed, a broker may forget, messages come again.
The positions in the headers tell a follower what it lacks; the journal has it.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from confluent_kafka import KafkaException, Message

from adapters.closing_apart import ClosingApart
from adapters.fact_messages import FactMessages, Headers
from adapters.kafka_clients import ensure_listening
from adapters.kafka_publisher import MESSAGE_BYTES_MAX, KafkaPublisher
from adapters.kafka_tail import KafkaTail
from adapters.kafka_tls import KafkaTls
from application.feed import Delivery, FactTooLarge, TopicUnavailable

T = TypeVar("T")


class KafkaTopic:
    """The relay's end. Its clients are made when first needed, and anew after any error."""

    def __init__(
        self, bootstrap: str, topic: str, partitions: int, messages: FactMessages, *, tls: KafkaTls | None = None
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._partitions = partitions
        self._messages = messages
        self._tls = tls
        self._publisher: KafkaPublisher | None = None
        self._tail: KafkaTail | None = None
        self._closing = ClosingApart()

    def tail(self) -> dict[int, int]:
        """Of each partition. Creates the topic where there is none. Raises ``WrongPartitions`` too."""
        return self._reaching(self._read_tail)

    def publish(self, deliveries: Sequence[Delivery]) -> None:
        messages = [(delivery.partition, *self._encoded(delivery)) for delivery in deliveries]
        self._reaching(lambda: self._send(messages))

    def close(self) -> None:
        """In bounded time, whatever the broker does."""
        self._drop()
        self._closing.wait()

    def _reaching(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (KafkaException, OSError) as lost:
            self._drop()
            raise TopicUnavailable(f"{type(lost).__name__}: {lost}") from lost
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        for client in (self._publisher, self._tail):
            if client is not None:
                self._closing.begin(client.close)
        self._publisher = self._tail = None

    def _ensure_client_may_be_made(self) -> None:
        ensure_listening(self._bootstrap)
        if not self._closing.has_room():
            raise TopicUnavailable("the clients before this one do not end")

    def _encoded(self, delivery: Delivery) -> tuple[bytes, bytes, Headers]:
        key, value, headers = self._messages.encode(delivery)
        if len(value) > MESSAGE_BYTES_MAX:
            raise FactTooLarge(delivery.recorded.position, len(value), MESSAGE_BYTES_MAX)
        return key, value, headers

    def _send(self, messages: Sequence[tuple[int, bytes, bytes, Headers]]) -> None:
        if self._publisher is None:
            self._ensure_client_may_be_made()
            self._publisher = KafkaPublisher(self._bootstrap, self._topic, self._tls)
        self._publisher.send(messages)

    def _read_tail(self) -> dict[int, int]:
        if self._publisher is not None:
            self._publisher.forget()
        if self._tail is None:
            self._ensure_client_may_be_made()
            self._tail = KafkaTail(self._bootstrap, self._topic, self._partitions, self._tls)
        last = self._tail.last_messages()
        return {partition: self._position(last.get(partition)) for partition in range(self._partitions)}

    def _position(self, message: Message | None) -> int:
        headers: Any = message.headers() if message else None
        return self._messages.position(headers or []) if message else 0
