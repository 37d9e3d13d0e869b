"""What a closure or new hours hit is listed over HTTP until someone looked after it."""

from typing import Any

from tests.api.house import OFFICE_HOURS, House, key, made, problem


def listed(house: House, **query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = made(house.get("/attention", **query), 200)["items"]
    return items


def close(house: House, start: str, end: str) -> dict[str, Any]:
    return made(house.post(f"/resources/{house.resource_id}/closures", {"start": start, "end": end}))


def set_hours(house: House, hours: list[dict[str, str]]) -> None:
    answer = house["owner"].put(
        f"/v1/resources/{house.resource_id}/working-hours", json={"working_hours": hours}, headers=key()
    )
    house.position = answer.headers["Journal-Position"]
    made(answer, 200)


def test_a_visit_that_a_closure_hits_is_listed_until_it_is_moved(house: House) -> None:
    visit = made(house.book("2026-12-01T10:00:00Z"))  # given
    assert listed(house) == []

    closure = close(house, "2026-12-01T09:00:00Z", "2026-12-01T12:00:00Z")  # when
    since, found = int(house.position), listed(house)

    assert found == [  # then
        {
            "appointment_id": visit["id"],
            "resource_id": house.resource_id,
            "reason": "resource-closed",
            "closure_id": closure["id"],
            "since": since,
            "at": "2026-11-23T00:00:00Z",
            "start": "2026-12-01T10:00:00Z",
            "end": "2026-12-01T10:30:00Z",
        }
    ]
    moved = house.post(
        f"/appointments/{visit['id']}/reschedule", {"start": "2026-12-01T14:00:00Z"}, **{"If-Match": '"v1"'}
    )
    made(moved, 200)
    assert listed(house) == []


def test_visits_outside_new_hours_are_listed_by_start_page_by_page_until_hours_are_set_back(house: House) -> None:
    starts = [f"2026-12-02T{hour}:00:00Z" for hour in (15, 14, 13)]
    for start in starts:
        made(house.book(start))
    made(house.book("2026-12-02T09:00:00Z"))

    set_hours(house, [{**hours, "end": "12:00"} for hours in OFFICE_HOURS])

    pages, cursor = [], ""
    while cursor is not None:
        page = house.get("/attention", limit="1", **({"cursor": cursor} if cursor else {})).json()
        pages.append([item["start"] for item in page["items"]])
        cursor = page["next_cursor"]
    on_that_day = [page for page in pages if page[0].startswith("2026-12-02")]
    assert on_that_day == [[start] for start in reversed(starts)]
    of_the_resource = listed(house, resource_id=house.resource_id)
    assert {item["reason"] for item in of_the_resource} == {"outside-working-hours"}
    assert len(of_the_resource) == len(pages)
    assert listed(house, resource_id=house.location_id) == []

    set_hours(house, OFFICE_HOURS)

    assert listed(house) == []


def test_customers_do_not_see_it_and_odd_queries_are_refused(house: House) -> None:
    problem(house.get("/attention", role="customer"), 403, "forbidden")
    assert house.get("/attention", role="auditor").status_code == 200
    problem(house.get("/attention", cursor="x"), 400, "malformed-cursor")
    problem(house.get("/attention", resource="x"), 422, "unknown-parameter")
    problem(house.get("/attention", limit="201"), 422, "invalid-request")
