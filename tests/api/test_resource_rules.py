"""Holidays by location, resources that retire, pools: set over HTTP, seen by slots and bookings, and whom they hit."""

from typing import Any

import httpx

from tests.api.house import OFFICE_HOURS, House, key, made, problem


def furnished(house: House, kind: str) -> dict[str, str]:
    """A location of its own with one resource, and a service that takes it."""
    location = made(house.post("/locations", {"name": "Praia", "time_zone": "America/Sao_Paulo"}))["id"]
    resource = {
        "name": "Dra. Rita Reis",
        "kind": kind,
        "location_id": location,
        "time_zone": "America/Sao_Paulo",
        "working_hours": OFFICE_HOURS,
    }
    resource_id = made(house.post("/resources", resource))["id"]
    service = {"name": "Visit", "duration_min": 60, "slot_step_min": 60, "requirements": [{"kind": kind}]}
    service_id = made(house.post("/services", service))["id"]
    return {"location": location, "resource": resource_id, "service": service_id}


def put(house: House, path: str, body: object, **headers: str) -> httpx.Response:
    answer = house["owner"].put(f"/v1{path}", json=body, headers={**key(), **headers})
    house.position = answer.headers.get("Journal-Position", house.position)
    return answer


def attention(house: House, resource_id: str) -> list[tuple[str, str]]:
    items = made(house.get("/attention", resource_id=resource_id), 200)["items"]
    return [(item["appointment_id"], item["reason"]) for item in items]


def refuse_the_values(answer: httpx.Response) -> None:
    """By the shape of the body, or by the domain."""
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"] in {"/problems/invalid-request", "/problems/invalid-value"}


def starts(house: House, service_id: str, day: str, until: str) -> list[str]:
    found = made(house.get(f"/services/{service_id}/slots", start=day, end=until), 200)["slots"]
    return [slot["start"] for slot in found]


def test_holidays_of_a_country_close_the_resources_of_the_location_and_tell_whom_they_hit(house: House) -> None:
    ours = furnished(house, "dermatologist")
    on_holiday = made(house.book("2027-04-21T13:00:00Z", service_id=ours["service"]))  # Tiradentes
    made(house.book("2027-04-22T13:00:00Z", service_id=ours["service"]))
    path = f"/locations/{ours['location']}/holidays"

    body = {
        "country": "BR",
        "subdivision": "ES",
        "years": [2027],
        "except": ["2027-11-20"],
        "extra": [{"date": "2027-04-26", "name": "Nossa Senhora da Penha"}],
    }
    answer = put(house, path, body)

    told = made(answer, 200)
    named = {one["date"]: one["name"] for one in told["holidays"]}
    assert named["2027-04-21"] == "Tiradentes"
    assert named["2027-04-26"] == "Nossa Senhora da Penha"
    assert "2027-11-20" not in named
    assert [one["date"] for one in told["holidays"]] == sorted(named)
    assert [visit["id"] for visit in told["appointments"]] == [on_holiday["id"]]
    assert told["appointments_complete"] is True
    assert attention(house, ours["resource"]) == [(on_holiday["id"], "closed-for-holiday")]
    read = house.get(path)
    assert read.json() == {name: told[name] for name in ("id", "country", "subdivision", "holidays", "version")}
    assert read.headers["ETag"] == answer.headers["ETag"] == '"v2"'


def test_slots_and_bookings_keep_a_holiday_unless_hours_were_set_for_the_date(house: House) -> None:
    ours = furnished(house, "dentist")
    path = f"/locations/{ours['location']}/holidays"
    made(put(house, path, {"extra": [{"date": "2027-05-05", "name": "Inventory"}]}), 200)

    refused = problem(house.book("2027-05-05T13:00:00Z", service_id=ours["service"]), 409, "closed-for-holiday")

    assert refused["day"] == "2027-05-05"
    assert starts(house, ours["service"], "2027-05-05", "2027-05-06") == []
    assert len(starts(house, ours["service"], "2027-05-06", "2027-05-07")) == 8
    on_duty = {"date": "2027-05-05", "hours": [{"start": "10:00", "end": "12:00"}]}
    hours = {"working_hours": OFFICE_HOURS, "overrides": [on_duty]}
    made(put(house, f"/resources/{ours['resource']}/working-hours", hours), 200)
    assert starts(house, ours["service"], "2027-05-05", "2027-05-06") == [
        "2027-05-05T13:00:00Z",
        "2027-05-05T14:00:00Z",
    ]
    made(house.book("2027-05-05T13:00:00Z", service_id=ours["service"]))


def test_holidays_are_this_years_and_the_next_threes_unless_years_are_given(house: House) -> None:
    location = made(house.post("/locations", {"name": "Porto", "time_zone": "Europe/Lisbon"}))["id"]

    told = made(put(house, f"/locations/{location}/holidays", {"country": "PT"}), 200)

    assert {one["date"][:4] for one in told["holidays"]} == {"2026", "2027", "2028", "2029"}
    gone = made(put(house, f"/locations/{location}/holidays", {}), 200)
    assert gone["holidays"] == []
    assert gone["country"] is None


