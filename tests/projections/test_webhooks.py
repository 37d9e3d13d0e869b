"""Facts reach the endpoints that want them: at least once, under one id, signed, and nobody else's."""

import json
from datetime import timedelta
from uuid import UUID

import psycopg

from application.delivering import AGE_MAX
from application.webhooks import RemoveWebhook, RequestTest, remove_webhook, request_test
from projections.arriving import runs
from projections.webhooks import Webhooks
from tests.projections.front_desk import EMAIL, FrontDesk, fed, follower
from tests.projections.webhook_scene import Scene, told
from tests.receiver import Receiver

DAY = timedelta(days=1)


def test_a_fact_is_delivered_as_the_audit_log_shows_it_and_without_personal_data(
    webhooks: Scene, receiver: Receiver
) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.booked.v1")
    customer = webhooks.front.customer(**EMAIL)
    visit = webhooks.front.books(customer)
    webhooks.tell()

    [got] = receiver.got
    [fact] = [one for one in webhooks.front.recorded if one.stream_id == visit.id]
    said = got.verified(webhooks.secrets[webhook])
    assert said["type"] == "appointment.booked.v1"
    assert said["data"].pop("data")["customer_id"] == str(customer)
    assert said["data"] == {
        "position": fact.position,
        "stream_id": str(visit.id),
        "version": 1,
        "topic": "appointment.booked.v1",
        "at": said["timestamp"],
        "actor_id": str(webhooks.front.desk.staff.account_id),
    }
    assert not any(personal in got.body.decode() for personal in ("Ana", "ana@", "example.com"))
    assert [(one.status, one.response_status, one.attempts) for one in webhooks.deliveries(webhook)] == [
        ("delivered", 200, 1)
    ]


def test_an_endpoint_hears_of_its_topics_and_never_of_webhooks(
    webhooks: Scene, receiver: Receiver, other_receiver: Receiver
) -> None:
    webhooks.endpoint(receiver.url, "appointment.*")
    webhooks.endpoint(other_receiver.url)
    visit = webhooks.front.books(webhooks.front.customer())
    webhooks.front.cancels(visit)
    webhooks.tell()

    assert told(receiver) == ["appointment.booked.v1", "appointment.cancelled.v1"]
    assert {"customer.registered.v1", "resource_day.slot_claimed.v1"} <= set(told(other_receiver))
    assert not [topic for topic in told(other_receiver) if topic.startswith("webhook")]


def test_facts_of_before_it_was_added_and_of_another_organization_are_not_delivered(
    webhooks: Scene, stranger: FrontDesk, receiver: Receiver, other_receiver: Receiver
) -> None:
    elsewhere = Scene(stranger)
    webhooks.front.books(webhooks.front.customer())
    webhooks.endpoint(receiver.url, "appointment.*")
    elsewhere.endpoint(other_receiver.url, "appointment.*")
    strangers = stranger.books(stranger.customer())
    webhooks.front.record()
    elsewhere.tell()

    webhooks.front.follow(Webhooks())
    webhooks.work()

    assert told(receiver) == []
    assert [json.loads(got.body)["data"]["stream_id"] for got in other_receiver.got] == [str(strangers.id)]


def test_facts_that_arrive_twice_or_rewound_are_delivered_once(
    webhooks: Scene, postgres_url: str, receiver: Receiver
) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    visit = webhooks.front.books(webhooks.front.customer())
    webhooks.front.cancels(visit)
    webhooks.front.record()
    arriving = fed(webhooks.front.recorded)

    for _ in range(2):
        outlet = follower(postgres_url, Webhooks())
        outlet.refill((), after=0, complete=True)
        for part in (arriving[:-1], arriving, arriving[-3:], arriving):
            outlet.deliver(runs(part))
        outlet.close()
        webhooks.work()
        with psycopg.connect(postgres_url) as connection:  # a checkpoint that was lost
            connection.execute("UPDATE webhooks.checkpoint SET position = 0")

    assert told(receiver) == ["appointment.booked.v1", "appointment.cancelled.v1"]
    assert webhooks.statuses(webhook) == [("delivered", None), ("delivered", None)]


def test_of_one_that_is_removed_nothing_is_left_to_deliver_or_to_sign_with(webhooks: Scene, receiver: Receiver) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    receiver.answers.append(500)
    webhooks.front.books(webhooks.front.customer())
    webhooks.tell()

    webhooks.front.desk.do(remove_webhook, RemoveWebhook(webhook_id=webhook), webhooks.front.desk.owner)
    webhooks.front.books(webhooks.front.customer(), 2)
    webhooks.tell()
    webhooks.later(DAY)
    webhooks.work()

    assert len(receiver.got) == 1
    assert webhooks.deliveries(webhook) == []
    assert webhooks.rows("SELECT * FROM webhooks.secret") == []


def test_a_test_reaches_the_endpoint_it_is_for_whatever_its_topics(
    webhooks: Scene, receiver: Receiver, other_receiver: Receiver
) -> None:
    tested = webhooks.endpoint(receiver.url, "series.*")
    webhooks.endpoint(other_receiver.url)
    webhooks.front.desk.do(request_test, RequestTest(webhook_id=tested), webhooks.front.desk.owner)
    webhooks.tell()

    assert told(receiver) == ["webhook.test_requested.v1"]
    assert "webhook.test_requested.v1" not in told(other_receiver)


def test_old_facts_are_not_delivered(webhooks: Scene, receiver: Receiver) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    webhooks.front.books(webhooks.front.customer(), 24 * 30)
    webhooks.front.record()
    webhooks.front.desk.now += AGE_MAX + timedelta(seconds=1)
    webhooks.tell()

    assert receiver.got == []
    assert webhooks.statuses(webhook) == [("dropped", "too_old")]


def test_a_secret_that_is_rotated_signs_beside_the_one_before_it(webhooks: Scene, receiver: Receiver) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")
    rotated = webhooks.secret(webhook, 2)
    webhooks.front.books(webhooks.front.customer())
    webhooks.tell()

    [got] = receiver.got
    assert rotated != webhooks.secrets[webhook]
    for secret in (rotated, webhooks.secrets[webhook]):
        got.verified(secret)


def test_secrets_are_sealed_where_they_are_kept(webhooks: Scene, receiver: Receiver) -> None:
    webhook: UUID = webhooks.endpoint(receiver.url)
    [row] = webhooks.rows("SELECT sealed, wrapped_key FROM webhooks.secret WHERE webhook_id = %(id)s", id=webhook)

    kept = bytes(row["sealed"]) + bytes(row["wrapped_key"])
    assert b"whsec_" not in kept
    assert webhooks.secrets[webhook].removeprefix("whsec_").encode() not in kept
