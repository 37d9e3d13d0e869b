"""Endpoints that fail, are away for days, or are gone: tried again, rested, given up, disabled."""

from datetime import timedelta

from application.delivering import FAILING_MAX, RETRY_AFTER
from application.webhooks import ChangeWebhook, change_webhook
from domain.webhook import Cause
from projections.webhook_ledger import LEASE
from tests.projections.webhook_scene import Scene, told
from tests.receiver import Receiver


def test_what_fails_is_sent_again_later_under_the_same_id_with_the_same_bytes(
    webhooks: Scene, receiver: Receiver
) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    webhooks.front.books(webhooks.front.customer())
    receiver.answers.extend([503, 302])
    webhooks.tell()
    assert webhooks.statuses(webhook) == [("pending", "answered_503")]

    webhooks.work()
    assert len(receiver.got) == 1  # not at once
    for wait in RETRY_AFTER[:2]:
        webhooks.later(wait)
        webhooks.work()

    assert [(one.status, one.attempts) for one in webhooks.deliveries(webhook)] == [("delivered", 3)]
    assert len({got.id for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1
    for got in receiver.got:
        got.verified(webhooks.secrets[webhook])


def test_a_process_that_dies_with_a_delivery_leaves_it_to_the_next(webhooks: Scene, receiver: Receiver) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    webhooks.front.books(webhooks.front.customer())
    webhooks.tell()
    # Delivered, but nobody has lived to note it.
    webhooks.rows(
        "UPDATE webhooks.delivery SET state = 'pending', due_at = now() + %(lease)s RETURNING id", lease=LEASE
    )

    webhooks.work()
    assert len(receiver.got) == 1
    webhooks.later(LEASE)
    webhooks.work()

    assert len(receiver.got) == 2
    assert len({got.id for got in receiver.got}) == 1
    assert webhooks.statuses(webhook) == [("delivered", None)]


def test_an_endpoint_that_is_away_holds_up_no_other(
    webhooks: Scene, receiver: Receiver, other_receiver: Receiver
) -> None:
    receiver.answers.extend([500] * 100)
    failing = webhooks.endpoint(receiver.url)
    webhooks.endpoint(other_receiver.url, "appointment.*")
    visits = [webhooks.front.books(webhooks.front.customer(), hours) for hours in range(0, 40, 2)]
    webhooks.tell()

    assert len(told(other_receiver)) == len(visits)
    # And it rests itself: of all that is due to it only a few were tried.
    assert len(receiver.got) < 10 < len(webhooks.deliveries(failing))


def test_after_hours_of_trying_a_delivery_is_given_up(webhooks: Scene, receiver: Receiver) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    webhooks.front.books(webhooks.front.customer())
    receiver.answers.extend([500] * 100)
    webhooks.tell()
    for wait in RETRY_AFTER:
        webhooks.later(wait)
        webhooks.work()

    assert webhooks.statuses(webhook) == [("failed", "answered_500")]
    assert len(receiver.got) == 1 + len(RETRY_AFTER)
    assert sum(RETRY_AFTER, timedelta()) > FAILING_MAX


def test_an_endpoint_that_fails_for_days_is_disabled_with_a_fact_and_can_be_enabled(
    webhooks: Scene, receiver: Receiver
) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    webhooks.front.books(webhooks.front.customer())
    webhooks.front.books(webhooks.front.customer(), 2)
    receiver.answers.extend([500] * 3)
    webhooks.tell()
    assert webhooks.webhook(webhook).disabled is None
    webhooks.later(FAILING_MAX)
    webhooks.work()

    assert webhooks.webhook(webhook).disabled is Cause.FAILING
    webhooks.tell()
    assert webhooks.statuses(webhook) == [("dropped", "disabled"), ("dropped", "disabled")]

    enable = ChangeWebhook(
        webhook_id=webhook, url=receiver.url, topics=("appointment.*",), enabled=True, loopback_allowed=True
    )
    webhooks.front.desk.do(change_webhook, enable, webhooks.front.desk.owner)
    receiver.answers.clear()
    receiver.got.clear()
    webhooks.front.books(webhooks.front.customer(), 4)
    webhooks.tell()
    assert told(receiver) == ["appointment.booked.v1"]


def test_an_endpoint_that_says_it_is_gone_is_disabled_at_once(webhooks: Scene, receiver: Receiver) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    webhooks.front.books(webhooks.front.customer())
    receiver.answers.append(410)
    webhooks.tell()

    assert webhooks.webhook(webhook).disabled is Cause.GONE


def test_one_success_ends_a_series_of_failures(webhooks: Scene, receiver: Receiver) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    webhooks.front.books(webhooks.front.customer())
    receiver.answers.extend([500, 200, 500])
    webhooks.tell()
    webhooks.later(FAILING_MAX - timedelta(hours=1))
    webhooks.work()
    webhooks.front.books(webhooks.front.customer(), 2)
    webhooks.tell()
    webhooks.later(timedelta(hours=2))
    webhooks.work()

    assert webhooks.webhook(webhook).disabled is None
    assert webhooks.statuses(webhook) == [("delivered", None), ("delivered", None)]
