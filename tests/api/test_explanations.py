"""Why a start cannot be booked, over HTTP: what booking answers, with the facts behind it, now and of the past."""

from datetime import timedelta

import httpx

from tests.api.house import House, made, problem
from tests.api.running_api import MONDAY

TUESDAY_AT_NINE = "2026-11-24T09:00:00Z"


def why(house: House, start: str, role: str = "owner", **query: str) -> httpx.Response:
    return house.get(f"/services/{house.service_id}/slots/explain", role=role, start=start, **query)


def test_why_tuesday_at_nine_could_not_be_booked_is_answered_after_the_visit_in_the_way_is_gone(house: House) -> None:
    visit = made(house.book(TUESDAY_AT_NINE))
    refused = problem(house.book(TUESDAY_AT_NINE), 409, "slot-taken")
    house.api.clock.set(MONDAY + timedelta(hours=2))
    made(house.post(f"/appointments/{visit['id']}/cancel", role="staff", **{"If-Match": '"v1"'}), 200)

    now = made(why(house, TUESDAY_AT_NINE), 200)
    then = made(why(house, TUESDAY_AT_NINE, as_of="2026-11-23T01:00:00Z"), 200)

    assert now["bookable"]
    assert now["refusal"] is None
    assert now["resource_ids"] == [house.resource_id]
    assert not then["bookable"]
    assert then["asked_at"] == "2026-11-23T01:00:00Z"
    assert then["refusal"] == {name: refused[name] for name in ("type", "title", "resource_id", "wanted")}
    (decisive,) = [rule for rule in then["rules"] if rule["decisive"]]
    assert decisive["rule"] == "capacity"
    added, claimed = decisive["facts"]
    assert added["topic"] == "resource.added.v1"
    assert claimed["topic"] == "resource_day.slot_claimed.v1"
    assert claimed["appointment_id"] == visit["id"]


def test_a_customer_is_told_that_it_is_taken_and_no_more(house: House) -> None:
    other = made(house.post("/customers", {"display_name": "Rui"}))["id"]
    visit = made(house.book("2026-11-24T10:00:00Z", customer_id=other))

    answer = why(house, "2026-11-24T10:00:00Z", role="customer")

    assert made(answer, 200)["refusal"]["type"] == "/problems/slot-taken"
    assert visit["id"] not in answer.text
    assert other not in answer.text
    assert "slot_claimed" not in answer.text


def test_a_closure_is_named_by_the_fact_that_made_it(house: House) -> None:
    body = made(why(house, "2027-02-09T10:00:00Z"), 200)

    assert body["refusal"]["type"] == "/problems/resource-closed"
    (decisive,) = [rule for rule in body["rules"] if rule["decisive"]]
    assert decisive["refusal"]["closure_id"] == house.closure_id
    assert [fact["topic"] for fact in decisive["facts"]] == ["resource.closed.v1"]


def test_what_cannot_be_asked_is_a_problem(house: House) -> None:
    problem(why(house, "2026-11-24"), 422, "invalid-request")
    problem(why(house, TUESDAY_AT_NINE, as_of="2030-01-01T00:00:00Z"), 422, "invalid-value")
    problem(why(house, TUESDAY_AT_NINE, resource_id=house.customer_id), 422, "resource-not-suitable")
    problem(house.get(f"/services/{house.customer_id}/slots/explain", start=TUESDAY_AT_NINE), 404, "not-found")
