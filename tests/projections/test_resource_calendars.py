"""Resources' calendars, and what their followers are told."""

from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given

from application.journal import Recorded
from domain.appointment import Status
from domain.resource import Resource
from projections import changes, resource_calendars
from projections.resource_calendars import Entry, ResourceCalendars
from tests.desk import HOUR, MINUTE, MONDAY
from tests.projections.history import PARTITIONS, Clinic, Deed, deeds, journal_of
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, one_at_a_time, steps

ALWAYS = (MONDAY - 24 * HOUR, MONDAY + 24 * 4000 * HOUR)


def calendar(url: str, clinic: Clinic, resource_id: UUID) -> list[Entry]:
    own = clinic.desk.organization_id
    return asked(url, lambda pool: resource_calendars.entries(pool, own, resource_id, *ALWAYS))


def told(url: str, resource_id: UUID) -> list[dict[str, Any]]:
    topic = f"resource:{resource_id}:calendar"
    found = asked(url, lambda pool: changes.since(pool, ResourceCalendars.NAME, {topic: 0}, limit=500))
    return [msgspec.json.decode(change.data) for change in found]


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_it_is_the_same_however_facts_arrive(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    _, journal = journal_of(deeds)

    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, steps)

    live, replayed = digests(postgres_url, ResourceCalendars(PARTITIONS), journal)
    assert live == replayed


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_it_holds_each_claim_and_each_closure(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    (clinic, _), journal = journal_of(deeds)

    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, steps)

    for resource_id in (*clinic.rooms, clinic.practitioner):
        resource = clinic.desk.streams[resource_id].state
        assert isinstance(resource, Resource)
        visits = [clinic.desk.appointment(appointment_id) for appointment_id in clinic.appointments]
        claims = {
            (visit.id, visit.status, visit.claim.start, visit.claim.end)
            for visit in visits
            for allotment in visit.allotments
            if allotment.resource_id == resource_id and visit.status is not Status.CANCELLED
        }
        closures = {(c.id, None, c.interval.start, c.interval.end) for c in resource.closures}
        entries = calendar(postgres_url, clinic, resource_id)
        assert {(e.id, e.status, e.claim_start, e.claim_end) for e in entries} == claims | closures


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_whoever_follows_the_changes_knows_the_calendar(
    postgres_url: str, deeds: list[Deed], steps: list[Step]
) -> None:
    # Within the 30 days that changes are held.
    (clinic, _), journal = journal_of([deed for deed in deeds if deed.wait_hours < 24])

    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, steps)

    for resource_id in clinic.rooms:
        known: dict[str, Any] = {}
        for data in told(postgres_url, resource_id):
            known[data["id"]] = data
        present = {key: data["status"] for key, data in known.items() if "removed" not in data}
        assert present == {str(e.id): e.status for e in calendar(postgres_url, clinic, resource_id)}


def moved() -> tuple[Clinic, list[Recorded]]:
    """An appointment that was booked in the first room, and moved to the second, an hour later."""
    (clinic, _), journal = journal_of([Deed(0, "book", 0, 9), Deed(0, "move", 0, 11)])
    return clinic, journal


def test_a_move_to_another_room_is_told_in_both(postgres_url: str) -> None:
    clinic, journal = moved()

    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, [])

    appointment_id = str(clinic.appointments[0])
    left, entered = told(postgres_url, clinic.rooms[0]), told(postgres_url, clinic.rooms[1])
    assert left[-1] == {"id": appointment_id, "resource_id": str(clinic.rooms[0]), "removed": True}
    assert entered == [
        {
            "id": appointment_id,
            "resource_id": str(clinic.rooms[1]),
            "kind": "appointment",
            "start": "2026-11-23T11:00:00Z",
            "end": "2026-11-23T12:00:00Z",
            "claim_start": "2026-11-23T11:00:00Z",
            "claim_end": "2026-11-23T12:15:00Z",
            "quantity": 1,
            "status": "booked",
            "customer_id": str(clinic.customers[0]),
            "service_id": str(clinic.service),
            "held_until": None,
            "version": 2,
        }
    ]


def test_a_hold_that_moves_keeps_its_deadline(postgres_url: str) -> None:
    (clinic, _), journal = journal_of([Deed(0, "hold", 0, 9), Deed(0, "move", 0, 10)])

    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, one_at_a_time)

    deadlines = {data["held_until"] for data in told(postgres_url, clinic.rooms[0])}
    assert deadlines == {"2026-11-23T00:30:00Z"}


@pytest.mark.parametrize(
    ("start_min", "end_min", "found"),
    [(0, 9 * 60, 0), (0, 9 * 60 + 1, 1), (10 * 60 + 14, 11 * 60, 1), (10 * 60 + 15, 11 * 60, 0)],
    ids=["before", "touching its start", "touching its buffer's end", "after"],
)
def test_an_entry_is_found_by_the_time_that_it_claims(
    postgres_url: str, start_min: int, end_min: int, found: int
) -> None:
    (clinic, _), journal = journal_of([Deed(0, "book", 0, 9)])
    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, [])
    own, room = clinic.desk.organization_id, clinic.rooms[0]
    window = (MONDAY + start_min * MINUTE, MONDAY + end_min * MINUTE)

    entries = asked(postgres_url, lambda pool: resource_calendars.entries(pool, own, room, *window))

    assert len(entries) == found


def test_another_organization_sees_nothing(postgres_url: str) -> None:
    (clinic, other), journal = journal_of([Deed(0, "book", 0, 9)])
    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, [])

    theirs, room = other.desk.organization_id, clinic.rooms[0]
    assert asked(postgres_url, lambda pool: resource_calendars.entries(pool, theirs, room, *ALWAYS)) == []
