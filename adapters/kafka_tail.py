"""The end of the topic, read without being a member of any group; and the topic itself, made where there is none."""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import TimeoutError as NotInTime
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from adapters.kafka_clients import ANSWER_WITHIN_S, connection_options
from adapters.kafka_tls import KafkaTls
from application.feed import TopicUnavailable

MADE_LOOK_EVERY_S = 0.05
_LAST = -2_001
"""The client's number for the last message of a partition, or its end if it is empty (``RD_KAFKA_OFFSET_TAIL(1)``)."""

logger = logging.getLogger(__name__)


class WrongPartitions(Exception):  # noqa: N818
    """The topic has another number of partitions: organizations would change theirs and lose their order."""

    def __init__(self, topic: str, found: int, wanted: int) -> None:
        super().__init__(f"the topic {topic} has {found} partitions, not {wanted} as DAYBOOK_KAFKA_PARTITIONS says")


class KafkaTail:
    """Not thread-safe. Raises ``KafkaException`` when the broker is lost; it is of no use then but to ``close``."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, tls: KafkaTls | None = None) -> None:
        self._options = connection_options(bootstrap, tls)
        self._topic = topic
        self._partitions = partitions
        self._consumer = Consumer(
            {
                **self._options,
                "group.id": "daybook-relay",  # the client insists; it is never joined
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                # The embedded broker calls the beginning of its last batch the end: read until there is no more.
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
        )

    def last_messages(self) -> Mapping[int, Message]:
        """Of each partition that is not empty. Makes the topic where there is none.

        Raises ``TopicUnavailable`` if it takes too long, and ``WrongPartitions``.
        """
        self._ensure_topic()
        self._consumer.assign([TopicPartition(self._topic, partition, _LAST) for partition in range(self._partitions)])
        try:
            return self._read_to_the_end()
        finally:
            self._consumer.unassign()  # to follow on would cost the broker, for nothing

    def close(self) -> None:
        """May take long: see ``closing_apart``."""
        self._consumer.close()

    def _read_to_the_end(self) -> Mapping[int, Message]:
        found: dict[int, Message] = {}
        unread = set(range(self._partitions))
        deadline = time.monotonic() + ANSWER_WITHIN_S
        while unread:
            if time.monotonic() > deadline:
                raise TopicUnavailable("the end of the topic could not be read in time")
            message = self._consumer.poll(0.2)
            if message is None:
                continue
            partition: Any = message.partition()
            wrong = message.error()
            if wrong is None:
                found[partition] = message
            elif wrong.code() == KafkaError._PARTITION_EOF:
                unread.discard(partition)
            else:
                raise KafkaException(wrong)
        return found

    def _ensure_topic(self) -> None:
        found = self._partitions_found()
        if not found:
            self._make()
            deadline = time.monotonic() + ANSWER_WITHIN_S
            while not (found := self._partitions_found()):
                if time.monotonic() > deadline:
                    raise TopicUnavailable("the topic is not there yet")
                time.sleep(MADE_LOOK_EVERY_S)
        if found != self._partitions:
            raise WrongPartitions(self._topic, found, self._partitions)

    def _partitions_found(self) -> int:
        """How many the topic has; 0 if there is none, or none of use yet: each needs a leader."""
        described = self._consumer.list_topics(self._topic, timeout=ANSWER_WITHIN_S).topics[self._topic]
        partitions = described.partitions.values()
        return len(partitions) if all(partition.leader >= 0 for partition in partitions) else 0

    def _make(self) -> None:
        logger.info("creating the topic %s with %d partitions", self._topic, self._partitions)
        wanted = NewTopic(self._topic, self._partitions)
        admin = AdminClient(self._options)  # it must outlive what it is asked
        [made] = admin.create_topics([wanted]).values()
        try:
            made.result(ANSWER_WITHIN_S)
        except NotInTime:
            raise TopicUnavailable("the topic cannot be created in time") from None
        except KafkaException as refused:
            if refused.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
