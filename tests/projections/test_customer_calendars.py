"""Customers' calendars, and what their followers are told."""

from uuid import UUID

import msgspec
from hypothesis import example, given

from domain.appointment import InSeries
from projections import changes, customer_calendars
from projections.customer_calendars import CustomerCalendars, Entry
from tests.desk import HOUR, MONDAY
from tests.projections.history import PARTITIONS, Clinic, Deed, deeds, every_kind, journal_of
from tests.projections.redelivery import Step, asked, deliver, digests, on_real_tables, one_at_a_time, steps

ALWAYS = (MONDAY - 24 * HOUR, MONDAY + 24 * 4000 * HOUR)


def calendar(url: str, organization: Clinic, customer_id: UUID) -> list[Entry]:
    own = organization.desk.organization_id
    return asked(url, lambda pool: customer_calendars.entries(pool, own, customer_id, *ALWAYS))


def in_series(entry: Entry) -> InSeries | None:
    return InSeries(entry.series_id, entry.recurrence_id) if entry.series_id and entry.recurrence_id else None


@on_real_tables
@given(deeds=deeds, steps=steps)
@example(deeds=every_kind, steps=one_at_a_time)
def test_it_is_the_same_however_facts_arrive(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    _, journal = journal_of(deeds)

    deliver(postgres_url, CustomerCalendars(PARTITIONS), journal, steps)

    live, replayed = digests(postgres_url, CustomerCalendars(PARTITIONS), journal)
    assert live == replayed


@on_real_tables
@given(deeds=deeds, steps=steps)
@example(deeds=every_kind, steps=one_at_a_time)
def test_it_holds_all_visits_of_the_customer(postgres_url: str, deeds: list[Deed], steps: list[Step]) -> None:
    (clinic, _), journal = journal_of(deeds)

    deliver(postgres_url, CustomerCalendars(PARTITIONS), journal, steps)

    for customer_id in (*clinic.customers, *clinic.guests):
        visits = [clinic.desk.appointment(appointment_id) for appointment_id in clinic.appointments]
        its = {
            (v.id, v.status, v.visit.start, v.visit.end, v.seats, v.session_id, v.occurrence, v.entry_id)
            for v in visits
            if v.customer_id == customer_id
        }
        found = calendar(postgres_url, clinic, customer_id)
        assert {
            (e.id, e.status, e.start, e.end, e.seats, e.session_id, in_series(e), e.waitlist_entry_id) for e in found
        } == its


def test_a_customer_is_told_each_step_of_an_appointment(postgres_url: str) -> None:
    (clinic, _), journal = journal_of(
        [Deed(0, "hold", 0, 9), Deed(0, "move", 0, 11), Deed(0, "confirm", 0, 0), Deed(0, "cancel", 0, 0)]
    )

    deliver(postgres_url, CustomerCalendars(PARTITIONS), journal, one_at_a_time)

    topic = f"customer:{clinic.customers[0]}:appointments"
    found = asked(postgres_url, lambda pool: changes.since(pool, CustomerCalendars.NAME, {topic: 0}, limit=10))
    told = [msgspec.json.decode(change.data) for change in found]
    assert [(data["status"], data["start"], data["held_until"]) for data in told] == [
        ("held", "2026-11-23T09:00:00Z", "2026-11-23T00:30:00Z"),
        ("held", "2026-11-23T11:00:00Z", "2026-11-23T00:30:00Z"),
        ("booked", "2026-11-23T11:00:00Z", None),
        ("cancelled", "2026-11-23T11:00:00Z", None),
    ]
    assert told[-1].keys() == {
        *("id", "customer_id", "service_id", "status", "start", "end", "resource_ids", "held_until", "version"),
        *("seats", "session_id", "series_id", "recurrence_id", "waitlist_entry_id"),
    }


def test_another_organization_sees_nothing(postgres_url: str) -> None:
    (clinic, other), journal = journal_of([Deed(0, "book", 0, 9)])

    deliver(postgres_url, CustomerCalendars(PARTITIONS), journal, [])

    assert len(calendar(postgres_url, clinic, clinic.customers[0])) == 1
    assert calendar(postgres_url, other, clinic.customers[0]) == []
