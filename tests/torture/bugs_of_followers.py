"""Bugs in what carries facts and follows them: relay, projectors, notifier, the process that signs."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import application.news
import projections.availability
import projections.following
from adapters import proof_tree
from adapters.kafka_feed import KafkaFeed
from adapters.sendgrid_email import SendGridEmail
from application.dispatching import Dispatcher
from application.feed import Delivery
from application.journal import Recorded
from application.providers import Accepted, Message, Refused, Unclear
from application.relaying import Relay
from domain.appointment import AppointmentCancelled, AppointmentRescheduled, evolve
from domain.merkle import leaf_hash
from domain.resource_day import ClaimReleased
from projections import calendar_batch
from projections.applying import Outlet, Work
from projections.arriving import runs
from tests.torture.bugs import NOTIFY, PROJECT, RELAY, Bug, often, replaced

_RESUME, _PUBLISH, _MOVED, _POLL = Relay.resume, Relay._publish, Outlet._moved, KafkaFeed.poll
_SEND, _EVOLVE, _CLAIMED = Dispatcher._send, evolve, projections.availability._claimed
_LEAF, _SENDGRID = leaf_hash, SendGridEmail.send


def _from_the_head() -> None:
    def resume(relay: Relay) -> None:
        _RESUME(relay)
        relay.position = relay._reader.head()

    replaced(Relay, "resume", resume)


def _all_but_one() -> None:
    due = often(10)

    def publish(relay: Relay, deliveries: list[Delivery]) -> None:
        _PUBLISH(relay, deliveries[:-1] if len(deliveries) > 1 and due() else deliveries)

    replaced(Relay, "_publish", publish)


def _without_previous() -> None:
    def publish(relay: Relay, deliveries: list[Delivery]) -> None:
        _PUBLISH(relay, [replace(one, previous=max(0, one.previous - 1)) for one in deliveries])

    replaced(Relay, "_publish", publish)


def _the_other_way_round() -> None:
    def publish(relay: Relay, deliveries: list[Delivery]) -> None:
        _PUBLISH(relay, deliveries[::-1])

    replaced(Relay, "_publish", publish)


def _gap_unnoticed() -> None:
    """And now and then a message is lost on its way, which the check is there to survive."""
    due = often(15)

    def poll(feed: KafkaFeed, timeout_s: float) -> Sequence[Delivery]:
        return [one for one in _POLL(feed, timeout_s) if not due()]

    replaced(KafkaFeed, "poll", poll)
    replaced(projections.following, "runs", lambda arrived: [replace(run, previous=0) for run in runs(arrived)])


def _checkpoint_first() -> None:
    """And now and then the process dies in between."""
    due = often(12)

    def commit(outlet: Outlet, work: Work) -> None:
        assert outlet._connection
        with outlet._connection.transaction(), outlet._connection.cursor() as cursor:
            fresh, positions = outlet._moved(cursor, work)
        if due():
            os._exit(1)
        with outlet._connection.transaction(), outlet._connection.cursor() as cursor:
            outlet._sink.project([one for one in fresh if one.fact.TOPIC not in outlet._others], cursor)
        outlet._note(positions, len(fresh), fresh)

    replaced(Outlet, "_commit", commit)


def _a_move_is_missed() -> None:
    def evolve(before: Any, fact: Any) -> Any:
        return before if isinstance(fact, AppointmentRescheduled) else _EVOLVE(before, fact)

    replaced(calendar_batch, "evolve_visit", evolve)


def _a_release_is_missed() -> None:
    def claimed(recorded: Recorded, fact: Any, rows: Any) -> Any:
        return None if isinstance(fact, ClaimReleased) else _CLAIMED(recorded, fact, rows)

    replaced(projections.availability, "_claimed", claimed)


def _sent_again() -> None:
    def send(sender: SendGridEmail, message: Message) -> Accepted | Refused | Unclear:
        told = _SENDGRID(sender, message)
        return _SENDGRID(sender, message) if isinstance(told, Unclear) else told

    replaced(SendGridEmail, "send", send)


def _noted_before_it_is_sent() -> None:
    """And now and then it comes to nothing in between, as in a crash."""
    due = often(4)

    def send(dispatcher: Dispatcher, delivery: Any, message: Message) -> None:
        dispatcher.ledger.sent(delivery, "none yet")
        if not due():
            _SEND(dispatcher, delivery, message)

    replaced(Dispatcher, "_send", send)


def _sent_before_it_is_noted() -> None:
    """And now and then the process dies in between."""
    due = often(4)

    def dispatch(dispatcher: Dispatcher) -> bool:
        with dispatcher.ledger.take(8) as taken:
            ready = dispatcher._judge(taken) if taken.deliveries else []
            for delivery, message in ready:
                dispatcher.senders[delivery.channel].send(message)
            if ready and due():
                os._exit(1)
            doubted = taken.doubt([delivery for delivery, _ in ready])
        for delivery in doubted:
            dispatcher.ledger.sent(delivery, "taken")
        return bool(ready)

    replaced(Dispatcher, "dispatch", dispatch)


def _cancellations_are_no_news() -> None:
    silent = {key: its for key, its in application.news._OF_CHANGE.items() if key[0] is not AppointmentCancelled}
    replaced(application.news, "_OF_CHANGE", silent)


def _a_leaf_without_its_state() -> None:
    replaced(
        proof_tree,
        "leaf_hash",
        lambda position, stream, version, topic, _: _LEAF(position, stream, version, topic, b""),
    )


OF_FOLLOWERS = {
    "the relay begins at the head": Bug(
        "what came while no relay led is not published", [RELAY], _from_the_head, faults=[("kill", RELAY)]
    ),
    "the relay leaves one out": Bug("now and then the last of a batch is not published", [RELAY], _all_but_one),
    "a wrong previous position": Bug("messages name another before them", [RELAY], _without_previous),
    "the topic out of order": Bug("a batch is published from its end", [RELAY], _the_other_way_round),
    "a gap is not noticed": Bug("the previous position is not looked at", [PROJECT], _gap_unnoticed, seconds=12.0),
    "the checkpoint first": Bug("the position is moved before rows are written", [PROJECT], _checkpoint_first),
    "moves are not projected": Bug("a calendar keeps what was moved", [PROJECT], _a_move_is_missed),
    "releases are not projected": Bug("slots stay taken that are free", [PROJECT], _a_release_is_missed),
    "in doubt and sent again": Bug(
        "a message whose answer is lost is sent again at once",
        [NOTIFY],
        _sent_again,
        faults=[("lose_provider_answer", ""), ("lose_provider_answer", "")],
        seconds=15.0,
    ),
    "noted before it is sent": Bug(
        "a message counts as sent before it is", [NOTIFY], _noted_before_it_is_sent, seconds=15.0
    ),
    "sent before it is noted": Bug(
        "a message is sent before that is durable", [NOTIFY], _sent_before_it_is_noted, seconds=15.0
    ),
    "cancellations are no news": Bug("nobody is told of a cancellation", [NOTIFY], _cancellations_are_no_news),
    "leaves without their state": Bug("what is signed is not the fact", ["checkpoint"], _a_leaf_without_its_state),
}