def test_holidays_that_make_no_sense_are_refused(house: House) -> None:
    path = f"/locations/{house.location_id}/holidays"
    before = house.get(path).json()
    own = {"date": "2027-01-02", "name": "X"}
    for wrong in (
        {"country": "XX"},
        {"country": "br"},
        {"country": "BR", "subdivision": "ZZ"},
        {"subdivision": "SP"},
        {"country": "BR", "years": []},
        {"country": "BR", "years": list(range(2027, 2038))},
        {"country": "BR", "years": [1800]},
        {"country": "BR", "years": ["2027"]},
        {"extra": [own, own]},
        {"extra": [{"date": "2027-02-30", "name": "X"}]},
        {"except": ["X"]},
        {"left_out": ["2027-01-02"]},
    ):
        refuse_the_values(put(house, path, wrong))
    problem(put(house, path, {}, **{"If-Match": '"v99"'}), 412, "stale-version")
    problem(put(house, f"/locations/{house.resource_id}/holidays", {}), 404, "not-found")
    assert house.get(path).json() == before


def test_a_resource_that_retires_tells_whom_it_hits_and_can_come_back(house: House) -> None:
    ours = furnished(house, "midwife")
    before = made(house.book("2027-03-03T13:00:00Z", service_id=ours["service"]))
    after = made(house.book("2027-03-03T14:00:00Z", service_id=ours["service"]))
    path = f"/resources/{ours['resource']}"

    told = made(house.post(f"{path}/retire", {"retired_at": "2027-03-03T14:30:00Z"}), 200)

    assert told["retired_at"] == "2027-03-03T14:30:00Z"
    assert [visit["id"] for visit in told["appointments"]] == [after["id"]]
    assert told["appointments_complete"] is True
    assert attention(house, ours["resource"]) == [(after["id"], "resource-retired")]
    assert house.get(path).json()["retired_at"] == "2027-03-03T14:30:00Z"
    refused = problem(house.book("2027-03-04T13:00:00Z", service_id=ours["service"]), 409, "resource-retired")
    assert refused["retired_at"] == "2027-03-03T14:30:00Z"
    assert starts(house, ours["service"], "2027-03-03", "2027-03-10") == ["2027-03-03T12:00:00Z"]

    made(house.post(f"{path}/reinstate"), 200)

    assert attention(house, ours["resource"]) == []
    assert house.get(path).json()["retired_at"] is None
    made(house.book("2027-03-04T13:00:00Z", service_id=ours["service"]))
    problem(house.post(f"{path}/reinstate"), 409, "not-in-that-state")
    assert before["id"] != after["id"]


def test_a_resource_retires_at_once_unless_an_instant_is_given(house: House) -> None:
    ours = furnished(house, "vet")
    visit = made(house.book("2027-03-09T13:00:00Z", service_id=ours["service"]))

    told = made(house.post(f"/resources/{ours['resource']}/retire"), 200)

    assert told["retired_at"] == "2026-11-23T00:00:00Z"
    assert [one["id"] for one in told["appointments"]] == [visit["id"]]
    long_ago = {"retired_at": "2025-01-01T00:00:00Z"}
    refuse_the_values(house.post(f"/resources/{ours['resource']}/retire", long_ago))


def test_a_pool_is_made_listed_fetched_and_changed_and_a_service_takes_one_of_it(house: House) -> None:
    chairs = [
        made(house.post("/resources", {"name": f"Chair {n}", "kind": "chair", "time_zone": "UTC"}))["id"]
        for n in range(2)
    ]
    answer = house.post("/pools", {"name": "Chairs", "resource_ids": chairs, "strategy": "round_robin"})

    pool = made(answer)
    assert pool == {
        "id": pool["id"],
        "name": "Chairs",
        "resource_ids": chairs,
        "strategy": "round_robin",
        "version": 1,
    }
    assert answer.headers["Location"] == f"/v1/pools/{pool['id']}"
    assert house.get(f"/pools/{pool['id']}").json() == pool
    assert pool in house.get("/pools").json()["items"]
    change = house["owner"].patch(
        f"/v1/pools/{pool['id']}", json={"resource_ids": chairs[:1]}, headers={**key(), "If-Match": '"v1"'}
    )
    assert made(change, 200) == {**pool, "resource_ids": chairs[:1], "version": 2}
    service = {"name": "Massage", "duration_min": 30, "requirements": [{"pool_id": pool["id"]}]}
    assert made(house.post("/services", service))["requirements"][0]["pool_id"] == pool["id"]


