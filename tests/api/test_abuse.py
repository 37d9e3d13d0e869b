"""What a bot tries with a booking: too long, too far, too many, and out of turn (rows 9, 10 and 11)."""

from datetime import timedelta

import pytest

from domain.self_service import SelfServiceTerms
from tests.api.house import House, made, opened_house, problem
from tests.api.running_api import NINE
from tests.api.stranger import Stranger, open_to_the_public

HOLDS_MAX, BOOKINGS_MAX = SelfServiceTerms().open_holds_max, SelfServiceTerms().bookings_ahead_max


@pytest.mark.security(9)
def test_a_booking_in_ten_years_and_a_service_that_never_ends_are_refused(house: House) -> None:
    problem(house.book("2036-11-24T09:00:00Z"), 422, "too-far-ahead")
    endless = {"name": "Visit", "requirements": [{"kind": "practitioner"}]}
    for minutes in (0, -30, 10 * 366 * 24 * 60, 10**12):
        assert house.post("/services", {**endless, "duration_min": minutes}).status_code == 422, minutes
    for hold_min in (0, 10**6):
        problem(house.book("2026-11-24T09:00:00Z", hold_min=hold_min), 422, "invalid-request")


@pytest.mark.security(11)
def test_no_step_is_skipped(house: House) -> None:
    booked = made(house.book("2026-11-26T09:00:00Z"))
    held = made(house.book("2026-11-26T10:00:00Z", hold_min=10))

    for visit, steps in (
        (booked, ("confirm", "approve", "fulfil")),
        (held, ("approve", "check-in", "fulfil", "no-show")),
    ):
        for step in steps:
            answer = house.post(f"/appointments/{visit['id']}/{step}", role="staff")
            assert answer.status_code == 409, (step, answer.text)
    path = f"/appointments/{held['id']}/cancel"
    made(house.post(path, role="staff", **{"If-Match": '"v1"'}), 200)
    problem(house.post(f"/appointments/{held['id']}/confirm", role="staff"), 409, "not-in-that-state")


@pytest.mark.security(10)
def test_one_contact_holds_no_more_of_a_house_than_its_terms_allow_and_another_house_is_not_concerned(
    ada: Stranger,
) -> None:
    ada.email = "greedy@mail.test"
    starts = [f"2026-12-{day}T{hour:02}:00:00Z" for day in (14, 15, 16) for hour in range(9, 17)]
    held = [ada.holds(start) for start in starts[:HOLDS_MAX]]

    refused = problem(ada.asks_for(starts[HOLDS_MAX]), 409, "too-many-open")

    assert (refused["counted"], refused["allowed"]) == ("holds", HOLDS_MAX)
    ada.name, ada.email = "Another name", "Greedy@Mail.test"
    problem(ada.asks_for(starts[HOLDS_MAX]), 409, "too-many-open")
    neighbour = opened_house(ada.house.api)
    open_to_the_public(neighbour)
    assert Stranger(neighbour, ada.client, email=ada.email).holds(starts[0])["status"] == "held"
    for visit in held:  # a booking is no hold, but counts as one that is to come
        made(ada.confirms(visit), 200)
    for start in starts[HOLDS_MAX:BOOKINGS_MAX]:
        ada.books(start)
    refused = problem(ada.asks_for(starts[BOOKINGS_MAX]), 409, "too-many-open")
    assert (refused["counted"], refused["allowed"]) == ("bookings", BOOKINGS_MAX)
    ada.email = "modest@mail.test"
    assert ada.holds(starts[BOOKINGS_MAX])["status"] == "held"


@pytest.mark.security(10)
def test_a_customer_is_told_how_much_may_be_open_and_the_house_may_change_it(house: House) -> None:
    starts = [(NINE + timedelta(days=7 + number)).isoformat() for number in range(5)]  # Mondays to Fridays
    path = f"/organizations/{house.id}"
    terms = {"self_service": {"open_holds_max": 2, "bookings_ahead_max": 8}}
    version = house.get(path).headers["ETag"]
    answer = house["owner"].patch(f"/v1{path}", json=terms, headers={"If-Match": version})
    assert made(answer, 200)["self_service"] == terms["self_service"]
    assert made(house.get(path, role="customer"), 200)["self_service"] == terms["self_service"]

    for start in starts[:2]:
        made(house.book(start, role="customer", hold_min=30))
    refused = problem(house.book(starts[2], role="customer", hold_min=30), 409, "too-many-open")

    assert (refused["counted"], refused["allowed"]) == ("holds", 2)
    made(house.book(starts[2], hold_min=30))  # by staff
    for wrong in (0, -1, 1_001, "many"):
        body = {"self_service": {"open_holds_max": wrong}}
        answer = house["owner"].patch(f"/v1{path}", json=body, headers={"If-Match": house.get(path).headers["ETag"]})
        problem(answer, 422, "invalid-request")
