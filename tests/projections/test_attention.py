"""Appointments that other rules of their resource hit: listed until someone looked after them."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given

from application.journal import Recorded
from domain.appointment import Appointment, Status
from domain.location import HolidaysSet, Location
from domain.refusals import ClosedForHoliday, OutsideWorkingHours, Refusal, ResourceClosed, ResourceRetired
from domain.resource import Resource
from projections import attention
from projections.attention import Attention, Place
from projections.attention_rows import Mark
from tests.desk import HOUR, MONDAY
from tests.projections.history import Clinic, Deed, deeds, journal_of
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, one_at_a_time, steps

BOOKED = Deed(0, "book", 0, 20)  # in the first room, after office hours
CLOSED = Deed(0, "close", 0, 20)
OFFICE_HOURS_ONLY = Deed(0, "set_hours", 0, 0)
OPEN_ALL_DAY = Deed(0, "set_hours", 2, 0)
REOPENED = Deed(0, "reopen", 0, 0)
SEATED = Deed(0, "seat", 0, 0)  # from one to two, in the first studio, which is at a location
HOLIDAY = Deed(0, "keep_holiday", 1, 0)
NO_HOLIDAYS = Deed(0, "keep_holiday", 0, 0)
RETIRED = Deed(0, "retire", 0, 1)
REINSTATED = Deed(0, "reinstate", 0, 0)
REQUESTED = Deed(0, "request", 0, 0)  # from one to half past, on the first chair
CHAIR_RETIRED = Deed(0, "retire", 2, 1)

SLUGS: dict[type[Refusal], str] = {
    ResourceRetired: "resource-retired",
    ResourceClosed: "resource-closed",
    ClosedForHoliday: "closed-for-holiday",
    OutsideWorkingHours: "outside-working-hours",
}

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
        location = clinic.desk.streams[resource.location_id].state if resource.location_id else None
        assert location is None or isinstance(location, Location)
        for refusal in resource.observing(location).reasons_against(visit.claim):
            closure_id = refusal.closure_id if isinstance(refusal, ResourceClosed) else None
            found.append((visit.id, resource.id, SLUGS[type(refusal)], closure_id))
            break
    return found


@on_real_tables
@given(deeds=deeds, steps=steps)
def test_no_visit_to_come_is_forgotten_and_none_is_marked_in_vain(
    postgres_url: str, deeds: list[Deed], steps: list[Step]
) -> None:
    (clinic, _), journal = journal_of(deeds)

    deliver(postgres_url, Attention(), journal, steps)

    visits = [clinic.desk.appointment(appointment_id) for appointment_id in clinic.appointments]
    active = [v for v in visits if v.status in {Status.HELD, Status.PENDING, Status.BOOKED, Status.ARRIVED}]
    # What the house put there against the rules is marked only if another reason came.
    to_come = [visit for visit in active if visit.visit.end > clinic.desk.now and not visit.overridden]
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
        (SEATED, HOLIDAY, NO_HOLIDAYS),
        (SEATED, HOLIDAY, Deed(0, "release", 0, 0, wait_hours=2)),
        (SEATED, RETIRED, REINSTATED),
        (SEATED, RETIRED, Deed(0, "retire", 0, 2)),
        (REQUESTED, CHAIR_RETIRED, Deed(0, "lapse", 0, 0, wait_hours=2)),
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
        "no holiday after all",
        "released",
        "reinstated",
        "retired later",
        "a request that lapsed",
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


def test_a_holiday_marks_the_visits_at_its_location_on_that_day(postgres_url: str) -> None:
    elsewhere, next_day = Deed(0, "book", 0, 20), Deed(0, "seat", 1, 0, wait_hours=24)

    clinic, journal, found = told(postgres_url, SEATED, elsewhere, HOLIDAY, next_day)

    holiday = next(recorded for recorded in journal if isinstance(recorded.fact, HolidaysSet))
    assert [(m.appointment_id, m.resource_id, m.reason, m.since) for m in found] == [
        (clinic.appointments[0], clinic.studios[0], "closed-for-holiday", holiday.position)
    ]


def test_a_retirement_marks_the_visits_that_end_later(postgres_url: str) -> None:
    clinic, _, found = told(postgres_url, SEATED, RETIRED)
    _, _, ended_before = told(postgres_url, SEATED, Deed(0, "retire", 0, 2))

    assert [(mark.resource_id, mark.reason) for mark in found] == [(clinic.studios[0], "resource-retired")]
    assert ended_before == []


def test_a_request_is_marked_and_stays_so_when_it_is_approved(postgres_url: str) -> None:
    _, _, requested = told(postgres_url, REQUESTED, CHAIR_RETIRED)
    _, _, approved = told(postgres_url, REQUESTED, CHAIR_RETIRED, Deed(0, "approve", 0, 0))

    assert reasons(requested) == ["resource-retired"]
    assert approved == requested


def test_what_the_house_put_outside_the_hours_knowingly_is_marked_for_another_reason_alone(postgres_url: str) -> None:
    knowingly = (OFFICE_HOURS_ONLY, Deed(0, "set_hours", 1, 0), Deed(0, "overbook", 0, 20))

    _, _, found = told(postgres_url, *knowingly, OFFICE_HOURS_ONLY)
    _, _, closed = told(postgres_url, *knowingly, OFFICE_HOURS_ONLY, CLOSED)

    assert found == []
    assert reasons(closed) == ["resource-closed"]


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
