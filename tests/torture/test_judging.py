"""The judge says nothing of a good history, and names what is wrong with each bad one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

import pytest

from tests.torture import judging, judging_followers, verdicts
from tests.torture.evidence import PROOFS, Evidence, OnTopic, Stored
from tests.torture.history import FAIL, OK, UNKNOWN, Call, Connection, Frame, Histories
from tests.torture.world import Place, World

ACCOUNT, PAGE, VISIT = UUID(int=1), UUID(int=2), UUID(int=3)
ORG, ROOM, SERVICE, CUSTOMER = (str(UUID(int=n)) for n in (4, 5, 6, 7))
NINE = "2027-03-01T09:00:00Z"
AT = datetime(2027, 2, 1, tzinfo=UTC)
TOPIC = f"resource:{ROOM}:calendar"
WORLD = World(ORG, "", [Place(SERVICE, ROOM, 1, 1)], [CUSTOMER], [], "2027-03-01T09:00:00+00:00")


def booked(position: int, key: str, visit: UUID = VISIT) -> list[Stored]:
    """The facts of a booking, the last at ``position``."""
    command = uuid5(ACCOUNT, key)
    span = {"start": NINE, "end": "2027-03-01T10:00:00Z"}
    claim = {"resource_id": ROOM, "appointment_id": str(visit), "claim": span, "quantity": 1, "until": None}
    made = {
        "appointment_id": str(visit),
        "customer_id": CUSTOMER,
        "visit": span,
        "allotments": [{"resource_id": ROOM, "quantity": 1}],
    }
    return [
        Stored(position - 1, PAGE, position - 1, "resource_day.slot_claimed.v1", claim, ORG, command, AT),
        Stored(position, visit, 1, "appointment.booked.v1", made, ORG, command, AT),
    ]


def call(key: str, invoked: int, returned: int, position: int | None, **changed: object) -> Call:
    asked = {"service_id": SERVICE, "start": NINE, "customer_id": CUSTOMER}
    answer = {"id": str(VISIT), "start": NINE, "version": 1}
    made = Call(
        process=0,
        kind="book",
        key=key,
        arguments=asked,
        invoked_ns=invoked,
        returned_ns=returned,
        outcome=OK,
        status=201,
        answer=answer,
        position=position,
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def refused(key: str, invoked: int, returned: int) -> Call:
    answer = {"type": "/problems/slot-taken"}
    return call(key, invoked, returned, None, outcome=FAIL, status=409, answer=answer)


def evidence(facts: Sequence[Stored], calls: Sequence[Call], frames: Sequence[int] = ()) -> Evidence:
    told = [Frame(process=9, topic=TOPIC, position=position, payload={}, at_ns=0, connection=1) for position in frames]
    opened = [Connection(process=9, topic=TOPIC, connection=1, since=0, opened_ns=0)] if frames else []
    topic = [OnTopic(0, at, fact.position, facts[at - 1].position if at else 0) for at, fact in enumerate(facts)]
    jobs = {"verify": (0, {}), PROOFS: (0, {"facts": len(facts)})}
    return Evidence(WORLD, ACCOUNT, list(facts), Histories(list(calls), told, opened), topic, [], [], {}, jobs)


def test_a_good_history_is_not_complained_of() -> None:
    good = evidence(booked(2, "a"), [call("a", 10, 20, 2), refused("b", 30, 40)], frames=[2])
    found = {verdict.promise: verdict.violations for verdict in verdicts.judge(good)}
    assert not any(found.values()), found


OTHER = UUID(int=8)
LOST = call("a", 10, 20, None, outcome=UNKNOWN, returned_ns=None)


@pytest.mark.parametrize(
    ("check", "facts", "calls"),
    [
        (judging.no_double_booking, booked(2, "a") + booked(4, "b", OTHER), []),
        (judging.kept, booked(2, "a"), [call("a", 10, 20, 2), call("b", 30, 40, 4)]),  # acknowledged and missing
        (judging.kept, booked(2, "a"), [refused("a", 10, 20)]),  # refused and done
        (judging.kept, booked(2, "a"), [call("a", 10, 20, 2, answer={"id": str(OTHER), "start": NINE})]),
        (judging.in_order, booked(2, "b") + booked(4, "a", OTHER), [call("a", 10, 20, 4), call("b", 30, 40, 2)]),
        (judging.refusals_justified, booked(2, "a"), [refused("b", 1, 5), call("a", 10, 20, 2)]),
        (judging.one_answer_per_key, booked(2, "a"), [call("a", 10, 20, 2), call("a", 30, 40, 2, answer={})]),
        (judging.one_answer_per_key, booked(2, "a") + booked(4, "a", OTHER), [LOST, call("a", 30, 40, 4)]),
        (
            judging.reads_are_fresh,
            booked(2, "a"),
            [replace(call("", 30, 40, None), key=None, kind="read", fence=2, arguments={"id": "x", "version": 2})],
        ),
    ],
)
def test_what_breaks_a_promise_is_found(check, facts, calls) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    assert check(evidence(facts, calls)).violations


def test_a_refusal_after_an_attempt_of_unknown_fate_may_be_followed_by_its_success() -> None:
    assert not judging.kept(evidence(booked(2, "a"), [LOST, refused("a", 30, 40)])).violations


@pytest.mark.parametrize("frames", [[4], [2, 2, 4], [4, 2]])
def test_a_socket_that_missed_doubled_or_disordered_is_found(frames: list[int]) -> None:
    facts = booked(2, "a") + booked(4, "b", OTHER)
    assert judging_followers.sockets_complete(evidence(facts, [], frames)).violations


@pytest.mark.parametrize("told", [(1, {"facts": 2}), (0, {"facts": 1})])
def test_a_fact_that_is_not_as_it_was_signed_or_under_no_signature_is_found(told: tuple[int, object]) -> None:
    forged = evidence(booked(2, "a"), [])
    forged.jobs[PROOFS] = told
    assert judging_followers.signed_as_it_is(forged).violations


def test_a_topic_with_a_gap_is_found() -> None:
    gapped = evidence(booked(2, "a") + booked(4, "b", OTHER), [])
    del gapped.topic[1]
    assert judging_followers.relay_misses_nothing(gapped).violations
