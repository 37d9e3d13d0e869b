"""What a series cannot have is told whole, each occurrence with the nearest start; what would run on, at once."""

import time
from datetime import datetime, timedelta

import pytest

from tests.api.house import House, key, made, problem
from tests.api.recurring_house import changed, new_customer, taken, weekly


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
