"""What was parked gets its next try when somebody says so, once; what may have been sent only when told twice."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import psycopg

from application.delivering import RETRY_AFTER
from application.notifying import Channel
from application.providers import Sender
from infra.provider_fake import Outbox
from projections.deliveries import Deliveries
from projections.redriving import parked, redrive
from tests.projections.front_desk import EMAIL, PUSH, FrontDesk, notifier, work_off
from tests.projections.webhook_scene import Scene
from tests.receiver import Receiver


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


def test_a_webhook_that_was_given_up_is_delivered_under_the_same_id(webhooks: Scene, receiver: Receiver) -> None:
    webhook = webhooks.endpoint(receiver.url, "appointment.*")  # given
    webhooks.front.books(webhooks.front.customer())
    receiver.answers.extend([500] * (1 + len(RETRY_AFTER)))
    webhooks.tell()
    for wait in RETRY_AFTER:
        webhooks.later(wait)
        webhooks.work()
    assert webhooks.statuses(webhook) == [("failed", "answered_500")]

    with psycopg.connect(webhooks.front.url) as connection:  # when
        [one] = parked(connection)
        assert (one.kind, one.state, one.disabled) == ("webhook", "failed", False)
        assert redrive(connection, one, twice_allowed=False)
        assert not redrive(connection, one, twice_allowed=False)
    webhooks.later(timedelta(days=1))  # the endpoint's rest is over
    webhooks.work()

    assert webhooks.statuses(webhook) == [("delivered", None)]  # then
    assert len(receiver.got) == 2 + len(RETRY_AFTER)


def test_the_command_lists_and_acts_with_a_reason_only(
    front: FrontDesk, outbox: Outbox, providers: dict[Channel, Sender]
) -> None:
    outbox.fail("push", 0, taken=True)
    front.books(front.customer(**PUSH))
    front.follow(Deliveries())
    with notifier(front, providers) as dispatcher:
        work_off(front, dispatcher)

    [listed] = json.loads(_said(front, "--json", code=0))["parked"]
    assert (listed["kind"], listed["state"]) == ("message", "unknown")
    assert "--reason" in _said(front, "--message", listed["id"], code=2)
    assert "--may-be-sent-twice" in _said(front, "--message", listed["id"], "--reason", "asked for", code=1)
    assert "due again: 1" in _said(
        front, "--all", "--may-be-sent-twice", "--reason", "the provider has lost it", code=0
    )
    assert json.loads(_said(front, "--json", code=0)) == {"parked": []}
    assert "due again: 0" in _said(front, "--all", "--reason", "there is nothing left", code=0)
    assert "due again: 0" in _said(front, "--message", listed["id"], "--reason", "once more", code=1)


def _said(front: FrontDesk, *arguments: str, code: int) -> str:
    """By the very program, in the role that it has."""
    environment = {"PATH": os.environ["PATH"], "DAYBOOK_ENVIRONMENT": "test", "DAYBOOK_DATABASE_URL": front.url}
    argv = (sys.executable, "-m", "infra.cli", "redrive", *arguments)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if "--json" in arguments else done.stdout + done.stderr
