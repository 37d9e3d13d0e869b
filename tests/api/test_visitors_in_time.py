"""What the clock does to a visit that was booked without an account. SECURITY.md rows 10, 11 and 14.

The clock never goes back: each test begins where the one before has left it.
"""

import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.visitor import VISITOR_HOLD_MIN
from tests.api.house import House, made, problem
from tests.api.stranger import Stranger

HELD_FOR = timedelta(minutes=VISITOR_HOLD_MIN)


def later(house: House, by: timedelta) -> datetime:
    now = house.api.clock.now() + by
    house.api.clock.set(now)
    return now


def at(house: House, hour: int, *, days: int) -> str:
    """On the first working day after so many days."""
    day = house.api.clock.now() + timedelta(days=days)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    return f"{day:%Y-%m-%d}T{hour:02}:00:00Z"


@pytest.mark.security(11)
def test_a_hold_that_lapsed_is_not_confirmed_with_the_right_code(ada: Stranger) -> None:
    held = ada.holds(at(ada.house, 9, days=1))
    code = ada.code_of(held)
    later(ada.house, HELD_FOR)

    problem(ada.confirms(held, code), 409, "hold-lapsed")
    problem(ada.post(f"/appointments/{held['id']}/codes"), 409, "hold-lapsed")


def test_a_link_is_for_its_own_visit_alone_and_ends_with_it(ada: Stranger) -> None:
    one, other = ada.books(at(ada.house, 10, days=7)), ada.books(at(ada.house, 11, days=6))
    made(ada.with_link(one["link_token"], "/cancel"), 200)
    assert made(ada.sees(other["link_token"]), 200)["status"] == "booked"

    later(ada.house, timedelta(days=8))
    past = made(ada.sees(other["link_token"]), 200)
    assert past["change_until"] is None
    problem(ada.with_link(other["link_token"], "/cancel"), 409, "cancelled-too-late")
    later(ada.house, timedelta(days=31))
    problem(ada.sees(other["link_token"]), 401, "link-refused")


@pytest.mark.security(10)
def test_who_never_proved_the_contact_is_forgotten_and_the_start_is_free_again(ada: Stranger) -> None:
    house, start = ada.house, at(ada.house, 12, days=7)
    held = ada.holds(start, notes="Canary note")
    customer_id = customer_of(house, held)
    assert person(house, customer_id)["email"] == ada.email

    later(house, HELD_FOR - timedelta(seconds=1))
    time.sleep(0.5)
    assert person(house, customer_id)["email"] == ada.email
    later(house, timedelta(minutes=2))

    eventually_forgotten(house, customer_id)
    assert not house.api.rows(f"SELECT 1 FROM vault.record WHERE subject_id = '{customer_id}'")
    assert ada.holds(start)["status"] == "held"  # whether or not a timer has fired


def test_who_proved_it_is_not_forgotten(ada: Stranger) -> None:
    booked = ada.books(at(ada.house, 13, days=14))
    customer_id = customer_of(ada.house, booked)
    later(ada.house, 2 * HELD_FOR)

    eventually_looked_after(ada.house)

    assert person(ada.house, customer_id)["email"] == ada.email


def test_for_whom_the_house_has_booked_is_not_forgotten(ada: Stranger) -> None:
    held = ada.holds(at(ada.house, 14, days=21))
    customer_id = customer_of(ada.house, held)
    made(ada.house.post(f"/appointments/{held['id']}/confirm", role="staff"), 200)
    later(ada.house, 2 * HELD_FOR)

    eventually_looked_after(ada.house)

    assert person(ada.house, customer_id)["email"] == ada.email


def test_of_a_booking_that_was_refused_nothing_is_kept(ada: Stranger) -> None:
    before = ada.house.api.rows("SELECT count(*) FROM vault.subject_key")

    problem(ada.asks_for(at(ada.house, 15, days=-1)), 422, "too-soon")

    assert ada.house.api.rows("SELECT count(*) FROM vault.subject_key") == before


def customer_of(house: House, visit: dict[str, Any]) -> UUID:
    return UUID(made(house["staff"].get(f"/v1/appointments/{visit['id']}"), 200)["customer_id"])


def person(house: House, customer_id: UUID) -> dict[str, Any]:
    return made(house["staff"].get(f"/v1/customers/{customer_id}"), 200)


def eventually_forgotten(house: House, customer_id: UUID) -> None:
    deadline = time.monotonic() + 15
    while person(house, customer_id)["email"] is not None:
        assert time.monotonic() < deadline, "never forgotten"
        time.sleep(0.1)


def eventually_looked_after(house: House) -> None:
    deadline = time.monotonic() + 15
    while house.api.rows("SELECT 1 FROM visitor_unconfirmed"):
        assert time.monotonic() < deadline, "never looked after"
        time.sleep(0.1)
