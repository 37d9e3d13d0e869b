"""Staff break rules over HTTP: which, and why, is written down; and who may read it."""

from typing import Any

import pytest

from tests.api.house import House, key, made, problem

TUESDAY, WEDNESDAY, THURSDAY = "2026-11-24", "2026-11-25", "2026-11-26"
REASON = "Dr Luz stays longer for this patient"


def overriding(*rules: str, reason: str = REASON) -> dict[str, Any]:
    return {"override": {"rules": list(rules), "reason": reason}}


def a_customer(house: House) -> str:
    return str(made(house.post("/customers", {"display_name": "Davi"}, role="staff"))["id"])


def test_a_booking_against_a_rule_says_which_and_its_history_says_why(house: House) -> None:
    start = f"{TUESDAY}T19:07:00Z"
    problem(house.book(start), 422, "off-grid")
    problem(house.book(start, **overriding("slot_grid")), 409, "outside-working-hours")

    answer = house.book(start, **overriding("slot_grid", "working_hours", "closures"), notes="brings X-rays")

    visit = made(answer)
    assert visit["overridden"] == ["slot_grid", "working_hours"]
    path = f"/appointments/{visit['id']}"
    assert house.get(path).json() == {**visit, "notes": "brings X-rays"}
    (fact,) = house.get(f"{path}/history").json()["items"]
    assert fact["data"]["overridden"] == ["slot_grid", "working_hours"]
    assert (fact["note"], fact["override_reason"]) == ("brings X-rays", REASON)
    (seen_by_customer,) = house.get(f"{path}/history", role="customer").json()["items"]
    assert not {"note", "override_reason"} & seen_by_customer.keys()
    assert house.api.rows("SELECT 1 FROM stored_events WHERE convert_from(state, 'UTF8') LIKE '%stays longer%'") == []
    assert house.api.rows("SELECT 1 FROM receipts WHERE convert_from(answer, 'UTF8') LIKE '%stays longer%'") == []


def test_a_rule_that_was_not_in_the_way_is_not_recorded(house: House) -> None:
    visit = made(house.book(f"{TUESDAY}T09:00:00Z", **overriding("working_hours", "min_notice")))
    assert "overridden" not in visit


def test_the_same_command_again_is_the_same_booking(house: House) -> None:
    same, wanted = (
        key(),
        {
            "service_id": house.service_id,
            "customer_id": house.customer_id,
            "start": f"{TUESDAY}T20:00:00Z",
            **overriding("working_hours"),
        },
    )
    first = house["staff"].post("/v1/appointments", json=wanted, headers=same)
    again = house["staff"].post("/v1/appointments", json=wanted, headers=same)
    assert made(first) == made(again)
    assert again.headers["Idempotent-Replay"] == "true"


@pytest.mark.parametrize("rule", ["capacity", "seats", "retirement", "suitable_resource", "one_requirement"])
def test_what_is_no_matter_of_policy_cannot_be_named(house: House, rule: str) -> None:
    refused = problem(house.book(f"{TUESDAY}T10:00:00Z", **overriding(rule)), 422, "invalid-request")
    assert refused["errors"][0]["pointer"] == "/override/rules/0"


def test_a_taken_slot_stays_taken_and_the_past_is_past(house: House) -> None:
    everything = overriding(
        "working_hours",
        "closures",
        "holidays",
        "slot_grid",
        "min_notice",
        "max_advance",
        "booking_limits",
        "customer_overlap",
    )
    made(house.book(f"{TUESDAY}T11:00:00Z"))
    problem(house.book(f"{TUESDAY}T11:00:00Z", customer_id=a_customer(house), **everything), 409, "slot-taken")
    problem(house.book("2026-11-20T11:00:00Z", **everything), 422, "too-soon")


def test_customers_break_no_rules(house: House) -> None:
    head = house.api.head()
    refused = house.book(f"{TUESDAY}T12:00:00Z", role="customer", **overriding("slot_grid"))
    assert problem(refused, 403, "forbidden")["operation"] == "appointment.override"
    assert house.api.head() == head
    visit = made(house.book(f"{TUESDAY}T12:00:00Z", role="customer"))
    path, later = f"/appointments/{visit['id']}/reschedule", {"start": f"{TUESDAY}T18:00:00Z"}
    moved = house.post(path, {**later, **overriding("working_hours")}, role="customer", **{"If-Match": '"v1"'})
    problem(moved, 403, "forbidden")


def test_a_move_against_a_rule_says_so_and_why(house: House) -> None:
    visit = made(house.book(f"{WEDNESDAY}T09:00:00Z"))
    path = f"/appointments/{visit['id']}"
    late = {"start": f"{WEDNESDAY}T18:00:00Z"}
    problem(house.post(f"{path}/reschedule", late, **{"If-Match": '"v1"'}), 409, "outside-working-hours")

    answer = house.post(f"{path}/reschedule", {**late, **overriding("working_hours")}, **{"If-Match": '"v1"'})

    assert made(answer, 200)["overridden"] == ["working_hours"]
    facts = house.get(f"{path}/history").json()["items"]
    assert [fact.get("override_reason") for fact in facts] == [None, REASON]
    back = house.post(f"{path}/reschedule", {"start": f"{WEDNESDAY}T10:00:00Z"}, **{"If-Match": '"v2"'})
    assert "overridden" not in made(back, 200)


def test_a_closure_and_a_holiday_are_broken_by_their_own_names(house: House) -> None:
    closure = {"start": f"{THURSDAY}T09:00:00Z", "end": f"{THURSDAY}T12:00:00Z"}
    made(house.post(f"/resources/{house.resource_id}/closures", closure))
    holidays = {"extra": [{"date": "2026-12-08", "name": "Padroeira"}]}
    made(house["owner"].put(f"/v1/locations/{house.location_id}/holidays", json=holidays, headers=key()), 200)

    problem(house.book(f"{THURSDAY}T10:00:00Z", **overriding("holidays")), 409, "resource-closed")
    assert made(house.book(f"{THURSDAY}T10:00:00Z", **overriding("closures")))["overridden"] == ["closures"]
    refused = problem(house.book("2026-12-08T10:00:00Z", **overriding("closures")), 409, "closed-for-holiday")
    assert refused["day"] == "2026-12-08"
    assert refused["alternatives"][0]["start"] == "2026-12-07T16:30:00Z"  # the evening before
    assert made(house.book("2026-12-08T10:00:00Z", **overriding("holidays")))["overridden"] == ["holidays"]
