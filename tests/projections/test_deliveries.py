"""What a customer is told, over which channels, and what not: on a real ledger, through the real SDKs."""

from datetime import timedelta

import psycopg

from application import visits
from application.notifying import MESSAGE_AGE_MAX, Channel
from application.providers import Sender
from infra.provider_fake import Outbox
from projections.arriving import runs
from projections.deliveries import Deliveries
from tests.projections.front_desk import EMAIL, PHONE, PUSH, FrontDesk, fed, follower, notifier, work_off


def test_a_booking_is_confirmed_once_over_every_channel_by_which_the_customer_can_be_reached(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = front.books(front.customer(**EMAIL, **PHONE, **PUSH))
    front.follow(Deliveries())

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert front.told(visit) == [
        ("confirmation", "email", "sent", None),
        ("confirmation", "push", "sent", None),
        ("confirmation", "sms", "sent", None),
    ]
    assert sorted(message.channel for message in outbox.messages) == ["email", "push", "sms"]
    assert {n.provider_id for n in front.notifications(visit)} == {message.id for message in outbox.messages}
    [mail] = outbox.of("email")
    assert mail.subject == "Confirmed: Visit, Monday, November 23, 2026 at 6:00 AM"  # nine in the room's zone, not UTC
    assert "Ana Souza" in mail.text
    assert "Clinic" in (mail.html or "")


def test_who_left_no_address_is_not_written_to(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = front.books(front.customer())
    front.follow(Deliveries())

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert front.told(visit) == []
    assert not outbox.messages


def test_facts_that_arrive_twice_rewound_or_to_a_new_follower_are_told_once(
    front: FrontDesk, postgres_url: str, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = front.books(front.customer(**EMAIL))
    front.moves(visit, 2)
    deliveries = fed(front.record())

    for _ in range(2):
        outlet = follower(postgres_url, Deliveries())
        outlet.refill((), after=0, complete=True)
        for arriving in (deliveries[:-1], deliveries, deliveries[-3:], deliveries):
            outlet.deliver(runs(arriving))
        outlet.close()  # killed
        with notifier(front, providers) as dispatcher:
            work_off(front, dispatcher)

    assert [message.subject.partition(":")[0] for message in outbox.messages] == ["Changed"]
    assert front.told(visit) == [
        ("confirmation", "email", "skipped", "moved_since"),
        ("change", "email", "sent", None),
    ]


def test_a_ledger_whose_checkpoint_was_lost_still_tells_once(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    """The unique key is the second line: should a notice come again after all, its delivery is there already."""
    front.books(front.customer(**EMAIL))
    for _ in range(2):
        with front.pool.connection() as connection:
            connection.execute("UPDATE deliveries.checkpoint SET position = 0")
        front.follow(Deliveries())
        with notifier(front, providers) as dispatcher:
            work_off(front, dispatcher)

    assert len(outbox.messages) == 1


def test_no_confirmation_is_sent_of_what_was_cancelled_before(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        dispatcher.fan_out()
        front.cancels(visit)
        front.record()  # in the journal, but the follower has not heard of it yet

        work_off(front, dispatcher)
        assert not outbox.messages

        front.follow(Deliveries())
        work_off(front, dispatcher)

    assert front.told(visit) == [
        ("confirmation", "email", "skipped", "cancelled_since"),
        ("cancellation", "email", "sent", None),
    ]
    assert [message.subject.partition(":")[0] for message in outbox.messages] == ["Cancelled"]


def test_a_change_says_what_the_time_was(front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]) -> None:
    visit = front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)
        front.moves(visit, 3)
        front.follow(Deliveries())
        work_off(front, dispatcher)

    assert "Was:   Monday, November 23, 2026, 6:00 AM" in outbox.of("email")[-1].text
    assert "9:00 AM–10:00 AM" in outbox.of("email")[-1].text


def test_a_hold_is_silent_until_it_is_confirmed(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    given_up = front.books(front.customer(**EMAIL), hold_min=30)
    kept = front.books(front.customer(**EMAIL), 2, hold_min=30)
    front.cancels(given_up)
    front.desk.do(visits.confirm, visits.Confirm(appointment_id=kept.id))
    front.follow(Deliveries())

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert front.told(given_up) == []
    assert front.told(kept) == [("confirmation", "email", "sent", None)]


def test_old_news_are_not_sent(front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]) -> None:
    visit = front.books(front.customer(**EMAIL), 24 * 7)
    front.follow(Deliveries())
    front.desk.now += MESSAGE_AGE_MAX + timedelta(seconds=1)

    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert front.told(visit) == [("confirmation", "email", "skipped", "too_old")]
    assert not outbox.messages


def test_a_channel_without_a_provider_is_skipped_and_says_so(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = front.books(front.customer(**EMAIL, **PHONE))
    front.follow(Deliveries())

    with notifier(front, {Channel.EMAIL: providers[Channel.EMAIL]}) as dispatcher:
        work_off(front, dispatcher)

    assert front.told(visit) == [
        ("confirmation", "email", "sent", None),
        ("confirmation", "sms", "skipped", "no_provider"),
    ]


def test_who_is_erased_before_the_message_is_sent_is_not_written_to(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    customer = front.customer(**EMAIL)
    visit = front.books(customer)
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        dispatcher.fan_out()
        front.erase(customer)
        work_off(front, dispatcher)

    assert front.told(visit) == [("confirmation", "email", "skipped", "unreachable")]
    assert not outbox.messages


def test_the_ledger_holds_no_personal_data(front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]) -> None:
    outbox.fail("sms", 400)
    front.books(front.customer(**EMAIL, **PHONE, **PUSH))
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    with psycopg.connect(front.url) as connection:
        rows = str(connection.execute("SELECT to_jsonb(delivery) FROM deliveries.delivery").fetchall())
    assert len(outbox.messages) == 2
    assert not any(personal in rows for personal in ("Ana", "ana@", "example.com", "27999990000", "device"))


def test_another_organization_sees_none_of_the_messages(
    front: FrontDesk, stranger: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    visit = front.books(front.customer(**EMAIL))
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    assert stranger.notifications(visit) == []
