"""What an organization sets up: made, listed, fetched, changed; and whom a change of times concerns."""

from typing import Any

from tests.api.house import House, key, made, problem


def changed(house: House, path: str, body: dict[str, Any], version: str) -> dict[str, Any]:
    answer = house["owner"].patch(f"/v1{path}", json=body, headers={"If-Match": version})
    house.position = answer.headers.get("Journal-Position", house.position)
    return made(answer, 200)


def test_what_is_made_is_listed_fetched_and_changed(house: House) -> None:
    for path, body, change in (
        ("/locations", {"name": "Praia", "time_zone": "America/Sao_Paulo"}, {"address": "Rua Dois 2"}),
        ("/resources", {"name": "Sala 1", "kind": "room", "time_zone": "UTC", "capacity": 3}, {"name": "Sala 2"}),
        (
            "/services",
            {"name": "Exam", "duration_min": 20, "requirements": [{"kind": "room", "quantity": 2}]},
            {
                "duration_min": 25,
                "seats": 12,
                "approval_required": True,
                "customer_overlap_allowed": True,
                "booking_limits": [{"per": "customer", "period": "week", "count": 2}],
                "offer_min": 45,
                "no_show_after_min": 10,
                "release_after_min": 20,
                "remind_before_min": [1440, 60],
                "price": {"amount": 100, "currency": "BRL"},
            },
        ),
        ("/customers", {"display_name": "Caio", "phone": "+55 (27) 99999-0001"}, {"email": "caio@x.test"}),
    ):
        answer = house.post(path, body)
        new = made(answer)
        place = answer.headers["Location"].removeprefix("/v1")
        assert place == f"{path}/{new['id']}"
        assert (new["version"], answer.headers["ETag"]) == (1, '"v1"')
        fetched = house.get(place)
        assert fetched.json() == new
        assert new in house.get(path).json()["items"]

        after = changed(house, place, change, fetched.headers["ETag"])

        assert after == {**new, **change, "version": 2}
        assert house.get(place).json() == after
        assert after in house.get(path).json()["items"]
        stale = house["owner"].patch(f"/v1{place}", json=change, headers={"If-Match": '"v1"'})
        problem(stale, 412, "stale-version")
        assert house.get(place).json() == after


def test_a_service_starts_with_the_terms_that_nobody_has_to_think_of(house: House) -> None:
    service = made(
        house.post("/services", {"name": "Plain", "duration_min": 20, "requirements": [{"kind": "practitioner"}]})
    )

    assert (
        service.items()
        >= {
            "slot_step_min": 15,
            "seats": 1,
            "approval_required": False,
            "customer_overlap_allowed": False,
            "booking_limits": [],
            "offer_min": 30,
            "no_show_after_min": None,
            "release_after_min": None,
            "remind_before_min": [],
            "price": None,
            "requirements": [{"resource_id": None, "kind": "practitioner", "pool_id": None, "quantity": 1}],
        }.items()
    )


def test_what_a_service_may_do_without_can_be_taken_away(house: House) -> None:
    terms = {"name": "X", "duration_min": 20, "requirements": [{"kind": "room"}], "no_show_after_min": 10}
    new = made(house.post("/services", {**terms, "release_after_min": 20, "remind_before_min": [60]}))
    nothing: dict[str, object] = {"no_show_after_min": None, "release_after_min": None, "remind_before_min": []}

    assert changed(house, f"/services/{new['id']}", nothing, '"v1"') == {**new, **nothing, "version": 2}


def test_phones_are_kept_in_international_form(house: House) -> None:
    customer = made(house.post("/customers", {"display_name": "Bia", "phone": "+55 (27) 99999-0002"}))

    assert customer["phone"] == "+5527999990002"


def test_a_refused_change_leaves_the_person_as_they_were(house: House) -> None:
    customer = made(house.post("/customers", {"display_name": "Bia", "email": "bia@x.test"}))
    path = f"/v1/customers/{customer['id']}"

    problem(house["owner"].patch(path, json={"email": None}, headers={"If-Match": '"v7"'}), 412, "stale-version")

    assert made(house["owner"].get(path), 200) == customer
    assert changed(house, path.removeprefix("/v1"), {"email": None}, "*")["email"] is None


def test_names_of_people_are_in_no_fact(house: House) -> None:
    made(house.post("/customers", {"display_name": "Xanthippe Quux", "email": "xanthippe@x.test"}))
    made(house.post("/resources", {"name": "Dr Xanthippe", "kind": "spare", "time_zone": "UTC"}))

    text = "SELECT 1 FROM {} WHERE convert_from({}, 'UTF8') ILIKE '%xanthippe%'"
    assert house.api.rows(text.format("stored_events", "state")) == []
    assert house.api.rows(text.format("receipts", "answer")) == []


def test_the_organization_is_renamed_by_its_owner(house: House) -> None:
    own = house.get(f"/organizations/{house.id}")
    renamed = changed(house, f"/organizations/{house.id}", {"name": "Clínica"}, own.headers["ETag"])

    assert renamed == {**own.json(), "name": "Clínica", "version": 2}
    assert house.get("/organizations").json() == {"items": [renamed], "next_cursor": None}


def test_lists_are_paged_in_the_order_of_making(house: House) -> None:
    made_here = [made(house.post("/customers", {"display_name": f"C{n}"}))["id"] for n in range(5)]

    found, cursor = [], ""
    while True:
        page = house.get("/customers", limit="2", **({"cursor": cursor} if cursor else {})).json()
        assert len(page["items"]) <= 2
        found += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert [one for one in found if one in made_here] == made_here
    assert len(set(found)) == len(found)


