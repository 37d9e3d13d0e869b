"""Nobody is in two places, and nobody books more often than the house allows: over HTTP."""

from typing import Any

import pytest

from tests.api.house import House, made, problem

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = "2026-11-30", "2026-12-01", "2026-12-02", "2026-12-03"


def a_customer(house: House) -> str:
    return str(made(house.post("/customers", {"display_name": "Eva"}, role="staff"))["id"])


def a_service(house: House, *limits: dict[str, Any], **terms: Any) -> str:
    """Of a resource of its own, open all day and night."""
    hours = [{"weekday": day, "start": "00:00", "end": "24:00"} for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")]
    room = {"name": "Room", "kind": "room", "time_zone": "UTC", "working_hours": hours}
    needs = [{"resource_id": made(house.post("/resources", room))["id"]}]
    wanted = {"name": "X", "duration_min": 30, "requirements": needs, "booking_limits": list(limits), **terms}
    return str(made(house.post("/services", wanted))["id"])


def test_a_customer_is_not_in_two_places_and_is_told_when_it_is_free(house: House) -> None:
    first, second, eva = a_service(house, duration_min=60), a_service(house), a_customer(house)
    visit = made(house.book(f"{TUESDAY}T09:00:00Z", service_id=first, customer_id=eva))

    refused = house.book(f"{TUESDAY}T09:15:00Z", service_id=second, customer_id=eva)

    told = problem(refused, 409, "customer-elsewhere")
    assert (told["customer_id"], told["appointment_id"]) == (eva, visit["id"])
    assert told["elsewhere"] == {"start": f"{TUESDAY}T09:00:00Z", "end": f"{TUESDAY}T10:00:00Z"}
    assert told["alternatives"][0]["start"] == f"{TUESDAY}T08:30:00Z"  # half an hour, over at nine
    made(house.book(f"{TUESDAY}T09:15:00Z", service_id=second, customer_id=a_customer(house)))
    made(house.book(told["alternatives"][0]["start"], service_id=second, customer_id=eva))


def test_where_the_house_does_not_mind_a_customer_may_be_elsewhere(house: House) -> None:
    first, second, eva = a_service(house), a_service(house, customer_overlap_allowed=True), a_customer(house)
    made(house.book(f"{TUESDAY}T09:00:00Z", service_id=first, customer_id=eva))
    made(house.book(f"{TUESDAY}T09:15:00Z", service_id=second, customer_id=eva))


@pytest.mark.parametrize(
    ("period", "first_day", "next_start"),
    [
        ("day", TUESDAY, f"{WEDNESDAY}T00:00:00Z"),
        ("week", MONDAY, "2026-12-07T00:00:00Z"),
        ("month", "2026-12-01", "2027-01-01T00:00:00Z"),
    ],
)
@pytest.mark.parametrize("per", ["customer", "service"])
def test_a_limit_names_its_period_and_the_next_start_lies_after_it(
    house: House, per: str, period: str, first_day: str, next_start: str
) -> None:
    service, eva = a_service(house, {"per": per, "period": period, "count": 1}), a_customer(house)
    made(house.book(f"{TUESDAY}T09:00:00Z", service_id=service, customer_id=eva))

    second = eva if per == "customer" else a_customer(house)
    refused = problem(
        house.book(f"{TUESDAY}T11:00:00Z", service_id=service, customer_id=second), 409, "booking-limit-reached"
    )

    assert (refused["per"], refused["period"], refused["count"]) == (per, period, 1)
    assert refused["period_start"] == first_day
    assert refused["alternatives"][0]["start"] == next_start
    made(house.book(next_start, service_id=service, customer_id=second))
    if per == "customer":
        made(house.book(f"{TUESDAY}T11:00:00Z", service_id=service, customer_id=a_customer(house)))


def test_a_cancelled_visit_counts_no_more(house: House) -> None:
    service, eva = a_service(house, {"per": "customer", "period": "day", "count": 1}), a_customer(house)
    visit = made(house.book(f"{THURSDAY}T09:00:00Z", service_id=service, customer_id=eva))
    made(house.post(f"/appointments/{visit['id']}/cancel", role="staff", **{"If-Match": '"v1"'}), 200)
    made(house.book(f"{THURSDAY}T11:00:00Z", service_id=service, customer_id=eva))


def test_the_limit_of_a_service_can_be_changed(house: House) -> None:
    service, eva = a_service(house, {"per": "customer", "period": "day", "count": 1}), a_customer(house)
    made(house.book(f"{THURSDAY}T13:00:00Z", service_id=service, customer_id=eva))
    more = {"booking_limits": [{"per": "customer", "period": "day", "count": 2}]}
    changed = house["owner"].patch(f"/v1/services/{service}", json=more, headers={"If-Match": '"v1"'})
    assert made(changed, 200)["booking_limits"] == more["booking_limits"]
    made(house.book(f"{THURSDAY}T15:00:00Z", service_id=service, customer_id=eva))
    refused = house.book(f"{THURSDAY}T17:00:00Z", service_id=service, customer_id=eva)
    assert problem(refused, 409, "booking-limit-reached")["count"] == 2
