"""Histories made by hand: facts as Daybook would write them, calls and frames that go with them, or do not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from tests.torture.evidence import PROOFS, VERIFY, Evidence, OnTopic, Stored
from tests.torture.history import FAIL, OK, Call, Connection, Frame, Histories
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
