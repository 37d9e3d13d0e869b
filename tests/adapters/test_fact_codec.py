"""Facts survive the journal unchanged, and what cannot be read says so."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from eventsourcing.persistence import Notification

from adapters.fact_codec import BrokenFact, FactMapper, Placed, UnknownTopic, Upcast
from application.journal import Provenance
from domain.appointment import Allotment, AppointmentBooked
from domain.fact import FACTS, Fact
from domain.interval import Interval
from domain.resource import Override, ResourceAdded, Shift, Span, WorkingHoursSet
from domain.resource_day import SlotClaimed
from domain.service import Price, Requirement, ServiceOffered, Terms

NINE = datetime(2026, 5, 4, 9, tzinfo=UTC)
VISIT = Interval(NINE, NINE + timedelta(minutes=30))
STREAM = UUID(int=7)
PROVENANCE = Provenance(
    organization_id=UUID(int=1),
    actor_id=UUID(int=2),
    at=NINE + timedelta(microseconds=123),
    command_id=UUID(int=3),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
CLAIMED = SlotClaimed(
    resource_id=uuid4(), day=date(2026, 5, 4), appointment_id=uuid4(), claim=VISIT, quantity=2, until=NINE
)
SAMPLES: list[Fact] = [
    CLAIMED,
    AppointmentBooked(
        appointment_id=uuid4(),
        organization_id=uuid4(),
        service_id=uuid4(),
        customer_id=uuid4(),
        visit=VISIT,
        claim=VISIT,
        allotments=(Allotment(uuid4(), 1), Allotment(uuid4(), 3)),
    ),
    WorkingHoursSet(
        resource_id=uuid4(),
        shifts=(Shift("MO", Span(540, 1020)),),
        overrides=(Override(date(2026, 12, 24), ()), Override(date(2026, 12, 31), (Span(540, 720),))),
    ),
    ResourceAdded(
        resource_id=uuid4(),
        organization_id=uuid4(),
        kind="room",
        location_id=None,
        time_zone="America/Sao_Paulo",
        capacity=5,
        shifts=(),
    ),
    ServiceOffered(
        service_id=uuid4(),
        organization_id=uuid4(),
        terms=Terms(
            name="Visite à domicile",
            duration_min=30,
            requirements=(Requirement(kind="room"), Requirement(resource_id=uuid4(), quantity=2)),
            price=Price(4_500, "EUR"),
        ),
    ),
]


@pytest.fixture(scope="module")
def mapper() -> FactMapper:
    return FactMapper()


@pytest.mark.parametrize("fact", SAMPLES, ids=lambda fact: fact.TOPIC)
def test_a_fact_and_its_provenance_come_back_as_they_were(mapper: FactMapper, fact: Fact) -> None:
    stored = mapper.to_stored_event(Placed(STREAM, 4, fact, PROVENANCE))
    assert stored.topic == fact.TOPIC
    assert mapper.to_domain_event(stored) == Placed(STREAM, 4, fact, PROVENANCE)


def _heirs(kind: type[Fact]) -> set[type[Fact]]:
    return {kind}.union(*map(_heirs, kind.__subclasses__()))


def test_every_fact_type_of_the_domain_has_a_topic_that_can_be_read(mapper: FactMapper) -> None:
    declared = {kind for kind in _heirs(Fact) if "TOPIC" in vars(kind)}
    # dataclass(slots=True) makes a new class, so each fact has a twin without slots: they share the topic.
    assert {kind.TOPIC for kind in declared} == FACTS.keys()
    assert mapper._decode.keys() == FACTS.keys()


def test_the_same_fact_always_makes_the_same_bytes(mapper: FactMapper) -> None:
    once = mapper.state(CLAIMED, PROVENANCE)
    again = mapper.recorded(1, STREAM, 1, CLAIMED.TOPIC, once)
    assert mapper.state(again.fact, again.provenance) == once


def test_the_stored_state_is_plain_json_with_meta_and_data(mapper: FactMapper) -> None:
    state = msgspec.json.decode(mapper.state(CLAIMED, PROVENANCE))
    assert state["meta"] == {
        "org": str(PROVENANCE.organization_id),
        "actor": str(PROVENANCE.actor_id),
        "at": "2026-05-04T09:00:00.000123Z",
        "command": str(PROVENANCE.command_id),
        "trace": PROVENANCE.traceparent,
    }
    assert state["data"]["claim"] == {"start": "2026-05-04T09:00:00Z", "end": "2026-05-04T09:30:00Z"}


def test_an_instant_is_stored_in_utc_whatever_zone_it_was_said_in(mapper: FactMapper) -> None:
    said = PROVENANCE.at.astimezone(timezone(timedelta(hours=-3)))
    elsewhere = Provenance(
        organization_id=PROVENANCE.organization_id,
        actor_id=PROVENANCE.actor_id,
        at=said,
        command_id=PROVENANCE.command_id,
        traceparent=PROVENANCE.traceparent,
    )
    assert mapper.state(CLAIMED, elsewhere) == mapper.state(CLAIMED, PROVENANCE)


def test_an_instant_without_a_zone_is_not_stored(mapper: FactMapper) -> None:
    naive = Provenance(organization_id=STREAM, actor_id=STREAM, at=NINE.replace(tzinfo=None), command_id=STREAM)
    with pytest.raises(ValueError, match="time zone"):
        mapper.state(CLAIMED, naive)


def test_a_notification_keeps_its_position(mapper: FactMapper) -> None:
    state = mapper.state(CLAIMED, PROVENANCE)
    notification = Notification(STREAM, 2, CLAIMED.TOPIC, state, 4711)
    recorded = mapper.to_recorded(notification)
    assert (recorded.position, recorded.stream_id, recorded.version, recorded.fact) == (4711, STREAM, 2, CLAIMED)


def test_an_unknown_topic_is_named_in_the_error(mapper: FactMapper) -> None:
    with pytest.raises(UnknownTopic, match=r"resource_day\.slot_wished_for\.v1"):
        mapper.recorded(1, STREAM, 1, "resource_day.slot_wished_for.v1", b"{}")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda state: state[:-2], "truncated"),
        (lambda state: state.replace(b'"quantity":2', b'"quantity":"two"'), r"quantity"),
        (lambda state: state.replace(b'"quantity":2,', b""), r"quantity"),
        (lambda state: state.replace(b"09:30:00", b"08:30:00"), "ends after it starts"),
        (lambda state: b"\xff\xfe" + state, "malformed"),
    ],
)
def test_a_broken_state_is_refused_and_says_where(mapper: FactMapper, damage: Any, complaint: str) -> None:
    state = damage(mapper.state(CLAIMED, PROVENANCE))
    with pytest.raises(BrokenFact, match=complaint) as broken:
        mapper.recorded(1, STREAM, 9, CLAIMED.TOPIC, state)
    assert f"version 9 of stream {STREAM}" in str(broken.value)


def test_an_old_topic_is_read_as_the_fact_that_it_means_today() -> None:
    def with_quantity(fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "quantity": 1}

    def with_interval(fields: dict[str, Any]) -> dict[str, Any]:
        start, end = fields.pop("start"), fields.pop("end")
        return {**fields, "claim": {"start": start, "end": end}}

    mapper = FactMapper(  # given
        {
            "resource_day.taken.v1": Upcast("resource_day.taken.v2", with_quantity),
            "resource_day.taken.v2": Upcast(SlotClaimed.TOPIC, with_interval),
        }
    )
    meta = msgspec.json.decode(mapper.state(CLAIMED, PROVENANCE))["meta"]
    old = {
        "resource_id": str(CLAIMED.resource_id),
        "day": "2026-05-04",
        "appointment_id": str(CLAIMED.appointment_id),
        "start": "2026-05-04T09:00:00Z",
        "end": "2026-05-04T09:30:00Z",
    }
    stored = msgspec.json.encode({"meta": meta, "data": old})
    recorded = mapper.recorded(1, STREAM, 1, "resource_day.taken.v1", stored)  # when
    assert recorded.fact == SlotClaimed(  # then
        resource_id=CLAIMED.resource_id,
        day=CLAIMED.day,
        appointment_id=CLAIMED.appointment_id,
        claim=VISIT,
        quantity=1,
    )
    assert recorded.provenance == PROVENANCE


def test_an_upcast_that_leads_nowhere_is_an_unknown_topic() -> None:
    mapper = FactMapper({"resource_day.taken.v1": Upcast("resource_day.gone.v1", lambda fields: fields)})
    with pytest.raises(UnknownTopic, match=r"resource_day\.taken\.v1"):
        mapper.recorded(1, STREAM, 1, "resource_day.taken.v1", b'{"meta":{},"data":{}}')


def test_a_present_topic_cannot_be_upcast_away() -> None:
    with pytest.raises(ValueError, match="present topic"):
        FactMapper({SlotClaimed.TOPIC: Upcast("resource_day.taken.v2", lambda fields: fields)})
