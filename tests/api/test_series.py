"""Series over HTTP: begun, listed, moved and called off; every conflict told with the nearest start."""

import time
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.house import House, key, made, problem

MONDAYS = [date(2027, 4, 5) + timedelta(weeks=n) for n in range(30)]


@pytest.fixture
def room_service(house: House) -> tuple[str, str]:
    """A room of its own for each test, open all day in New York, and a service of half an hour there."""
    hours = [{"weekday": day, "start": "00:00", "end": "24:00"} for day in ("MO", "TU", "WE", "TH", "FR", "SA", "SU")]
    zone = "America/New_York"
    room = {"name": "Room", "kind": uuid4().hex, "time_zone": zone, "working_hours": hours}
    made_room = made(house.post("/resources", room))
    service = {"name": "Visit", "duration_min": 30, "requirements": [{"resource_id": made_room["id"]}]}
    return made_room["id"], made(house.post("/services", service))["id"]


def new_customer(house: House) -> str:
    return str(made(house.post("/customers", {"display_name": "Rui Prado"}))["id"])


def weekly(house: House, service_id: str, **changes: object) -> dict[str, Any]:
    return {
        "service_id": service_id,
        "customer_id": new_customer(house),
        "start_local": "2027-04-05T09:00",
        "time_zone": "America/New_York",
        "rrule": "FREQ=WEEKLY;COUNT=4",
        **changes,
    }


def taken(house: House, service_id: str, start: str) -> dict[str, Any]:
    return made(house.book(start, service_id=service_id, customer_id=new_customer(house)))


