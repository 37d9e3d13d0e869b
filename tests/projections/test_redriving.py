"""What was parked gets its next try when somebody says so, once; what may have been sent only when told twice."""

import psycopg

from application.notifying import Channel
from application.providers import Sender
from infra.provider_fake import Outbox
from projections.deliveries import Deliveries
from projections.redriving import parked, redrive
from tests.projections.front_desk import EMAIL, PUSH, FrontDesk, notifier, work_off


def test_a_message_that_may_have_been_sent_is_tried_again_only_if_it_may_be_sent_twice(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    outbox.fail("push", 0, taken=False)  # given: nobody knows, and it was not sent
    visit = front.books(front.customer(**PUSH))
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

        with psycopg.connect(front.url) as connection:  # when
            [one] = parked(connection)
            assert (one.kind, one.state, one.reason) == ("message", "unknown", "firebase_cannot_be_asked")
            assert not redrive(connection, one, twice_allowed=False)
            assert redrive(connection, one, twice_allowed=True)
            assert not redrive(connection, one, twice_allowed=True)  # it is due already: once is enough
            assert parked(connection) == []
        work_off(front, dispatcher)

    assert len(outbox.of("push")) == 1  # then
    assert front.told(visit) == [("confirmation", "push", "sent", None)]


def test_what_was_sent_is_not_listed_and_cannot_be_sent_again(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    with psycopg.connect(front.url) as connection:
        assert parked(connection) == []
    assert len(outbox.of("email")) == 1
