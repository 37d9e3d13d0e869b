"""The judge says nothing of a good history, and names what is wrong with each bad one."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.torture import judging, judging_followers, verdicts
from tests.torture.evidence import PROOFS, VERIFY, Evidence
from tests.torture.history import FAIL, UNKNOWN, Call, Frame
from tests.torture.made_up import (
    ADDRESSED,
    LATER,
    NINE,
    OTHER,
    SERVICE,
    SOON,
    TEN,
    Journal,
    a_day,
    call,
    delivery,
    evidence,
    frame,
    of_visit,
    one,
    read,
    refused,
    slots,
    told,
    two,
)
from tests.torture.timeline import Verdict


def test_a_good_history_is_not_complained_of() -> None:
    found = {verdict.promise: verdict.violations for verdict in verdicts.judge(a_day())}
    assert not any(found.values()), found


LOST = call("a", 10, 20, None, outcome=UNKNOWN, returned_ns=None)
BOOKED_FIRST = call("a", 10, 20, 2)


@pytest.mark.parametrize(
    ("journal", "calls"),
    [
        (one(), [BOOKED_FIRST, call("b", 30, 40, 4)]),  # acknowledged and missing
        (one(), [refused("a", 10, 20)]),  # refused and done
        (one(), [call("a", 10, 20, 2, answer=told(id=OTHER))]),
        (one(), [call("a", 10, 20, 2, answer=told(start=TEN))]),
        (one(), [call("a", 10, 20, 2, answer=told(resource_ids=[OTHER]))]),
        (Journal().begun("a", start=TEN), [call("a", 10, 20, 2, answer=told(start=TEN))]),  # as told, not as asked
        (Journal().begun("a", until=LATER), [call("a", 10, 20, 2)]),  # booked, they said
        (  # moved, and not to where they said
            one().moved("m", NINE),
            [call("m", 10, 20, 4, kind="reschedule", arguments=of_visit(start=TEN), answer=told(version=2, start=TEN))],
        ),
        (  # though another version was asked for
            one().moved("m", TEN).cancelled("x"),
            [
                call(
                    "x",
                    10,
                    20,
                    6,
                    kind="cancel",
                    arguments=of_visit(if_match='"v1"'),
                    answer=told(version=3, status="cancelled", start=TEN),
                )
            ],
        ),
        (  # cancelled, they said
            one().moved("x", TEN),
            [call("x", 10, 20, 4, kind="cancel", arguments=of_visit(), answer=told(version=2, status="cancelled"))],
        ),
    ],
)
def test_what_was_acknowledged_and_is_otherwise_is_found(journal: Journal, calls: list[Call]) -> None:
    assert judging.kept(evidence(journal, calls)).violations


@pytest.mark.parametrize(
    ("journal", "calls"),
    [
        (one(), [refused("b", 1, 5), BOOKED_FIRST]),  # before it was taken
        (  # for the sake of a hold that was over
            Journal().begun("a", until=SOON),
            [BOOKED_FIRST, refused("b", 30, 40, invoked_at=LATER.isoformat())],
        ),
        (  # for the sake of its own claim
            one(),
            [BOOKED_FIRST, refused("m", 30, 40, kind="reschedule", arguments=of_visit(start=NINE))],
        ),
        (one(), [BOOKED_FIRST, refused("x", 30, 40, "not-found", kind="confirm", arguments=of_visit())]),
        (one(), [BOOKED_FIRST, refused("x", 30, 40, "not-in-that-state", kind="cancel", arguments=of_visit())]),
        (one(), [BOOKED_FIRST, refused("x", 30, 40, "stale-version", kind="cancel", arguments=of_visit())]),
        (
            one(),
            [BOOKED_FIRST, refused("x", 30, 40, "stale-version", kind="cancel", arguments=of_visit(if_match='"v1"'))],
        ),
        (
            Journal().begun("a", until=LATER),
            [BOOKED_FIRST, refused("c", 30, 40, "hold-lapsed", kind="confirm", arguments=of_visit())],
        ),
        (one(), [refused("e", 1, 5, "customer-elsewhere"), BOOKED_FIRST]),
        (one(), [refused("b", 1, 5, "outside-working-hours")]),
    ],
)
def test_a_refusal_that_nothing_accounts_for_is_found(journal: Journal, calls: list[Call]) -> None:
    assert judging.refusals_justified(evidence(journal, calls)).violations


def test_a_refusal_for_the_sake_of_a_hold_that_stands_is_justified() -> None:
    held = evidence(Journal().begun("a", until=LATER), [BOOKED_FIRST, refused("b", 30, 40)])
    assert not judging.refusals_justified(held).violations


def test_a_refusal_after_an_attempt_of_unknown_fate_may_be_followed_by_its_success() -> None:
    assert not judging.kept(evidence(one(), [LOST, refused("a", 30, 40)])).violations


@pytest.mark.parametrize(
    ("check", "journal", "calls"),
    [
        (judging.no_double_booking, two(), []),
        (judging.in_order, Journal().begun("b").begun("a", OTHER), [call("a", 10, 20, 4), call("b", 30, 40, 2)]),
        (judging.one_answer_per_key, one(), [BOOKED_FIRST, call("a", 30, 40, 2, answer={})]),
        (judging.one_answer_per_key, one().begun("a", OTHER), [LOST, call("a", 30, 40, 4)]),
        (judging.one_answer_per_key, one(), [call("a", 30, 40, 2, kind="misuse")]),  # another body, not refused
        (judging.reads_are_fresh, one(), [read(2, told(version=1))]),
        (judging.reads_are_fresh, one(), [read(1, told(start=TEN))]),
        (judging.reads_are_fresh, one(), [read(1, {"type": "/problems/not-found"}, outcome=FAIL, status=404)]),
        (judging.reads_are_fresh, two(start=TEN), [slots(NINE)]),  # taken, and told free
        (judging.reads_are_fresh, one().cancelled("x"), [slots(TEN)]),  # free, and told taken
        (judging.reads_are_fresh, two(start=TEN), [slots(position=2)]),
    ],
)
def test_what_breaks_a_promise_is_found(
    check: Callable[[Evidence], Verdict], journal: Journal, calls: list[Call]
) -> None:
    assert check(evidence(journal, calls)).violations


@pytest.mark.parametrize(
    "frames",
    [
        [frame(4, id=OTHER)],  # missed the first
        [frame(2), frame(2), frame(4, id=OTHER)],
        [frame(4, id=OTHER), frame(2)],
        [frame(2), frame(4, id=OTHER, start=TEN)],
        [frame(2, removed=True), frame(4, id=OTHER)],
        [frame(2), frame(3), frame(4, id=OTHER)],  # of nothing that happened
    ],
)
def test_a_socket_that_missed_doubled_disordered_or_made_up_something_is_found(frames: list[Frame]) -> None:
    assert judging_followers.sockets_complete(evidence(two(), [], frames)).violations


@pytest.mark.parametrize("found", [(1, {"facts": 2}), (0, {"facts": 1})])
def test_a_fact_that_is_not_as_it_was_signed_or_under_no_signature_is_found(found: tuple[int, object]) -> None:
    forged = evidence(one())
    forged.jobs[PROOFS] = found
    assert judging_followers.signed_as_it_is(forged).violations


def test_what_verify_finds_is_told() -> None:
    faulty = evidence(one())
    faulty.jobs[VERIFY] = 1, {"faults": ["sold twice"]}
    assert judging_followers.verified(faulty).violations


def test_a_read_model_that_is_not_what_a_replay_makes_is_found() -> None:
    drifted = evidence(one())
    drifted.jobs["replay"] = 1, {"differs": ["appointments"]}
    assert judging_followers.replay_equal(drifted).violations


@pytest.mark.parametrize("free", [[NINE], []])
def test_a_start_that_is_told_free_or_taken_wrongly_in_the_end_is_found(free: list[str]) -> None:
    wrong = evidence(one())
    wrong.slots["http://a " + SERVICE] = free
    assert judging_followers.free_slots_right(wrong).violations


def test_a_topic_with_a_gap_or_without_its_beginning_its_end_or_an_organization_is_found() -> None:
    for lost in ([1], [0], [0, 1], [3], [0, 1, 2, 3]):
        gapped = evidence(two())
        gapped.topic[:] = [message for at, message in enumerate(gapped.topic) if at not in lost]
        assert judging_followers.relay_misses_nothing(gapped).violations, lost


def test_of_a_broker_that_was_wiped_only_what_came_since_has_to_be_there() -> None:
    wiped = evidence(two())
    del wiped.topic[:2]
    wiped.wiped_at = 2
    assert not judging_followers.relay_misses_nothing(wiped).violations
    del wiped.topic[0]
    assert judging_followers.relay_misses_nothing(wiped).violations


@pytest.mark.parametrize(
    ("deliveries", "outbox"),
    [
        ([], []),  # nobody was told
        ([delivery("d", 2)], ["d"]),  # nor of the cancellation
        ([delivery("d", 2), delivery("x", 4)], ["d"]),  # sent, and not there
        ([delivery("d", 2), delivery("x", 4)], ["d", "x", "x"]),
        ([delivery("d", 2), delivery("x", 4)], ["d", "x", "y"]),  # one that nobody knows of
        ([delivery("d", 2), delivery("x", 4), delivery("y", 4)], ["d", "x", "y"]),  # told twice
    ],
)
def test_messages_that_are_missing_doubled_or_unknown_are_found(
    deliveries: list[dict[str, Any]], outbox: list[str]
) -> None:
    told_so = evidence(Journal().begun("a", customer=ADDRESSED).cancelled("x"))
    told_so.deliveries[:] = deliveries
    told_so.outbox[:] = [{"delivery_id": one} for one in outbox]
    assert judging_followers.messages_once(told_so).violations
