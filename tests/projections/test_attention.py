"""Appointments that a closure or new working hours hit: listed until someone looked after them."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given

from application.journal import Recorded
from domain.appointment import Appointment, Status
from domain.refusals import OutsideWorkingHours, ResourceClosed
from domain.resource import Resource
from projections import attention
from projections.attention import Attention, Mark, Place
from tests.desk import HOUR, MONDAY
from tests.projections.history import Clinic, Deed, deeds, journal_of
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, one_at_a_time, steps

BOOKED = Deed(0, "book", 0, 20)  # in the first room, after office hours
CLOSED = Deed(0, "close", 0, 20)
OFFICE_HOURS_ONLY = Deed(0, "set_hours", 0, 0)
OPEN_ALL_DAY = Deed(0, "set_hours", 2, 0)
REOPENED = Deed(0, "reopen", 0, 0)

Refused = tuple[UUID, UUID, str, UUID | None]


def marks(url: str, clinic: Clinic) -> list[Mark]:
    return asked(url, lambda pool: attention.listed(pool, clinic.desk.organization_id, limit=200))


def told(url: str, *deeds: Deed) -> tuple[Clinic, list[Recorded], list[Mark]]:
    """The first clinic after these deeds, the journal, and what needs attention."""
    (clinic, _), journal = journal_of(deeds)
    deliver(url, Attention(), journal, one_at_a_time)
    return clinic, journal, marks(url, clinic)


def reasons(found: Sequence[Mark]) -> list[str]:
    return [mark.reason for mark in found]


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_it_is_the_same_however_facts_arrive(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    _, journal = journal_of(deeds)

    deliver(postgres_url, Attention(), journal, steps)

    live, replayed = digests(postgres_url, Attention(), journal)
    assert live == replayed


def refused_now(clinic: Clinic, visit: Appointment) -> list[Refused]:
    """Where a visit could not take place as its resources are open now."""
    found: list[Refused] = []
    for allotment in visit.allotments:
        resource = clinic.desk.streams[allotment.resource_id].state
        assert isinstance(resource, Resource)
        try:
            resource.ensure_open(visit.claim)
        except ResourceClosed as closed:
            found.append((visit.id, resource.id, "resource-closed", closed.closure_id))
        except OutsideWorkingHours:
            found.append((visit.id, resource.id, "outside-working-hours", None))
    return found


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_no_visit_to_come_is_forgotten_and_none_is_marked_in_vain(
    postgres_url: str, deeds: list[Deed], steps: list[Step]
) -> None:
    (clinic, _), journal = journal_of(deeds)

    deliver(postgres_url, Attention(), journal, steps)

    visits = [clinic.desk.appointment(appointment_id) for appointment_id in clinic.appointments]
    active = [visit for visit in visits if visit.status in {Status.HELD, Status.BOOKED, Status.ARRIVED}]
    to_come = [visit for visit in active if visit.visit.end > clinic.desk.now]
    marked = {(m.appointment_id, m.resource_id, m.reason, m.closure_id) for m in marks(postgres_url, clinic)}
    assert marked <= {refused for visit in active for refused in refused_now(clinic, visit)}
    assert marked >= {refused for visit in to_come for refused in refused_now(clinic, visit)}


def test_a_closure_marks_the_visit_that_it_hits(postgres_url: str) -> None:
    clinic, journal, found = told(postgres_url, BOOKED, CLOSED)

    assert found == [
        Mark(
            appointment_id=clinic.appointments[0],
            resource_id=clinic.rooms[0],
            organization_id=clinic.desk.organization_id,
            reason="resource-closed",
            closure_id=clinic.closures[0][1],
            since=journal[-1].position,
            at=MONDAY,
            start=MONDAY + 20 * HOUR,
            end=MONDAY + 21 * HOUR,
        )
    ]


def test_a_closure_of_the_buffer_alone_marks_the_visit_too(postgres_url: str) -> None:
    _, _, found = told(postgres_url, BOOKED, Deed(0, "close", 0, 21))

    assert reasons(found) == ["resource-closed"]


def test_new_hours_mark_the_visits_that_they_leave_outside(postgres_url: str) -> None:
    inside = Deed(0, "book", 0, 10)

    clinic, _, found = told(postgres_url, BOOKED, inside, OFFICE_HOURS_ONLY)

    assert [(mark.appointment_id, mark.reason) for mark in found] == [(clinic.appointments[0], "outside-working-hours")]


@pytest.mark.parametrize(
    "deeds",
    [
        (BOOKED, CLOSED, Deed(0, "move", 0, 24)),
        (BOOKED, CLOSED, Deed(0, "move", 0, 21)),  # to the other room
        (BOOKED, CLOSED, Deed(0, "cancel", 0, 0)),
        (Deed(0, "hold", 0, 20), CLOSED, Deed(0, "lapse", 0, 0, wait_hours=1)),
        (BOOKED, CLOSED, Deed(0, "no_show", 0, 0, wait_hours=21)),
        (BOOKED, CLOSED, Deed(0, "check_in", 0, 0, wait_hours=17), Deed(0, "fulfil", 0, 0)),
        (BOOKED, CLOSED, REOPENED),
        (BOOKED, CLOSED, Deed(0, "reopen", 0, 0, wait_hours=24 * 10)),
        (BOOKED, OFFICE_HOURS_ONLY, OPEN_ALL_DAY),
    ],
    ids=[
        "moved",
        "to another room",
        "cancelled",
        "lapsed",
        "missed",
        "fulfilled",
        "reopened",
        "reopened when past",
        "hours set back",
    ],
)
def test_a_visit_leaves_when_it_is_looked_after_or_its_room_is_open_again(
    postgres_url: str, deeds: tuple[Deed, ...]
) -> None:
    _, before_last, found_before = told(postgres_url, *deeds[:-1])
    _, journal, found = told(postgres_url, *deeds)

    assert len(found_before) == 1
    assert len(journal) > len(before_last)
    assert found == []


@pytest.mark.parametrize(
    "then",
    [Deed(0, "check_in", 0, 0, wait_hours=17), Deed(0, "rename", 0, 0, wait_hours=24 * 10), Deed(0, "close", 0, 40)],
    ids=["checked in", "past", "another closure"],
)
def test_a_visit_stays_until_someone_looked_after_it(postgres_url: str, then: Deed) -> None:
    _, _, found_before = told(postgres_url, BOOKED, CLOSED)
    _, _, found = told(postgres_url, BOOKED, CLOSED, then)

    assert found == found_before != []


def test_a_hold_that_is_confirmed_stays(postgres_url: str) -> None:
    _, _, found = told(postgres_url, Deed(0, "hold", 0, 20), CLOSED, Deed(0, "confirm", 0, 0))

    assert reasons(found) == ["resource-closed"]


def test_the_reason_is_the_present_one_and_since_is_the_first(postgres_url: str) -> None:
    _, _, outside = told(postgres_url, BOOKED, OFFICE_HOURS_ONLY)
    _, _, closed_too = told(postgres_url, BOOKED, OFFICE_HOURS_ONLY, CLOSED)
    _, _, reopened = told(postgres_url, BOOKED, OFFICE_HOURS_ONLY, CLOSED, REOPENED)

    assert reasons([*outside, *closed_too, *reopened]) == [
        "outside-working-hours",
        "resource-closed",
        "outside-working-hours",
    ]
    assert closed_too[0].since == outside[0].since
    assert reopened == outside


@pytest.mark.parametrize("steps", [one_at_a_time, []], ids=["fact by fact", "in one batch"])
def test_a_past_visit_never_enters(postgres_url: str, steps: list[Step]) -> None:
    later = Deed(0, "set_hours", 0, 0, wait_hours=21)  # when the visit has just ended
    (clinic, _), journal = journal_of([BOOKED, later])

    deliver(postgres_url, Attention(), journal, steps)

    assert marks(postgres_url, clinic) == []


def test_another_rooms_closure_and_a_closure_at_another_time_mark_nothing(postgres_url: str) -> None:
    _, _, found = told(postgres_url, BOOKED, Deed(0, "close", 1, 20), Deed(0, "close", 0, 22), Deed(1, "close", 0, 20))

    assert found == []


def test_a_list_goes_on_where_its_last_page_ended_and_is_the_organizations_own(postgres_url: str) -> None:
    # given two visits at a time, at three times, one of each in a room; and both rooms lose their evenings
    booked = [Deed(0, "book", which, hour) for hour in (22, 20, 18) for which in (0, 1)]
    (clinic, other), journal = journal_of([*booked, OFFICE_HOURS_ONLY, Deed(0, "set_hours", 1, 0)])
    deliver(postgres_url, Attention(), journal, [])

    def page(clinic: Clinic, after: Mark | None = None, resource_id: UUID | None = None) -> list[Mark]:
        place = Place(after.start, after.appointment_id, after.resource_id) if after else None
        own = clinic.desk.organization_id
        return asked(
            postgres_url,
            lambda pool: attention.listed(pool, own, resource_id=resource_id, after=place, limit=4),
        )

    first = page(clinic)
    rest = page(clinic, first[-1])

    assert [mark.start.hour for mark in first] == [18, 18, 20, 20]
    assert [mark.start.hour for mark in rest] == [22, 22]
    assert {mark.appointment_id for mark in [*first, *rest]} == set(clinic.appointments)
    assert [mark.start.hour for mark in page(clinic, resource_id=clinic.rooms[1])] == [18, 20, 22]
    assert page(other) == page(other, resource_id=clinic.rooms[0]) == []
