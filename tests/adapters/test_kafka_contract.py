"""What the relay and the followers expect of a topic, on every adapter and, with ``make test-kafka``, every broker."""

import os
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from confluent_kafka import Consumer, TopicPartition

from adapters.fact_codec import FactMapper
from adapters.kafka_log import KafkaTopic
from adapters.kafka_tail import WrongPartitions
from application.feed import Delivery, FactTooLarge, TopicUnavailable
from tests.adapters.kafka_ends import (
    EPOCH,
    PARTITIONS,
    Ends,
    deliveries,
    in_partition,
    join,
    kafka_ends,
    memory_ends,
    messages,
    receive,
)
from tests.facts import fact_at

pytestmark = pytest.mark.kafka


@pytest.fixture
def name() -> str:
    return f"facts-{uuid4().hex}"


@pytest.fixture(params=["memory", "kafka"])
def ends(request: pytest.FixtureRequest, name: str) -> Iterator[Ends]:
    both = memory_ends() if request.param == "memory" else kafka_ends(request.getfixturevalue("broker"), name)
    yield both
    both.close()


def test_a_new_topic_has_no_tail(ends: Ends) -> None:
    assert ends.topic().tail() == {0: 0, 1: 0, 2: 0}


def test_the_tail_is_the_last_position_of_each_partition(ends: Ends) -> None:
    topic = ends.topic()
    topic.tail()
    topic.publish(deliveries(0, 1, 0, 1, 0))
    assert topic.tail() == {0: 5, 1: 4, 2: 0}
    topic.publish(deliveries(2, after=5))
    assert ends.topic().tail() == {0: 5, 1: 4, 2: 6}, "whoever asks, and after more"


def test_a_follower_gets_every_fact_unchanged_and_in_the_order_of_its_partition(ends: Ends) -> None:
    topic, feed = ends.topic(), ends.feed()
    topic.tail()
    join(feed)
    sent = deliveries(*[n % 5 for n in range(700)])
    topic.publish(sent[:500])
    topic.publish(sent[500:])
    arrived = receive(feed, len(sent))
    for partition in range(PARTITIONS):
        assert in_partition(arrived, partition) == in_partition(sent, partition)


def test_a_follower_begins_at_the_end(ends: Ends) -> None:
    topic, feed = ends.topic(), ends.feed()
    topic.tail()
    topic.publish(deliveries(0, 1, 2))
    join(feed)
    topic.publish(deliveries(0, after=3))
    assert [d.recorded.position for d in receive(feed, 1)] == [4]


def test_an_unreachable_broker_is_told_from_both_ends(name: str) -> None:
    ends = kafka_ends("127.0.0.1:1", name)
    for use in (ends.topic().tail, lambda: ends.topic().publish(deliveries(0)), lambda: ends.feed().poll(0.1)):
        with pytest.raises(TopicUnavailable):
            use()


def test_a_fact_too_large_is_refused_before_anything_is_sent(broker: str, name: str) -> None:
    topic = kafka_ends(broker, name).topic()
    topic.tail()
    small, large = deliveries(0, 1)
    oversized = Delivery(large.partition, large.previous, fact_at(2, 1, name="x" * 1_000_000))
    with pytest.raises(FactTooLarge, match="the fact at position 2 has 10"):
        topic.publish([small, oversized])
    assert topic.tail() == {0: 0, 1: 0, 2: 0}
    topic.close()


def test_a_topic_with_another_number_of_partitions_is_refused(broker: str, name: str) -> None:
    kafka_ends(broker, name).topic().tail()
    with pytest.raises(WrongPartitions, match="has 3 partitions, not 5"):
        KafkaTopic(broker, name, 5, messages()).tail()


def test_only_the_relay_creates_the_topic_and_a_follower_waits_for_it(broker: str, name: str) -> None:
    ends = kafka_ends(broker, name)
    topic, feed = ends.topic(), ends.feed()
    for _ in range(10):
        with pytest.raises(TopicUnavailable):
            feed.poll(0.2)
    with pytest.raises(TopicUnavailable):
        topic.publish(deliveries(0))
    assert topic.tail() == {0: 0, 1: 0, 2: 0}, "not refused: neither has created it with another number of partitions"
    join(feed)
    topic.publish(deliveries(0, 1, 2))
    assert len(receive(feed, 3)) == 3
    ends.close()


def test_facts_of_another_epoch_are_neither_a_tail_nor_delivered(broker: str, name: str) -> None:
    ends = kafka_ends(broker, name)
    topic, feed = ends.topic(), ends.feed()
    topic.tail()
    join(feed)
    restored_elsewhere = KafkaTopic(broker, name, PARTITIONS, messages(UUID(int=2)))  # given
    restored_elsewhere.publish(deliveries(0, 1, 2))
    assert topic.tail() == {0: 0, 1: 0, 2: 0}  # then
    topic.publish(deliveries(0))
    assert receive(feed, 1) == deliveries(0)
    restored_elsewhere.close()
    ends.close()


@pytest.mark.skipif(
    os.environ.get("DAYBOOK_TEST_BROKER") != "apache",
    reason="the embedded broker (Tansu 0.6) may let a second member of a group rejoin for ever; followers then"
    " adopt what no one follows (test_following_failures.py)",
)
def test_two_followers_share_the_partitions_and_the_survivor_takes_over(broker: str, name: str) -> None:
    ends = kafka_ends(broker, name)
    topic, first, second = ends.topic(), ends.feed(), ends.feed()
    topic.tail()
    join(first)
    join(first, second)
    assert not first.partitions() & second.partitions()
    second.close()  # when
    join(first)
    topic.publish(deliveries(0, 1, 2))
    assert len(receive(first, 3)) == 3  # then
    ends.close()


def test_a_message_is_a_cloud_event_in_binary_mode(broker: str, name: str) -> None:
    topic = kafka_ends(broker, name).topic()
    topic.tail()
    (delivery,) = deliveries(4)
    topic.publish([delivery])
    consumer = Consumer({"bootstrap.servers": broker, "group.id": name})
    consumer.assign([TopicPartition(name, delivery.partition, 0)])
    record: Any = consumer.poll(10.0)
    consumer.close()
    topic.close()
    event = from_binary(KafkaMessage(dict(record.headers()), record.key(), record.value()), JSONFormat())
    assert record.key().decode() == str(delivery.recorded.provenance.organization_id)
    assert event.get_id() == "1"
    assert event.get_type() == "organization.renamed.v1"
    assert event.get_subject() == str(delivery.recorded.stream_id)
    assert event.get_time() == delivery.recorded.provenance.at
    assert event.get_extension("previous") == "0"
    assert event.get_extension("version") == "1"
    assert event.get_extension("epoch") == str(EPOCH)
    assert record.value() == FactMapper().state(delivery.recorded.fact, delivery.recorded.provenance)