def test_new_hours_tell_which_appointments_lie_outside(house: House) -> None:
    late, early = made(house.book("2026-12-01T16:00:00Z")), made(house.book("2026-12-01T09:00:00Z"))
    path = f"/v1/resources/{house.resource_id}/working-hours"
    before = made(house.get(path.removeprefix("/v1")), 200)
    mornings = [{"weekday": day, "start": "09:00", "end": "12:00"} for day in ("MO", "TU", "WE", "TH", "FR")]
    body = {"working_hours": mornings, "overrides": [{"date": "2026-12-24", "hours": []}]}

    answer = made(house["owner"].put(path, json=body, headers=key()), 200)

    outside = [visit["id"] for visit in answer["appointments"]]
    assert late["id"] in outside
    assert early["id"] not in outside
    assert answer["appointments_complete"] is True
    assert answer["working_hours"] == mornings
    problem(house.book("2026-12-01T15:00:00Z"), 409, "outside-working-hours")
    problem(house.book("2026-12-24T10:00:00Z"), 409, "outside-working-hours")
    restored = {"working_hours": before["working_hours"], "overrides": before["overrides"]}
    stale = house["owner"].put(path, json=restored, headers={"If-Match": '"v1"'})
    problem(stale, 412, "stale-version")
    made(house["owner"].put(path, json=restored, headers={"If-Match": f'"v{answer["version"]}"'}), 200)


def test_a_closure_tells_which_appointments_it_hits_and_can_be_taken_back(house: House) -> None:
    hit = made(house.book("2026-12-08T10:00:00Z"))
    path = f"/resources/{house.resource_id}/closures"
    body = {"start": "2026-12-08T09:00:00Z", "end": "2026-12-08T12:00:00Z", "reason": "Dr Luz is ill"}

    answer = house.post(path, body)

    closure = made(answer)
    assert [visit["id"] for visit in closure["appointments"]] == [hit["id"]]
    assert closure["reason"] == "Dr Luz is ill"
    place = answer.headers["Location"].removeprefix("/v1")
    assert house.get(place).json() == {name: closure[name] for name in ("id", "resource_id", "start", "end", "reason")}
    assert closure["id"] in [one["id"] for one in house.get(path).json()["items"]]
    refused = problem(house.book("2026-12-08T11:00:00Z"), 409, "resource-closed")
    assert refused["closure_id"] == closure["id"]
    calendar = house.get(f"/resources/{house.resource_id}/calendar", start="2026-12-08", end="2026-12-09").json()
    assert [(entry["kind"], entry["start"]) for entry in calendar["items"]] == [
        ("closure", "2026-12-08T09:00:00Z"),
        ("appointment", "2026-12-08T10:00:00Z"),
    ]
    assert calendar["items"][1]["appointment"]["id"] == hit["id"]

    reopened = house["owner"].delete(f"/v1{place}", headers=key())

    made(reopened, 200)
    problem(house.get(place), 404, "not-found")
    problem(house["owner"].delete(f"/v1{place}", headers=key()), 404, "not-found")
    made(house.book("2026-12-08T11:00:00Z"))


def test_slots_are_those_that_can_be_booked(house: House) -> None:
    path = f"/services/{house.service_id}/slots"
    free = house.get(path, start="2026-12-15", end="2026-12-16").json()
    assert free["slots"][0] == {
        "start": "2026-12-15T09:00:00Z",
        "end": "2026-12-15T09:30:00Z",
        "resource_ids": [house.resource_id],
    }
    assert free["position"] > 0

    made(house.book("2026-12-15T09:00:00Z"))

    after = [slot["start"] for slot in house.get(path, start="2026-12-15", end="2026-12-16").json()["slots"]]
    assert after[0] == "2026-12-15T09:30:00Z"
    elsewhere = house.get(path, start="2026-12-15", end="2026-12-16", time_zone="Asia/Tokyo").json()["slots"]
    assert elsewhere[-1]["start"] == "2026-12-15T14:45:00Z"  # Tokyo's day ends at 15:00 UTC
    instants = house.get(path, start="2026-12-15T10:00:00Z", end="2026-12-15T10:30:00Z").json()["slots"]
    assert [slot["start"] for slot in instants] == ["2026-12-15T10:00:00Z", "2026-12-15T10:15:00Z"]
    mine = house.get(path, start="2026-12-15", end="2026-12-16", resource_id=house.resource_id).json()["slots"]
    assert len(mine) == len(after)


def test_the_audit_log_is_every_fact_with_who_and_when(house: House) -> None:
    visit = made(house.book("2026-12-16T09:00:00Z"))

    facts = house.get("/audit/facts", stream_id=visit["id"]).json()["items"]

    assert [(fact["topic"], fact["version"]) for fact in facts] == [("appointment.booked.v1", 1)]
    assert facts[0]["actor_id"] == house.account_ids["staff"]
    assert facts[0]["data"]["service_id"] == house.service_id
    by_topic = house.get("/audit/facts", topic="organization.registered.v1").json()["items"]
    assert [fact["data"]["name"] for fact in by_topic] == ["Clinic"]
    every, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = house.get("/audit/facts", limit="7", **({"cursor": cursor} if cursor else {})).json()
        every += [fact["position"] for fact in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert every == sorted(set(every))
    assert facts[0]["position"] in every
    assert house.get("/audit/facts", after=str(every[-1])).json()["items"] == []
    assert house.get("/audit/facts", actor_id=house.customer_id).json()["items"] == []
    problem(house.get("/audit/facts", topic="a'; DROP TABLE"), 422, "invalid-request")