def changed(house: House, series: dict[str, Any], what: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    if_match = {"If-Match": f'"v{series["version"]}"'}
    return house.post(f"/series/{series['id']}/{what}", body, **{**if_match, **headers})


def test_a_series_answers_with_every_occurrence(house: House, room_service: tuple[str, str]) -> None:
    room, service = room_service
    body = weekly(house, service, exdates=["2027-04-12T09:00"], notes="Brings her own mat")

    answer = house.post("/series", body, role="staff")  # when

    series = made(answer)
    assert answer.headers["Location"] == f"/v1/series/{series['id']}"
    assert answer.headers["ETag"] == '"v1"'
    assert series["rrule"] == "FREQ=WEEKLY;COUNT=4"
    assert series["skipped"] == []
    visits = series["occurrences"]
    assert [one["recurrence_id"] for one in visits] == [f"2027-04-{day:02}T09:00:00" for day in (5, 19, 26)]
    assert [one["start"] for one in visits] == [f"2027-04-{day:02}T13:00:00Z" for day in (5, 19, 26)]
    assert {(one["status"], one["series_id"], *one["resource_ids"]) for one in visits} == {
        ("booked", series["id"], room)
    }
    read = house.get(f"/series/{series['id']}")
    assert made(read, 200) == {name: value for name, value in series.items() if name != "skipped"}
    assert read.headers["ETag"] == '"v1"'
    visit = made(house.get(f"/appointments/{visits[1]['id']}"), 200)
    assert visit["recurrence_id"] == "2027-04-19T09:00:00"
    assert visit["notes"] == "Brings her own mat"
    listed = made(house.get("/appointments", series_id=series["id"]), 200)["items"]
    assert [one["id"] for one in listed] == [one["id"] for one in visits]


def test_a_retry_is_told_the_same_and_begins_no_second_series(house: House, room_service: tuple[str, str]) -> None:
    _, service = room_service
    taken(house, service, "2027-04-12T13:00:00Z")
    body, retried = weekly(house, service, on_conflict="skip"), key()
    first = house.post("/series", body, **retried)

    again = house.post("/series", body, **retried)

    assert made(again) == made(first)
    assert again.headers["Idempotent-Replay"] == "true"


def test_nine_oclock_stays_nine_oclock_over_http(house: House, room_service: tuple[str, str]) -> None:
    _, service = room_service

    series = made(house.post("/series", weekly(house, service, start_local="2027-03-08T09:00")))

    assert [one["start"][11:16] for one in series["occurrences"]] == ["14:00", "13:00", "13:00", "13:00"]


def test_a_refused_series_tells_every_conflict_with_the_nearest_start(
    house: House, room_service: tuple[str, str]
) -> None:
    room, service = room_service
    taken(house, service, "2027-04-12T13:00:00Z")
    taken(house, service, "2027-04-26T13:00:00Z")
    taken(house, service, "2027-04-26T12:30:00Z")
    body = weekly(house, service)
    head = house.api.head()

    refused = problem(house.post("/series", body), 409, "series-conflicts")  # when

    assert house.api.head() == head
    assert [one["recurrence_id"] for one in refused["conflicts"]] == ["2027-04-12T09:00:00", "2027-04-26T09:00:00"]
    assert [one["start"] for one in refused["conflicts"]] == ["2027-04-12T13:00:00Z", "2027-04-26T13:00:00Z"]
    first, second = refused["conflicts"]
    assert first["problem"]["type"] == "/problems/slot-taken"
    assert first["problem"]["title"]
    assert first["problem"]["resource_id"] == room
    assert first["alternative"] == {
        "start": "2027-04-12T12:30:00Z",
        "end": "2027-04-12T13:00:00Z",
        "resource_ids": [room],
    }
    assert second["alternative"]["start"] == "2027-04-26T13:30:00Z"


def test_an_alternative_can_be_booked_and_is_not_where_the_series_will_be(
    house: House, room_service: tuple[str, str]
) -> None:
    _, service = room_service
    taken(house, service, "2027-04-06T13:00:00Z")
    body = weekly(house, service, rrule="FREQ=DAILY;BYHOUR=9;BYMINUTE=0,30;COUNT=4")

    refused = problem(house.post("/series", body), 409, "series-conflicts")

    (conflict,) = refused["conflicts"]
    assert conflict["alternative"]["start"] == "2027-04-06T12:30:00Z"
    skipping = made(house.post("/series", {**body, "on_conflict": "skip"}))
    assert skipping["skipped"][0]["alternative"] == conflict["alternative"]
    made(house.book(conflict["alternative"]["start"], service_id=service, customer_id=body["customer_id"]))


def test_occurrences_that_cannot_be_had_are_skipped_and_told(house: House, room_service: tuple[str, str]) -> None:
    _, service = room_service
    taken(house, service, "2027-04-12T13:00:00Z")
    body = weekly(house, service, on_conflict="skip")
    made(house.book("2027-04-19T12:45:00Z", customer_id=body["customer_id"]))  # elsewhere

    series = made(house.post("/series", body))

    assert len(series["occurrences"]) == 2
    by_type = {one["problem"]["type"]: one for one in series["skipped"]}
    assert by_type["/problems/slot-taken"]["alternative"]["start"] == "2027-04-12T12:30:00Z"
    assert by_type["/problems/customer-elsewhere"]["alternative"]["start"] == "2027-04-19T13:15:00Z"


def test_a_series_is_moved_and_called_off_by_its_version(house: House, room_service: tuple[str, str]) -> None:
    _, service = room_service
    begun = made(house.post("/series", weekly(house, service)))
    ids = [one["id"] for one in begun["occurrences"]]

    move = {"scope": "following", "recurrence_id": "2027-04-19T09:00:00", "start_local": "2027-04-20T10:30"}
    answer = changed(house, begun, "reschedule", move)
    moved = made(answer, 200)

    assert answer.headers["ETag"] == '"v2"'
    assert [one["id"] for one in moved["occurrences"]] == ids
    assert [one["start"] for one in moved["occurrences"]] == [
        "2027-04-05T13:00:00Z",
        "2027-04-12T13:00:00Z",
        "2027-04-20T14:30:00Z",
        "2027-04-27T14:30:00Z",
    ]
    assert moved["moved"] == ["2027-04-19T09:00:00", "2027-04-26T09:00:00"]
    assert (moved["kept"], moved["skipped"]) == ([], [])
    problem(changed(house, begun, "reschedule", move), 412, "stale-version")
    problem(house.post(f"/series/{begun['id']}/cancel", {"scope": "all"}), 428, "if-match-missing")

    called_off = made(
        changed(
            house,
            moved,
            "cancel",
            {"scope": "following", "recurrence_id": "2027-04-12T09:00:00", "reason": "Moves to Porto"},
        ),
        200,
    )

    assert called_off["cancelled"] == [f"2027-04-{day}T09:00:00" for day in (12, 19, 26)]
    assert [one["id"] for one in called_off["occurrences"]] == ids[:1]
    assert made(house.get(f"/appointments/{ids[2]}"), 200)["status"] == "cancelled"
    history = made(house.get(f"/appointments/{ids[2]}/history"), 200)["items"]
    assert history[-1]["note"] == "Moves to Porto"
    assert made(house.get(f"/series/{begun['id']}"), 200)["version"] == 3


def test_what_was_changed_on_its_own_is_kept_when_the_series_moves(house: House, room_service: tuple[str, str]) -> None:
    _, service = room_service
    begun = made(house.post("/series", weekly(house, service)))
    first, second = (one["id"] for one in begun["occurrences"][:2])
    made(
        house.post(f"/appointments/{first}/reschedule", {"start": "2027-04-05T18:00:00Z"}, **{"If-Match": '"v1"'}), 200
    )
    made(house.post(f"/appointments/{second}/cancel", **{"If-Match": '"v1"'}), 200)

    moved = made(changed(house, begun, "reschedule", {"scope": "all", "start_local": "2027-04-19T10:00"}), 200)

    assert moved["kept"] == ["2027-04-05T09:00:00", "2027-04-12T09:00:00"]
    assert moved["occurrences"][0]["start"] == "2027-04-05T18:00:00Z"
    assert [one["start"] for one in moved["occurrences"][2:]] == ["2027-04-19T14:00:00Z", "2027-04-26T14:00:00Z"]


def test_a_refused_move_tells_every_conflict_with_the_nearest_start(
    house: House, room_service: tuple[str, str]
) -> None:
    room, service = room_service
    begun = made(house.post("/series", weekly(house, service)))
    taken(house, service, "2027-04-12T14:00:00Z")

    refused = problem(
        changed(house, begun, "reschedule", {"scope": "all", "start_local": "2027-04-05T10:00"}),
        409,
        "series-conflicts",
    )

    (conflict,) = refused["conflicts"]
    assert (conflict["recurrence_id"], conflict["start"]) == ("2027-04-12T09:00:00", "2027-04-12T14:00:00Z")
    assert conflict["alternative"] == {
        "start": "2027-04-12T13:30:00Z",
        "end": "2027-04-12T14:00:00Z",
        "resource_ids": [room],
    }
    move = {"scope": "all", "start_local": "2027-04-05T10:00", "on_conflict": "skip"}
    skipping = made(changed(house, begun, "reschedule", move), 200)
    assert [one["recurrence_id"] for one in skipping["skipped"]] == ["2027-04-12T09:00:00"]


def test_series_are_listed_by_customer_and_page(house: House, room_service: tuple[str, str]) -> None:
    _, service = room_service
    customer = new_customer(house)
    bodies = [weekly(house, service, customer_id=customer, start_local=f"2027-04-05T{hour}:00") for hour in (10, 11)]
    first, second = (made(house.post("/series", body)) for body in bodies)
    made(changed(house, first, "cancel", {"scope": "this", "recurrence_id": "2027-04-05T10:00:00"}), 200)

    page = made(house.get("/series", customer_id=customer, limit="1"), 200)
    rest = made(house.get("/series", customer_id=customer, cursor=page["next_cursor"]), 200)

    ids = [(one["id"], one["occurrence_count"], one["version"]) for one in [*page["items"], *rest["items"]]]
    assert ids == [(first["id"], 3, 2), (second["id"], 4, 1)]
    assert page["items"][0]["start_local"] == "2027-04-05T10:00:00"
    assert rest["next_cursor"] is None


def test_customers_have_their_own_series_only(house: House, room_service: tuple[str, str]) -> None:
    _, service = room_service
    other = made(house.post("/series", weekly(house, service)))
    mine = weekly(house, service, customer_id=house.customer_id, start_local="2027-04-05T11:00")

    own = made(house.post("/series", mine, role="customer"))

    listed = made(house.get("/series", role="customer"), 200)["items"]
    assert [one["id"] for one in listed] == [house.series_id, own["id"]]
    problem(house.get(f"/series/{other['id']}", role="customer"), 404, "not-found")
    problem(house.get("/series", role="customer", customer_id=other["customer_id"]), 403, "forbidden")
    problem(house.post("/series", {**mine, "customer_id": other["customer_id"]}, role="customer"), 403, "forbidden")
    cancel = house.post(f"/series/{other['id']}/cancel", {"scope": "all"}, role="customer", **{"If-Match": "*"})
    problem(cancel, 404, "not-found")
    made(house.post(f"/series/{own['id']}/cancel", {"scope": "all"}, role="customer", **{"If-Match": "*"}), 200)


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"rrule": "FREQ=SECONDLY;COUNT=1000000000"}, "invalid-value"),
        ({"rrule": "FREQ=DAILY;COUNT=1000000000"}, "invalid-value"),
        ({"rrule": "FREQ=DAILY"}, "invalid-value"),
        ({"rrule": "FREQ=DAILY;UNTIL=20370401"}, "invalid-value"),
        ({"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2"}, "invalid-value"),
        ({"rrule": "FREQ=DAILY;COUNT=367"}, "invalid-value"),
        ({"rrule": "x" * 501}, "invalid-request"),
        ({"rrule": ""}, "invalid-request"),
        ({"start_local": "2027-04-05T09:00:00Z"}, "invalid-request"),
        ({"start_local": "2027-04-05T09:00:30"}, "invalid-request"),
        ({"start_local": "2027-04-31T09:00"}, "invalid-request"),
        ({"start_local": "9999-12-31T23:59"}, "invalid-request"),
        ({"time_zone": "Mars/Olympus"}, "invalid-value"),
        ({"exdates": ["2027-04-05T09:00"] * 367}, "invalid-request"),
        ({"exdates": ["2027-04-05"]}, "invalid-request"),
        ({"on_conflict": "ignore"}, "invalid-request"),
        ({"seats": 0}, "invalid-request"),
        ({"seats": 2}, "invalid-value"),
    ],
    ids=str,
)
def test_what_would_run_on_or_cannot_be_is_refused_at_once(
    house: House, room_service: tuple[str, str], changes: dict[str, object], slug: str
) -> None:
    body = weekly(house, room_service[1], **changes)
    took_s = []
    for _ in range(3):
        started = time.perf_counter()
        document = problem(house.post("/series", body), 422, slug)
        took_s.append(time.perf_counter() - started)

    assert document["errors"]
    assert min(took_s) < 0.1  # the machine may be busy with something else, but not each time


