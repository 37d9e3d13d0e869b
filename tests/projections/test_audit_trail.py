"""The audit trail over a journal on PostgreSQL."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from hypothesis import example, given
from psycopg_pool import AsyncConnectionPool

from adapters.fact_codec import FactMapper
from application.journal import Recorded
from projections import audit_trail
from projections.audit_trail import AuditedFact, AuditTrail
from tests.desk import HOUR, MONDAY
from tests.projections.history import Clinic, Deed, deeds, every_kind, journal_of
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, one_at_a_time, steps


@on_real_tables
@given(deeds=deeds, steps=steps)
@example(deeds=every_kind, steps=one_at_a_time)
def test_it_is_the_same_however_facts_arrive(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    _, journal = journal_of(deeds)

    deliver(postgres_url, AuditTrail(), journal, steps)

    live, replayed = digests(postgres_url, AuditTrail(), journal)
    assert live == replayed


@pytest.fixture(scope="module")
def audited(postgres_url: str) -> tuple[Clinic, list[Recorded]]:
    """Bookings over some hours at two clinics, in the journal and in the trail; the first clinic and its facts."""
    deeds = [Deed(number, "book", 0, 9 + number, wait_hours=1) for number in (0, 1, 0, 1)]
    (clinic, _), journal = journal_of([*deeds, Deed(0, "cancel", 0, 0, wait_hours=1)])
    mapper = FactMapper()
    with psycopg.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)"
            " VALUES (%s, %s, %s, %s, %s)",
            [(r.position, r.stream_id, r.version, r.fact.TOPIC, mapper.state(r.fact, r.provenance)) for r in journal],
        )
    deliver(postgres_url, AuditTrail(), journal, [])
    return clinic, [r for r in journal if r.provenance.organization_id == clinic.desk.organization_id]


Asking = Callable[..., list[AuditedFact]]


@pytest.fixture
def facts(postgres_url: str, audited: tuple[Clinic, list[Recorded]]) -> Asking:
    async def question(pool: AsyncConnectionPool, **filters: object) -> list[AuditedFact]:
        own = audited[0].desk.organization_id
        return await audit_trail.facts(pool, own, **{"limit": 200, **filters})  # type: ignore[arg-type]

    return lambda **filters: asked(postgres_url, lambda pool: question(pool, **filters))


def test_every_fact_of_the_organization_is_there_as_the_journal_holds_it(
    audited: tuple[Clinic, list[Recorded]], facts: Asking
) -> None:
    _, own = audited

    found = facts()

    assert [(f.position, f.stream_id, f.version, f.topic, f.actor_id, f.at) for f in found] == [
        (r.position, r.stream_id, r.version, r.fact.TOPIC, r.provenance.actor_id, r.provenance.at) for r in own
    ]
    mapper = FactMapper()
    for fact, recorded in zip(found, own, strict=True):
        assert b'"data":' + fact.data + b"}" in mapper.state(recorded.fact, recorded.provenance)


def test_pages_follow_the_positions(audited: tuple[Clinic, list[Recorded]], facts: Asking) -> None:
    _, own = audited

    first = facts(limit=5)
    rest = facts(after=first[-1].position)

    assert [f.position for f in [*first, *rest]] == [r.position for r in own]


def test_each_filter_keeps_what_matches_it(audited: tuple[Clinic, list[Recorded]], facts: Asking) -> None:
    clinic, own = audited
    appointment_id = clinic.appointments[-1]
    cancelled_at = clinic.desk.now

    assert [f.topic for f in facts(stream_id=appointment_id)] == ["appointment.booked.v1", "appointment.cancelled.v1"]
    assert [f.version for f in facts(topic="appointment.booked.v1")] == [1, 1]
    assert len(facts(actor_id=clinic.desk.staff.account_id)) == len(own)
    assert facts(actor_id=UUID(int=9)) == []
    assert {f.at for f in facts(start=cancelled_at)} == {cancelled_at}
    assert {f.at for f in facts(end=cancelled_at)} == {MONDAY, MONDAY + HOUR, MONDAY + 2 * HOUR}
    assert facts(start=cancelled_at + timedelta(microseconds=1)) == []
