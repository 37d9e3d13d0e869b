"""Each message is sent once or not at all, whatever the providers answer and wherever a notifier dies."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from application.dispatching import Dispatcher
from application.notifying import Channel, Delivery
from application.providers import Accepted, Message, Sender
from infra.provider_fake import Outbox
from projections.deliveries import Deliveries
from projections.delivery_ledger import PostgresLedger
from tests.projections.front_desk import EMAIL, PHONE, PUSH, FrontDesk, notifier, work_off


@pytest.mark.parametrize(("channel", "address"), [("email", EMAIL), ("sms", PHONE)])
@pytest.mark.parametrize(
    ("status", "taken"), [(0, True), (0, False), (500, True), (500, False), (429, False), (503, False)]
)
def test_whatever_the_provider_answers_a_message_arrives_once(
    front: FrontDesk,
    outbox: Outbox,
    providers: dict[Channel, Sender],
    channel: str,
    address: dict[str, str],
    status: int,
    taken: bool,
) -> None:
    outbox.fail(channel, status, taken=taken)
    visit = front.books(front.customer(**address))
    front.follow(Deliveries())

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert len(outbox.of(channel)) == 1
    assert front.told(visit) == [("confirmation", channel, "sent", None)]


def test_a_push_whose_fate_nobody_knows_is_parked_and_not_sent_again(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    outbox.fail("push", 0, taken=True)
    visit = front.books(front.customer(**PUSH))
    front.follow(Deliveries())

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert len(outbox.of("push")) == 1
    assert front.told(visit) == [("confirmation", "push", "unknown", "firebase_cannot_be_asked")]


def test_a_number_that_is_none_fails_for_good(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = front.books(front.customer(phone="call me"))
    front.follow(Deliveries())

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert front.told(visit) == [("confirmation", "sms", "failed", "twilio_21211")]


class Killed(Exception):  # noqa: N818
    """The process ends here."""


class DiesAfterSending(PostgresLedger):
    def sent(self, delivery: Delivery, provider_id: str) -> None:  # noqa: ARG002  the ledger's own
        raise Killed


class DiesBeforeSending:
    """A provider that is never reached."""

    channel = Channel.EMAIL
    conclusive_after = timedelta()

    def send(self, message: Message) -> Accepted:  # noqa: ARG002  the port's own
        raise Killed


def killed(dispatcher: Dispatcher) -> None:
    def works() -> None:
        while dispatcher.step():
            dispatcher.drain()

    with pytest.raises(Killed):
        works()


def test_a_notifier_that_dies_after_the_provider_took_a_message_leaves_it_to_be_found(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    with notifier(front, providers, ledger=DiesAfterSending(front.pool)) as doomed:
        killed(doomed)
    assert front.told(visit) == [("confirmation", "email", "in_doubt", None)]

    with notifier(front, providers) as successor:
        work_off(front, successor)

    assert front.told(visit) == [("confirmation", "email", "sent", None)]
    assert len(outbox.messages) == 1


def test_a_notifier_that_dies_before_it_reaches_the_provider_has_its_message_sent_by_the_next(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    with notifier(front, {Channel.EMAIL: DiesBeforeSending()}) as doomed:  # type: ignore[dict-item]
        killed(doomed)
    assert front.told(visit) == [("confirmation", "email", "in_doubt", None)]

    with notifier(front, providers) as successor:
        work_off(front, successor)

    assert front.told(visit) == [("confirmation", "email", "sent", None)]
    assert len(outbox.messages) == 1


def test_what_was_given_up_for_dead_cannot_overwrite_what_was_found_out_since(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    ledger = PostgresLedger(front.pool)
    with notifier(front, providers) as dispatcher:
        dispatcher.fan_out()
        with ledger.take(1) as taken:
            [first] = taken.doubt(taken.deliveries)
        ledger.again(first, "not_taken", timedelta())
        with ledger.take(1) as taken:
            [second] = taken.doubt(taken.deliveries)

        ledger.failed(first, "too late to say so")
        ledger.sent(second, "its id")
        ledger.ask_later(second, "no answer", timedelta())  # its sender, slower than who found it

    with front.pool.connection() as connection:
        row = connection.execute("SELECT state, reason, provider_id, attempts FROM deliveries.delivery").fetchone()
    assert row == ("sent", None, "its id", 2)


def test_racing_notifiers_and_failing_providers_lose_nothing_and_double_nothing(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    customers = [front.customer(email=f"{n}@example.com", phone=f"+55279{n:08}", push_token=f"d{n}") for n in range(40)]
    visits = [front.books(customer, n) for n, customer in enumerate(customers)]
    front.follow(Deliveries())
    for channel in ("email", "sms", "push"):
        for status, taken in ((0, True), (503, False), (429, False), (500, True), (0, False)):
            outbox.fail(channel, status, taken=taken, times=2)

    def one_process() -> None:
        with notifier(front, providers) as dispatcher:
            work_off(front, dispatcher, within_s=60)

    with ThreadPoolExecutor(3) as processes:
        for run in [processes.submit(one_process) for _ in range(3)]:
            run.result()

    states = Counter((channel, status) for visit in visits for _, channel, status, _ in front.told(visit))
    arrived = Counter((message.channel, message.to) for message in outbox.messages)
    assert max(arrived.values()) == 1  # none doubled
    assert states["email", "sent"] == states["sms", "sent"] == 40  # none lost
    assert states["push", "sent"] + states["push", "unknown"] == 40
    assert states["push", "unknown"] == 6  # each in doubt is reported: two kinds of silence and error 500, twice each