def test_a_change_that_names_no_occurrence_is_refused(house: House, room_service: tuple[str, str]) -> None:
    begun = made(house.post("/series", weekly(house, room_service[1])))
    for body in (
        {"scope": "this", "start_local": "2027-04-05T10:00"},
        {"scope": "following", "recurrence_id": "2027-04-06T09:00:00", "start_local": "2027-04-05T10:00"},
    ):
        document = problem(changed(house, begun, "reschedule", body), 422, "invalid-value")
        assert document["errors"][0]["pointer"] == "/recurrence_id"
    problem(changed(house, begun, "cancel", {"scope": "some"}), 422, "invalid-request")


def test_a_year_of_conflicts_is_told_with_an_alternative_for_each_in_two_seconds(
    house: House, room_service: tuple[str, str]
) -> None:
    _, service = room_service
    made(
        house["owner"].patch(
            f"/v1/services/{service}", json={"max_advance_days": 600}, headers={**key(), "If-Match": '"v1"'}
        ),
        200,
    )
    body = weekly(house, service, rrule="FREQ=DAILY;COUNT=366")
    made(house.post("/series", body))
    again = {**body, "customer_id": new_customer(house)}

    started = time.perf_counter()
    refused = problem(house.post("/series", again), 409, "series-conflicts")
    took_s = time.perf_counter() - started

    assert len(refused["conflicts"]) == 366
    for conflict in refused["conflicts"]:
        away = datetime.fromisoformat(conflict["alternative"]["start"]) - datetime.fromisoformat(conflict["start"])
        assert abs(away) == timedelta(minutes=30)
    assert took_s < 2
