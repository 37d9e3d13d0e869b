"""Series over HTTP: begun, listed, read, moved and called off."""

from tests.api.house import House, key, made, problem
from tests.api.recurring_house import changed, new_customer, taken, weekly


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
