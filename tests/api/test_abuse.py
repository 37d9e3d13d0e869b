"""What a bot tries with a booking: too long, too far, too many, and out of turn (rows 9, 10 and 11)."""

from datetime import timedelta

import pytest

from tests.api.house import House, made, problem
from tests.api.running_api import NINE


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
