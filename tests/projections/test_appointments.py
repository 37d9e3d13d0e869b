"""The list of appointments."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import example, given
from psycopg_pool import AsyncConnectionPool

from domain.appointment import InSeries, Status
from domain.interval import Interval
from projections import appointments
from projections.appointments import Appointments, Entry
from tests.desk import HOUR, MINUTE, MONDAY
from tests.projections.history import Clinic, Deed, deeds, every_kind, journal_of
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, one_at_a_time, steps


@on_real_tables
@given(deeds=deeds, steps=steps)
@example(deeds=every_kind, steps=one_at_a_time)
def test_it_is_the_same_however_facts_arrive(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    _, journal = journal_of(deeds)

    deliver(postgres_url, Appointments(), journal, steps)

    live, replayed = digests(postgres_url, Appointments(), journal)
    assert live == replayed


@on_real_tables
@given(deeds=deeds, steps=steps)
@example(deeds=every_kind, steps=one_at_a_time)
def test_it_holds_what_the_commands_made_of_each(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    (clinic, _), journal = journal_of(deeds)

    deliver(postgres_url, Appointments(), journal, steps)

    found = asked(postgres_url, lambda pool: appointments.listed(pool, clinic.desk.organization_id, limit=200))
    made = [clinic.desk.appointment(appointment_id) for appointment_id in clinic.appointments]
    assert [entry.appointment for entry in found] == sorted(made, key=lambda visit: (visit.visit.start, visit.id))
    assert [e.version for e in found] == [clinic.desk.streams[e.appointment.id].version for e in found]


def test_a_visit_that_moved_is_found_only_where_and_when_it_is_now(postgres_url: str) -> None:
    (clinic, _), journal = journal_of([Deed(0, "book", 0, 9), Deed(0, "move", 0, 11), Deed(0, "move", 0, 13)])

    deliver(postgres_url, Appointments(), journal, one_at_a_time)

    def of(resource_id: UUID) -> list[Entry]:
        own = clinic.desk.organization_id
        return asked(postgres_url, lambda pool: appointments.listed(pool, own, resource_id=resource_id, limit=9))

    assert starts(of(clinic.rooms[0])) == []
    assert starts(of(clinic.rooms[1])) == [13]
    assert starts(of(clinic.practitioner)) == [13]


def test_the_visits_of_a_series_and_those_in_a_session_are_found_by_it(postgres_url: str) -> None:
    (clinic, _), journal = journal_of(
        [Deed(0, "recur", 0, 9), *(Deed(0, "seat", which, 0) for which in (0, 1)), Deed(0, "seat", 2, 1)]
    )
    deliver(postgres_url, Appointments(), journal, one_at_a_time)
    first, *_, in_class = (clinic.desk.appointment(one) for one in clinic.appointments[:4])
    assert first.occurrence

    series_id, session_id = first.occurrence.series_id, in_class.session_id
    own = clinic.desk.organization_id

    recurring = asked(postgres_url, lambda pool: appointments.listed(pool, own, series_id=series_id, limit=9))
    together = asked(postgres_url, lambda pool: appointments.listed(pool, own, session_id=session_id, limit=9))

    assert [one.appointment.occurrence for one in recurring] == [
        InSeries(series_id, (MONDAY + 9 * HOUR + day * 24 * HOUR).replace(tzinfo=None)) for day in range(3)
    ]
    assert {one.appointment.customer_id for one in together} == {*clinic.guests[:2]}


# Two customers at 9, 11 and 13 o'clock: one of each pair is in the first room, the other in the second.
DAY = [Deed(0, "book", which, hour) for hour in (9, 11, 13) for which in (0, 1)]


@pytest.fixture(scope="module")
def clinic(postgres_url: str) -> Clinic:
    (clinic, _), journal = journal_of([*DAY, Deed(0, "cancel", 0, 0), Deed(1, "book", 0, 9)])
    deliver(postgres_url, Appointments(), journal, [])
    return clinic


Listing = Callable[..., list[Entry]]


@pytest.fixture
def listed(postgres_url: str, clinic: Clinic) -> Listing:
    def listed(*, limit: int = 200, **filters: object) -> list[Entry]:
        def question(pool: AsyncConnectionPool) -> Awaitable[list[Entry]]:
            return appointments.listed(pool, clinic.desk.organization_id, limit=limit, **filters)  # type: ignore[arg-type]

        return asked(postgres_url, question)

    return listed


def starts(entries: list[Entry]) -> list[int]:
    return [entry.appointment.visit.start.hour for entry in entries]


@pytest.mark.parametrize("by_resource", [False, True], ids=["of all", "of a resource"])
def test_a_list_goes_on_where_its_last_page_ended(clinic: Clinic, listed: Listing, by_resource: bool) -> None:
    filters = {"resource_id": clinic.practitioner} if by_resource else {}
    whole = listed(**filters)

    pages, after = [], None
    while page := listed(limit=4, after=after, **filters):
        pages.append(page)
        after = (page[-1].appointment.visit.start, page[-1].appointment.id)

    assert [entry for page in pages for entry in page] == whole
    assert starts(whole) == [9, 9, 11, 11, 13, 13]
    assert [len(page) for page in pages] == [4, 2]


def test_each_filter_keeps_what_matches_it(clinic: Clinic, listed: Listing) -> None:
    first_room, second_room = clinic.rooms

    assert starts(listed(customer_id=clinic.customers[0])) == [9, 11, 13]
    assert starts(listed(resource_id=first_room)) == [9, 11, 13]
    assert starts(listed(status=Status.CANCELLED)) == [13]
    assert starts(listed(start=MONDAY + 11 * HOUR)) == [11, 11, 13, 13]
    assert starts(listed(end=MONDAY + 11 * HOUR)) == [9, 9]
    assert starts(listed(resource_id=second_room, status=Status.BOOKED, end=MONDAY + 13 * HOUR)) == [9, 11]


def test_another_organizations_customer_and_resource_have_no_appointments_here(clinic: Clinic, listed: Listing) -> None:
    other = Clinic(1)

    assert listed(customer_id=other.customers[0]) == []
    assert listed(resource_id=other.practitioner) == []


def test_a_closure_hits_the_active_appointments_whose_claim_it_overlaps(postgres_url: str, clinic: Clinic) -> None:
    def hit(resource_id: UUID, start: datetime, end: datetime, now: datetime = MONDAY) -> list[Entry]:
        closed, own = Interval(start, end), clinic.desk.organization_id
        return asked(
            postgres_url, lambda pool: appointments.hits(pool, own, [resource_id], [closed], now=now, limit=50)
        )

    room, nine = clinic.rooms[0], MONDAY + 9 * HOUR

    assert starts(hit(room, nine, nine + HOUR)) == [9]
    assert starts(hit(room, nine + 74 * MINUTE, nine + 75 * MINUTE)) == [9]  # in the buffer after the visit
    assert starts(hit(room, nine + 75 * MINUTE, nine + 2 * HOUR)) == []
    assert starts(hit(clinic.practitioner, nine, nine + 24 * HOUR)) == [9, 9, 11, 11, 13]  # one of 13 is cancelled
    assert starts(hit(clinic.practitioner, nine, nine + 24 * HOUR, now=nine + 2 * HOUR)) == [11, 11, 13]
    assert starts(hit(Clinic(1).rooms[0], nine, nine + HOUR)) == []


def test_holidays_hit_on_several_resources_in_several_windows_and_a_visit_counts_once(
    postgres_url: str, clinic: Clinic
) -> None:
    def hit(*windows: Interval, now: datetime = MONDAY, limit: int = 50) -> list[int]:
        own, ids = clinic.desk.organization_id, [clinic.practitioner, *clinic.rooms]
        return starts(
            asked(postgres_url, lambda pool: appointments.hits(pool, own, ids, windows, now=now, limit=limit))
        )

    def hours(start: int, end: int) -> Interval:
        return Interval(MONDAY + start * HOUR, MONDAY + end * HOUR)

    ever_after = Interval(MONDAY, datetime(2200, 1, 1, tzinfo=UTC))
    assert hit(hours(9, 10), hours(13, 14)) == [9, 9, 13]
    assert hit(hours(9, 12), hours(9, 10)) == [9, 9, 11, 11]
    assert hit(ever_after) == [9, 9, 11, 11, 13]
    assert hit(ever_after, limit=3) == [9, 9, 11]
    assert hit(ever_after, now=MONDAY + 12 * HOUR) == [11, 11, 13]  # the buffer of those at 11 ends at 12:15
    assert hit(ever_after, now=datetime(2027, 1, 1, tzinfo=UTC)) == []
    assert hit() == []
