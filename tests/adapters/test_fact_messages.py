"""What followers are told of facts that they are not made of."""

import pytest

from adapters.fact_codec import FactMapper
from adapters.fact_messages import FactMessages
from application.feed import Delivery
from infra.followers import besides_all
from projections.deliveries import Deliveries
from projections.offer_rounds import OfferRounds
from projections.timers import Timers
from tests.adapters.kafka_ends import EPOCH, deliveries, messages


def carried(delivery: Delivery, receiver: FactMessages) -> Delivery | None:
    _, value, headers = messages().encode(delivery)
    return receiver.decode(delivery.partition, headers, value)


def test_a_fact_that_concerns_nobody_here_is_told_by_kind_and_position_only() -> None:
    [_, sent] = deliveries(0, 3)
    fact = sent.recorded.fact
    told = carried(sent, FactMessages(FactMapper(), EPOCH, {fact.TOPIC}))
    assert told
    assert (told.partition, told.previous, told.recorded.position) == (sent.partition, 1, 2)
    assert type(told.recorded.fact) is type(fact)
    with pytest.raises(AttributeError):
        _ = told.recorded.fact.name  # type: ignore[attr-defined]


def test_all_others_are_told_whole() -> None:
    [sent] = deliveries(0)
    assert carried(sent, FactMessages(FactMapper(), EPOCH, {"resource_day.slot_claimed.v1"})) == sent


def test_only_what_concerns_none_of_the_sinks_is_left_unread() -> None:
    of_notifier, of_timekeeper = besides_all([Deliveries()]), besides_all([Timers(), OfferRounds()])
    assert "resource_day.slot_claimed.v1" in of_notifier & of_timekeeper
    assert not {"appointment.booked.v1", "appointment.cancelled.v1"} & (of_notifier | of_timekeeper)
    assert "account.opened.v1" in of_notifier & of_timekeeper
