"""Both ends of a topic for the tests of the broker's adapters, and what they send, join and receive."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from adapters.fact_codec import FactMapper
from adapters.fact_messages import FactMessages
from adapters.kafka_feed import KafkaFeed
from adapters.kafka_log import KafkaTopic
from adapters.memory_feed import MemoryBroker, MemoryFeed, MemoryTopic
from application.feed import Delivery, Feed, Topic, TopicUnavailable
from tests.facts import fact_at

PARTITIONS = 3
EPOCH = UUID(int=1)
EVERYTHING = frozenset(range(PARTITIONS))
JOINED_WITHIN_S = 60.0


def messages(epoch: UUID = EPOCH) -> FactMessages:
    return FactMessages(FactMapper(), epoch)


@dataclass
class Ends:
    """Both ends of one new topic, as many of each as a test wants; all are closed after it."""

    make_topic: Callable[[], Topic]
    make_feed: Callable[[], Feed]
    opened: list[Topic | Feed] = field(default_factory=list)

    def topic(self) -> Topic:
        self.opened.append(topic := self.make_topic())
        return topic

    def feed(self) -> Feed:
        self.opened.append(feed := self.make_feed())
        return feed

    def close(self) -> None:
        for end in self.opened:
            end.close()


def kafka_ends(bootstrap: str, name: str) -> Ends:
    return Ends(
        lambda: KafkaTopic(bootstrap, name, PARTITIONS, messages()),
        lambda: KafkaFeed(bootstrap, name, f"group-of-{name}", messages()),
    )


def memory_ends() -> Ends:
    memory = MemoryBroker(PARTITIONS)
    return Ends(lambda: MemoryTopic(memory), lambda: MemoryFeed(memory, EVERYTHING))


def deliveries(*organizations: int, after: int = 0) -> list[Delivery]:
    """One fact of each organization, in the journal's order."""
    previous = dict.fromkeys(range(PARTITIONS), 0)
    made = []
    for position, organization in enumerate(organizations, after + 1):
        partition = organization % PARTITIONS
        made.append(Delivery(partition, previous[partition], fact_at(position, organization)))
        previous[partition] = position
    return made


def join(*feeds: Feed) -> None:
    """Poll until the partitions are shared out."""
    deadline = time.monotonic() + JOINED_WITHIN_S
    shares: list[frozenset[int]] = []
    while sorted(partition for share in shares for partition in share) != sorted(EVERYTHING) or not all(shares):
        assert time.monotonic() < deadline, f"not joined: {shares}"
        for feed in feeds:
            with suppress(TopicUnavailable):
                assert not feed.poll(0.1)
        shares = [feed.partitions() for feed in feeds]


def receive(feed: Feed, at_least: int, within_s: float = 20.0) -> list[Delivery]:
    arrived: list[Delivery] = []
    deadline = time.monotonic() + within_s
    while len(arrived) < at_least:
        assert time.monotonic() < deadline, f"only {len(arrived)} arrived"
        arrived += feed.poll(0.2)
    return arrived


def in_partition(arrived: Sequence[Delivery], partition: int) -> list[Delivery]:
    return [delivery for delivery in arrived if delivery.partition == partition]
