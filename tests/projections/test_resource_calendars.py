"""Resources' calendars, and what their followers are told."""

from collections import defaultdict
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given

from application.journal import Recorded
from domain.appointment import Status
from domain.resource import Resource
from domain.session import Session
from projections import changes, resource_calendars
from projections.calendar_rows import Entry
from projections.resource_calendars import ResourceCalendars, Shown
from tests.desk import HOUR, MINUTE, MONDAY
from tests.projections.history import PARTITIONS, Clinic, Deed, deeds, every_kind, journal_of
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, one_at_a_time, steps

ALWAYS = (MONDAY - 24 * HOUR, MONDAY + 24 * 4000 * HOUR)


def shown(url: str, clinic: Clinic, resource_id: UUID) -> list[Shown]:
    own = clinic.desk.organization_id
    return asked(url, lambda pool: resource_calendars.entries(pool, own, resource_id, *ALWAYS))


def calendar(url: str, clinic: Clinic, resource_id: UUID) -> list[Entry]:
    return [one.entry for one in shown(url, clinic, resource_id)]


def resources(clinic: Clinic) -> list[UUID]:
    return [*clinic.rooms, clinic.practitioner, *clinic.studios, *clinic.chairs]


def sessions(clinic: Clinic) -> list[Session]:
    states = [stream.state for stream in clinic.desk.streams.values()]
    return [state for state in states if isinstance(state, Session) and state.is_open]


def told(url: str, resource_id: UUID) -> list[dict[str, Any]]:
    topic = f"resource:{resource_id}:calendar"
    found = asked(url, lambda pool: changes.since(pool, ResourceCalendars.NAME, {topic: 0}, limit=500))
    return [msgspec.json.decode(change.data) for change in found]


@on_real_tables
@given(deeds=deeds, steps=steps)
@example(deeds=every_kind, steps=one_at_a_time)
def test_it_is_the_same_however_facts_arrive(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    _, journal = journal_of(deeds)

    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, steps)

    live, replayed = digests(postgres_url, ResourceCalendars(PARTITIONS), journal)
    assert live == replayed


@on_real_tables
@given(deeds=deeds, steps=steps)
@example(deeds=every_kind, steps=one_at_a_time)
def test_it_holds_each_claim_and_each_closure(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    (clinic, _), journal = journal_of(deeds)

    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, steps)

    visits = [clinic.desk.appointment(appointment_id) for appointment_id in clinic.appointments]
    for resource_id in resources(clinic):
        resource = clinic.desk.streams[resource_id].state
        assert isinstance(resource, Resource)
        claims = {
            (visit.id, visit.status, visit.claim.start, visit.claim.end)
            for visit in visits
            for allotment in visit.allotments
            if allotment.resource_id == resource_id and visit.has_claims and visit.session_id is None
        }
        in_common = {
            (session.id, None, session.claim.start, session.claim.end)
            for session in sessions(clinic)
            for allotment in session.allotments
            if allotment.resource_id == resource_id
        }
        closures = {(c.id, None, c.interval.start, c.interval.end) for c in resource.closures}
        entries = calendar(postgres_url, clinic, resource_id)
        assert {(e.id, e.status, e.claim_start, e.claim_end) for e in entries} == claims | in_common | closures


@on_real_tables
@given(deeds=deeds, steps=steps)
@example(deeds=every_kind, steps=one_at_a_time)
def test_a_session_is_one_entry_with_the_seats_and_guests_that_it_has(
    postgres_url: str, deeds: list[Deed], steps: list[Step]
) -> None:
    (clinic, _), journal = journal_of([*deeds, *(Deed(0, "seat", which, 0) for which in range(3))])

    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, steps)

    for studio in clinic.studios:
        found = [one for one in shown(postgres_url, clinic, studio) if one.entry.kind == "session"]
        its = [one for one in sessions(clinic) if studio in [allotment.resource_id for allotment in one.allotments]]
        assert {one.entry.id: (one.entry.seats, one.entry.seats_taken, guests(one)) for one in found} == {
            session.id: (
                session.seats,
                sum(taker.seats for taker in session.takers),
                {t.appointment_id: (t.seats, clinic.desk.appointment(t.appointment_id).status) for t in session.takers},
            )
            for session in its
        }


def guests(one: Shown) -> dict[UUID, tuple[int, Status]]:
    return {guest.appointment_id: (guest.seats, guest.status) for guest in one.guests}


@on_real_tables
@given(deeds=deeds, steps=steps)
@example(deeds=every_kind, steps=one_at_a_time)
def test_whoever_follows_the_changes_knows_the_calendar(
    postgres_url: str, deeds: list[Deed], steps: list[Step]
) -> None:
    # Within the 30 days that changes are held.
    (clinic, _), journal = journal_of([deed for deed in deeds if deed.wait_hours < 24])

    deliver(postgres_url, ResourceCalendars(PARTITIONS), journal, steps)

    for resource_id in resources(clinic):
        known: dict[str, Any] = {}
        seated: dict[str, dict[str, Any]] = defaultdict(dict)
        for data in told(postgres_url, resource_id):
            known[data["id"]] = data
            if guest := data.get("appointment"):
                seated[data["id"]][guest["id"]] = guest
            elif data.get("kind") == "session" or "removed" in data:
                seated.pop(data["id"], None)  # opened anew, or gone
        present = {key: data for key, data in known.items() if "removed" not in data}
        found = shown(postgres_url, clinic, resource_id)
        assert {key: (data["status"], data["seats_taken"]) for key, data in present.items()} == {
            str(one.entry.id): (one.entry.status, one.entry.seats_taken) for one in found
        }
        assert {
            (key, its_id, guest["status"], guest["seats"])
            for key, its in seated.items()
            for its_id, guest in its.items()
            if "removed" not in guest
        } == {(str(one.entry.id), str(g.appointment_id), g.status, g.seats) for one in found for g in one.guests}


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
            "series_id": None,
            "recurrence_id": None,
            "seats": None,
            "seats_taken": None,
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