def test_pools_that_make_no_sense_are_refused(house: House) -> None:
    ours = house.resource_id
    good = {"name": "Doctors", "resource_ids": [ours], "strategy": "priority"}
    wrongs: tuple[dict[str, object], ...] = (
        {"resource_ids": []},
        {"resource_ids": [ours, ours]},
        {"strategy": "random"},
        {"name": ""},
    )
    for wrong in wrongs:
        refuse_the_values(house.post("/pools", {**good, **wrong}))
    problem(house.post("/pools", {**good, "resource_ids": [house.service_id]}), 404, "not-found")
    problem(house.post("/pools", good, role="staff"), 403, "forbidden")
    too_many = {"name": "X", "duration_min": 30, "requirements": [{"pool_id": house.pool_id, "quantity": 2}]}
    refuse_the_values(house.post("/services", too_many))
    problem(house.post("/services", {**too_many, "requirements": [{"pool_id": ours}]}), 404, "not-found")


def closed_with_a_proposal(house: House, resource_id: str, start: str, end: str) -> dict[str, dict[str, Any] | None]:
    """Where the answer to a closure would put the appointments that it hits."""
    body = {"start": start, "end": end, "propose": True}
    told = made(house.post(f"/resources/{resource_id}/closures", body))
    assert [one["appointment_id"] for one in told["proposals"]] == [one["id"] for one in told["appointments"]]
    return {one["appointment_id"]: one["slot"] for one in told["proposals"]}


def reschedule(house: House, appointment_id: str, slot: dict[str, Any]) -> None:
    wanted = {"start": slot["start"], "resource_ids": slot["resource_ids"]}
    made(house.post(f"/appointments/{appointment_id}/reschedule", wanted, **{"If-Match": '"v1"'}), 200)


def test_a_closure_proposes_slots_that_can_all_be_had_together(house: House) -> None:
    ours = furnished(house, "surgeon")
    people = [made(house.post("/customers", {"display_name": f"P{n}"}))["id"] for n in range(2)]
    booked = [
        made(house.book(f"2027-06-07T{hour}:00:00Z", service_id=ours["service"], customer_id=person))["id"]
        for hour, person in ((13, people[0]), (14, people[1]), (15, people[0]))
    ]
    # The next morning, when the first slots are, one of them is at the dentist's.
    made(house.book("2027-06-08T12:00:00Z", customer_id=people[0]))

    slots = closed_with_a_proposal(house, ours["resource"], "2027-06-07T00:00:00Z", "2027-06-08T00:00:00Z")

    assert [(slots[visit] or {}).get("start") for visit in booked] == [
        "2027-06-08T13:00:00Z",
        "2027-06-08T12:00:00Z",
        "2027-06-08T14:00:00Z",
    ]
    for visit in reversed(booked):
        slot = slots[visit]
        assert slot
        reschedule(house, visit, slot)
    assert attention(house, ours["resource"]) == []


def test_a_closure_proposes_the_same_time_with_another_resource_that_is_free(house: House) -> None:
    ours = furnished(house, "hygienist")
    visit = made(house.book("2027-06-14T13:00:00Z", service_id=ours["service"]))["id"]
    colleague = {"name": "X", "kind": "hygienist", "time_zone": "UTC", "working_hours": OFFICE_HOURS}
    colleague_id = made(house.post("/resources", colleague))["id"]

    slots = closed_with_a_proposal(house, ours["resource"], "2027-06-14T00:00:00Z", "2027-06-15T00:00:00Z")

    assert slots[visit] == {
        "start": "2027-06-14T13:00:00Z",
        "end": "2027-06-14T14:00:00Z",
        "resource_ids": [colleague_id],
    }


def test_the_guests_of_a_class_are_proposed_one_slot_together(house: House) -> None:
    ours = furnished(house, "yogi")
    lesson = {"name": "Class", "duration_min": 60, "seats": 3, "requirements": [{"kind": "yogi"}]}
    lesson_id = made(house.post("/services", lesson))["id"]
    guests = [made(house.post("/customers", {"display_name": f"G{n}"}))["id"] for n in range(2)]
    booked = [
        made(house.book("2027-06-21T13:00:00Z", service_id=lesson_id, customer_id=guest))["id"] for guest in guests
    ]

    slots = closed_with_a_proposal(house, ours["resource"], "2027-06-21T00:00:00Z", "2027-06-22T00:00:00Z")

    one, other = (slots[visit] for visit in booked)
    assert one == other
    assert one
    assert one["start"] == "2027-06-22T12:00:00Z"
    for visit in booked:
        reschedule(house, visit, one)


def test_where_nothing_is_free_nothing_is_proposed(house: House) -> None:
    ours = furnished(house, "locum")
    visit = made(house.book("2027-06-28T13:00:00Z", service_id=ours["service"]))["id"]

    slots = closed_with_a_proposal(house, ours["resource"], "2027-06-28T00:00:00Z", "2027-07-28T00:00:00Z")

    assert slots == {visit: None}
    closure = {"start": "2027-06-28T00:00:00Z", "end": "2027-06-29T00:00:00Z"}
    assert "proposals" not in made(house.post(f"/resources/{ours['resource']}/closures", closure))
