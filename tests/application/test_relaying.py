"""The relay misses nothing and reorders nothing, wherever it is stopped."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory_feed import MemoryBroker, MemoryTopic
from application import relaying
from application.feed import Delivery, FactTooLarge, TopicUnavailable
from application.relaying import BATCH_SPAN_MAX, Relay, TopicAheadOfJournal
from tests.facts import ListedJournal, fact_at

PARTITIONS = 3


def published(broker: MemoryBroker) -> list[list[int]]:
    return [[delivery.recorded.position for delivery in log] for log in broker.logs]


def relay_of(journal: ListedJournal, broker: MemoryBroker, *, floor: int = 0) -> Relay:
    return Relay(journal, MemoryTopic(broker), PARTITIONS, lambda: floor)


def drain(relay: Relay) -> None:
    while relay.step():
        continue


def first_deliveries(log: Sequence[Delivery]) -> list[Delivery]:
    """The log without what a follower skips by position."""
    kept: list[Delivery] = []
    for delivery in log:
        if not kept or delivery.recorded.position > kept[-1].recorded.position:
            kept.append(delivery)
    return kept


def test_every_fact_lands_on_its_partition_in_order_and_knows_the_one_before() -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    journal.append(0, 1, 0, 2, 1, 0)
    drain(relay_of(journal, broker))
    assert published(broker) == [[1, 3, 6], [2, 5], [4]]
    assert [[delivery.previous for delivery in log] for log in broker.logs] == [[0, 1, 3], [0, 2], [0]]


def test_a_new_relay_goes_on_where_the_last_one_stopped() -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    journal.append(0, 1, 2)
    drain(relay_of(journal, broker))
    journal.append(1, 0)
    drain(relay_of(journal, broker))
    assert published(broker) == [[1, 5], [2, 4], [3]]
    assert broker.logs[0][1].previous == 1


def test_what_a_crash_left_out_of_a_half_published_batch_is_published_by_the_next_relay() -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)  # given: only partition 1 got its part
    journal.append(0, 1, 2, 0, 1, 2)
    broker.logs[1] += [Delivery(1, 0, journal.facts[1]), Delivery(1, 2, journal.facts[4])]
    drain(relay_of(journal, broker))  # when
    assert published(broker) == [[1, 4], [2, 5], [3, 6]]  # then


def test_positions_that_were_rolled_back_do_not_hide_half_a_batch_from_the_next_relay() -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    journal.append(0)
    journal.append(1, gap=BATCH_SPAN_MAX)
    relay = relay_of(journal, broker)
    assert relay.step() == 1, "a batch spans no more positions than a start looks back"
    assert relay.step() == 1


def test_an_empty_broker_is_filled_from_what_projections_still_need() -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    journal.append(0, 1, 0, 1, 2, 0)
    drain(relay_of(journal, broker, floor=4))
    assert published(broker) == [[6], [], [5]]
    assert broker.logs[0][0].previous == 3, "as the journal has it, not as the topic has it"
    assert broker.logs[2][0].previous == 0


def test_a_wipe_is_noticed_while_nothing_happens() -> None:
    now = 100.0
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    relay = Relay(journal, MemoryTopic(broker), PARTITIONS, lambda: 0, monotonic=lambda: now)
    journal.append(0, 1, 2)
    drain(relay)
    broker.wipe()  # when
    now += relaying.TAIL_CHECK_EVERY_S
    drain(relay)
    drain(relay)
    assert published(broker) == [[1], [2], [3]]  # then


def test_a_broker_that_lost_its_end_is_filled_up_again() -> None:
    now = 100.0
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    relay = Relay(journal, MemoryTopic(broker), PARTITIONS, lambda: 0, monotonic=lambda: now)
    journal.append(*[n % 3 for n in range(2 * BATCH_SPAN_MAX)])
    drain(relay)
    whole = published(broker)
    del broker.logs[1][5:]  # when
    now += relaying.TAIL_CHECK_EVERY_S
    drain(relay)
    drain(relay)
    assert published(broker) == whole  # then


def test_a_quiet_partition_may_be_given_a_higher_previous_but_never_one_that_hides_a_fact() -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    journal.append(1, *[0] * (relaying.LOOK_BACK_MAX + 2 * BATCH_SPAN_MAX))
    drain(relay_of(journal, broker))
    journal.append(1)
    drain(relay_of(journal, broker))
    last = broker.logs[1][-1]
    assert 1 < last.previous < last.recorded.position


def test_a_broker_that_is_down_is_tried_again_and_nothing_is_lost() -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    relay = relay_of(journal, broker)
    journal.append(0, 1)
    drain(relay)
    broker.reachable = False
    journal.append(0, 2)
    with pytest.raises(TopicUnavailable):
        relay.step()
    broker.reachable = True
    drain(relay)
    assert published(broker) == [[1, 3], [2], [4]]


def test_a_topic_that_is_ahead_of_its_journal_is_refused() -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    broker.logs[0].append(Delivery(0, 0, fact_at(9)))
    journal.append(0)
    with pytest.raises(TopicAheadOfJournal, match="ends at 9, the journal at 1"):
        relay_of(journal, broker).step()


class SmallTopic(MemoryTopic):
    """Takes no fact at position 2."""

    def publish(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.recorded.position == 2:
                raise FactTooLarge(2, 2_000_000, 1_000_000)
        super().publish(deliveries)


def test_a_fact_too_large_for_the_broker_is_left_out_and_its_absence_can_be_seen() -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    journal.append(0, 0, 0)
    relay = Relay(journal, SmallTopic(broker), PARTITIONS, lambda: 0)
    drain(relay)
    assert [(d.previous, d.recorded.position) for d in broker.logs[0]] == [(0, 1), (2, 3)]
    assert relay.oversized_total == 1


@dataclass(slots=True)
class CrashingTopic:
    """Publishes partition by partition, as a broker does, and dies after so many messages."""

    broker: MemoryBroker
    lives: list[int]
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.lives.pop() if self.lives else 1_000_000

    def tail(self) -> dict[int, int]:
        return MemoryTopic(self.broker).tail()

    def publish(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in sorted(deliveries, key=lambda d: (-d.partition, d.recorded.position)):
            if not self.left:
                raise TopicUnavailable("died")
            self.left -= 1
            self.broker.logs[delivery.partition].append(delivery)

    def close(self) -> None:
        """Nothing is held."""


@settings(max_examples=200, deadline=None)
@given(
    organizations=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    gaps=st.lists(st.integers(0, 4), min_size=40, max_size=40),
    lives=st.lists(st.integers(0, 9), max_size=12),
    wipe_after=st.none() | st.integers(0, 12),
    same_process=st.booleans(),
    span=st.integers(2, 10),
)
def test_wherever_it_dies_no_fact_is_missing_or_out_of_order(
    organizations: list[int],
    gaps: list[int],
    lives: list[int],
    wipe_after: int | None,
    same_process: bool,
    span: int,
) -> None:
    journal, broker = ListedJournal(), MemoryBroker(PARTITIONS)
    for organization, gap in zip(organizations, gaps, strict=False):
        journal.append(organization, gap=gap)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relaying, "BATCH_SPAN_MAX", span)
        crashes = 0
        topic = CrashingTopic(broker, lives)
        relay = Relay(journal, topic, PARTITIONS, lambda: 0)
        while True:
            try:
                drain(relay)
                break
            except TopicUnavailable:
                crashes += 1
                if crashes == wipe_after:
                    broker.wipe()
                topic = CrashingTopic(broker, lives)
                if same_process:
                    relay._topic = topic
                else:
                    relay = Relay(journal, topic, PARTITIONS, lambda: 0)
    for partition, log in enumerate(broker.logs):
        seen = first_deliveries(log)
        assert [d.recorded.position for d in seen] == journal.positions(partition, PARTITIONS)
        # A follower that starts with nothing sees no gap: what is claimed to come before has come.
        assert [d.previous for d in seen] == [0, *(d.recorded.position for d in seen)][: len(seen)]
