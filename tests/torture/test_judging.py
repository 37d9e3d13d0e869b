"""The judge says nothing of a good history, and names what is wrong with each bad one."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from tests.torture import judging, judging_followers, verdicts
from tests.torture.evidence import PROOFS, VERIFY, Evidence, OnTopic, Stored
from tests.torture.history import FAIL, OK, UNKNOWN, Call, Connection, Frame, Histories
from tests.torture.timeline import Verdict
from tests.torture.world import Place, World

ACCOUNT, PAGE = UUID(int=1), UUID(int=2)
VISIT, OTHER = str(UUID(int=3)), str(UUID(int=8))
ORG, ROOM, SERVICE, CUSTOMER, ADDRESSED = (str(UUID(int=n)) for n in (4, 5, 6, 7, 9))
NINE, TEN = "2027-03-01T09:00:00Z", "2027-03-01T10:00:00Z"
AT = datetime(2027, 2, 1, tzinfo=UTC)
SOON, LATER = AT + timedelta(minutes=1), AT + timedelta(minutes=10)
TOPIC = f"resource:{ROOM}:calendar"
PARTITIONS = 4
WORLD = World(
    ORG, "", [Place(SERVICE, [ROOM], 1, 2)], [CUSTOMER, ADDRESSED], [ADDRESSED], "2027-03-01T09:00:00+00:00", []
)


class Journal:
    """Facts as Daybook would write them, one command after the other."""

    def __init__(self) -> None:
        self.facts: list[Stored] = []
        self._versions: dict[UUID, int] = {}

    def begun(
        self,
        key: str,
        visit: str = VISIT,
        start: str = NINE,
        until: datetime | None = None,
        customer: str = CUSTOMER,
    ) -> "Journal":
        told = {"service_id": SERVICE, "customer_id": customer, **self._placed(start, until)}
        self._claim(key, visit, start, until)
        return self._of_visit(key, visit, "held" if until else "booked", told)

    def confirmed(self, key: str, visit: str = VISIT, start: str = NINE) -> "Journal":
        self._claim(key, visit, start, None)
        return self._of_visit(key, visit, "confirmed", {})

    def moved(self, key: str, start: str, visit: str = VISIT) -> "Journal":
        self._claim(key, visit, start, None)
        return self._of_visit(key, visit, "rescheduled", self._placed(start, None))

    def cancelled(self, key: str, visit: str = VISIT) -> "Journal":
        self._add(key, PAGE, "resource_day.claim_released.v1", {"appointment_id": visit, "resource_id": ROOM})
        return self._of_visit(key, visit, "cancelled", {})

    def _placed(self, start: str, until: datetime | None) -> dict[str, Any]:
        deadline = {"until": until.isoformat()} if until else {}
        return {"visit": {"start": start}, "allotments": [{"resource_id": ROOM, "quantity": 1}], **deadline}

    def _claim(self, key: str, visit: str, start: str, until: datetime | None) -> None:
        claim = {"resource_id": ROOM, "appointment_id": visit, "claim": {"start": start}, "quantity": 1}
        self._add(key, PAGE, "resource_day.slot_claimed.v1", {**claim, "until": until.isoformat() if until else None})

    def _of_visit(self, key: str, visit: str, what: str, told: dict[str, Any]) -> "Journal":
        self._add(key, UUID(visit), f"appointment.{what}.v1", {"appointment_id": visit, **told})
        return self

    def _add(self, key: str, stream: UUID, topic: str, told: dict[str, Any]) -> None:
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        position = len(self.facts) + 1
        self.facts.append(Stored(position, stream, version, topic, told, ORG, uuid5(ACCOUNT, key), AT))


def call(key: str, invoked: int, returned: int, position: int | None, **changed: object) -> Call:
    """A booking that was acknowledged, or what ``changed`` makes of it."""
    shown = {"resource_ids": [ROOM], "customer_id": CUSTOMER, "service_id": SERVICE}
    made = Call(
        process=0,
        kind="book",
        key=key,
        arguments={"service_id": SERVICE, "start": NINE, "customer_id": CUSTOMER, "visit": None, "if_match": None},
        invoked_ns=invoked,
        returned_ns=returned,
        invoked_at=AT.isoformat(),
        outcome=OK,
        status=201,
        answer={"id": VISIT, "start": NINE, "version": 1, "status": "booked", **shown},
        position=position,
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def told(**changed: object) -> dict[str, object]:
    """The answer of ``call``, but for this."""
    return {**call("", 0, 0, None).answer, **changed}


def refused(key: str, invoked: int, returned: int, problem: str = "slot-taken", **changed: object) -> Call:
    answer = {"type": f"/problems/{problem}"}
    return call(key, invoked, returned, None, **{"outcome": FAIL, "status": 409, "answer": answer, **changed})


def of_visit(visit: str | None = VISIT, if_match: str = "*", **more: object) -> dict[str, object]:
    return {"visit": visit, "if_match": if_match, **more}


def read(version: int, answer: dict[str, object], **changed: object) -> Call:
    asked = call("", 30, 40, None, kind="read", fence=2, arguments={"visit": VISIT, "version": version})
    return replace(asked, key=None, answer=answer, **changed)  # type: ignore[arg-type]


def slots(*free: str, position: int = 4) -> Call:
    answer = {"position": position, "slots": [{"start": start} for start in free]}
    asked = call("", 90, 95, None, kind="slots", fence=4, arguments={"service_id": SERVICE}, answer=answer)
    return replace(asked, key=None)


def frame(position: int, **payload: object) -> Frame:
    shown = {"id": VISIT, "resource_id": ROOM, "status": "booked", "version": 1, "customer_id": CUSTOMER, "start": NINE}
    return Frame(process=9, topic=TOPIC, position=position, payload={**shown, **payload}, at_ns=0, connection=1)


def evidence(journal: Journal, calls: Sequence[Call] = (), frames: Sequence[Frame] = ()) -> Evidence:
    facts = journal.facts
    opened = [Connection(process=9, topic=TOPIC, connection=1, since=0, opened_ns=0)]
    partition = UUID(ORG).int % PARTITIONS
    topic = [
        OnTopic(partition, at, fact.position, facts[at - 1].position if at else 0) for at, fact in enumerate(facts)
    ]
    return Evidence(
        WORLD,
        ACCOUNT,
        facts,
        Histories(list(calls), list(frames), opened),
        topic,
        partitions=PARTITIONS,
        deliveries=[],
        outbox=[],
        wiped_at=0,
        told_up_to=facts[-1].position,
        jobs={VERIFY: (0, {}), "replay": (0, {}), PROOFS: (0, {"facts": len(facts)})},
    )


def one() -> Journal:
    return Journal().begun("a")


def two(**second: Any) -> Journal:
    return one().begun("b", OTHER, **second)


def a_day() -> Evidence:
    """Held, confirmed, moved, cancelled; refused what had to be; read, listened to, told."""
    journal = Journal().begun("h", until=LATER).confirmed("c").moved("m", TEN).cancelled("x").begun("n", OTHER)
    journal.begun("w", str(UUID(int=20)), TEN, customer=ADDRESSED)
    about = of_visit()
    calls = [
        call("h", 10, 20, 2, kind="hold", answer=told(status="held")),
        refused("r", 21, 25),
        call("c", 30, 40, 4, kind="confirm", arguments=about, answer=told(version=2)),
        call("m", 50, 60, 6, kind="reschedule", arguments={**about, "start": TEN}, answer=told(version=3, start=TEN)),
        read(3, told(version=3, start=TEN), fence=6, invoked_ns=61, returned_ns=62),
        call("x", 70, 80, 8, kind="cancel", arguments=about, answer=told(version=4, status="cancelled", start=TEN)),
        refused("y", 81, 85, "not-in-that-state", kind="cancel", arguments=about),
        refused("z", 81, 85, "stale-version", kind="reschedule", arguments=of_visit(if_match='"v3"', start=NINE)),
        call("n", 90, 100, 10, answer=told(id=OTHER)),
        refused("e", 101, 105, "customer-elsewhere"),
    ]
    frames = [
        frame(2, status="held"),
        frame(4, version=2),
        frame(6, version=3, start=TEN),
        frame(8, removed=True),
        frame(10, id=OTHER),
        frame(12, id=str(UUID(int=20)), customer_id=ADDRESSED, start=TEN),
    ]
    good = evidence(journal, calls, frames)
    good.deliveries.append(delivery("d", 12))
    good.outbox.append({"delivery_id": "d"})
    good.slots["http://a " + SERVICE] = []
    return good


def delivery(name: str, position: int, state: str = "sent") -> dict[str, Any]:
    return {"id": name, "position": position, "channel": "email", "recipient_id": ADDRESSED, "state": state}


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
