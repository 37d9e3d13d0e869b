"""The audit finds a customer who is in two places, and booking pages that differ from the visits that there are."""

from uuid import UUID, uuid4

import pytest

from application.visits import Cancel, cancel
from domain.rules import Rule
from domain.service import BookingLimit, Holder, Period, Requirement
from infra.findings import CUSTOMER_TWICE, ENTRY_MISMATCH
from infra.verification import sweep
from tests.desk import HOUR, MINUTE, NINE
from tests.infra.histories import Clinic, altered, data_of, last, only, page_of

ENTERED, LEFT = "booking_page.visit_entered.v1", "booking_page.visit_left.v1"


def one_customer(clinic: Clinic) -> None:
    """Make the last visit one of the customer of the visit before."""
    first, second = (place for place, row in enumerate(clinic.rows) if row[3].startswith("appointment."))
    customer_id = data_of(clinic.rows[first])["customer_id"]
    clinic.rows[second] = altered(clinic.rows[second], lambda state: state["data"].update(customer_id=customer_id))
    entry = last(clinic.rows, ENTERED)
    moved = altered(clinic.rows[entry], lambda state: state["data"].update(holder_id=customer_id))
    page = page_of(data_of(moved))
    version = 1 + sum(row[1] == page for row in clinic.rows[:entry])
    clinic.rows[entry] = (moved[0], page, version, *moved[3:])


def test_a_customer_in_two_places_at_once_is_found() -> None:
    clinic = Clinic(capacity=2)
    clinic.desk.booked(clinic.service)
    clinic.desk.booked(clinic.service, NINE + 30 * MINUTE)
    one_customer(clinic)
    only(sweep(clinic.rows), CUSTOMER_TWICE)


def test_a_customer_who_goes_from_one_visit_to_the_next_is_in_one_place() -> None:
    clinic = Clinic(capacity=2)
    clinic.desk.booked(clinic.service)
    clinic.desk.booked(clinic.service, NINE + HOUR)
    one_customer(clinic)
    assert sweep(clinic.rows).clean


def test_a_customer_may_be_in_two_places_where_the_service_allows_it_or_the_house_overrode_it() -> None:
    clinic = Clinic(capacity=3)
    customer = clinic.desk.customer()
    clinic.desk.booked(clinic.service, customer_id=customer)
    clinic.desk.booked(clinic.service, customer_id=customer, override=frozenset({Rule.CUSTOMER_OVERLAP}))
    lax = clinic.desk.service(Requirement(resource_id=clinic.room), customer_overlap_allowed=True)
    clinic.desk.booked(lax, customer_id=customer)
    assert sweep(clinic.rows).clean


def test_a_hold_keeps_its_customer_in_one_place_until_its_deadline_and_no_longer() -> None:
    for minutes_later, found in ((9, 1), (10, 0)):
        clinic = Clinic(capacity=2)
        clinic.hold(minutes=10)
        clinic.desk.now += minutes_later * MINUTE
        clinic.desk.booked(clinic.service)
        one_customer(clinic)
        assert sweep(clinic.rows).counts[CUSTOMER_TWICE] == found


@pytest.mark.parametrize("topic", [ENTERED, LEFT])
def test_a_visit_that_was_never_entered_or_never_left_is_found(topic: str) -> None:
    clinic = Clinic()
    visit = clinic.desk.booked(clinic.service)
    if topic == LEFT:
        clinic.desk.do(cancel, Cancel(appointment_id=visit.id))
    del clinic.rows[last(clinic.rows, topic)]
    only(sweep(clinic.rows), ENTRY_MISMATCH)


@pytest.mark.parametrize(
    "change",
    [
        {"visit": {"start": NINE.isoformat(), "end": (NINE + 59 * MINUTE).isoformat()}},
        {"until": NINE.isoformat()},
        {"is_hold": True},
        {"service_id": str(uuid4())},
        {"holder_id": str(uuid4())},
        {"month": "2026-12-01"},
    ],
    ids=["visit", "deadline", "hold", "service", "holder", "month"],
)
def test_an_entry_that_says_something_else_than_its_visit_is_found(change: dict[str, object]) -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    place = last(clinic.rows, ENTERED)
    clinic.rows[place] = altered(clinic.rows[place], lambda state: state["data"].update(change))
    only(sweep(clinic.rows), ENTRY_MISMATCH)


def test_an_entry_that_leaves_a_page_on_which_it_is_not_is_found() -> None:
    clinic = Clinic()
    visit = clinic.desk.booked(clinic.service)
    gone = {"holder_id": str(visit.customer_id), "month": "2026-12-01", "appointment_id": str(visit.id)}
    clinic.forger().write(page_of(gone), LEFT, gone)
    only(sweep(clinic.rows), ENTRY_MISMATCH)


def test_a_visit_into_the_next_month_stands_on_both_pages_of_its_customer_and_of_a_limited_service() -> None:
    clinic = Clinic()
    limit = BookingLimit(Holder.SERVICE, Period.MONTH, 3)
    service = clinic.desk.service(Requirement(resource_id=clinic.room), booking_limits=(limit,))
    clinic.desk.booked(service, NINE + 7 * 24 * HOUR + 14.5 * HOUR)  # 23:30 on the last day of November
    assert sum(row[3] == ENTERED for row in clinic.rows) == 4
    assert sweep(clinic.rows).clean
    del clinic.rows[last(clinic.rows, ENTERED)]
    only(sweep(clinic.rows), ENTRY_MISMATCH)


def test_an_entry_of_an_appointment_that_never_was_is_found() -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    entry = clinic.rows[last(clinic.rows, ENTERED)]
    clinic.forger().write(UUID(int=1), ENTERED, data_of(entry) | {"appointment_id": str(uuid4())})
    only(sweep(clinic.rows), ENTRY_MISMATCH)
