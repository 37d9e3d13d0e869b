"""Booking without an account: a hold, a code, a visit, a link. SECURITY.md rows 2, 4, 11 and 14."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.visitor import CODES_MAX, VISITOR_HOLD_MIN
from tests.api.house import House, key, made, opened_house, problem
from tests.api.running_api import MONDAY, RunningApi
from tests.api.stranger import Stranger, open_to_the_public

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@pytest.fixture
def a_private_service(house: House) -> str:
    body = {"name": "Board meeting", "duration_min": 30, "requirements": [{"kind": "practitioner"}]}
    return str(made(house.post("/services", body))["id"])


def test_anyone_sees_what_is_open_to_the_public_and_nothing_else(ada: Stranger, a_private_service: str) -> None:
    house = ada.house

    assert made(ada.get(f"/{house.id}"), 200) == {"id": house.id, "name": "Clinic", "time_zone": "UTC"}
    (service,) = made(ada.get(f"/{house.id}/services"), 200)["items"]
    assert service["id"] == house.service_id
    assert service.keys().isdisjoint({"requirements", "version"})
    window = {"start": "2026-11-24", "end": "2026-11-25"}
    slots = made(ada.get(f"/{house.id}/services/{house.service_id}/slots", **window), 200)["slots"]
    signed_in = made(house.get(f"/services/{house.service_id}/slots", **window), 200)["slots"]
    assert slots == [{"start": one["start"], "end": one["end"]} for one in signed_in]
    assert slots
    problem(ada.get(f"/{house.id}/services/{a_private_service}/slots", **window), 404, "not-found")
    problem(ada.asks_for("2026-11-24T09:00:00Z", service_id=a_private_service), 404, "not-found")


def test_an_organization_without_public_services_is_not_found(api: RunningApi, ada: Stranger) -> None:
    private = opened_house(api)

    for path in (f"/{private.id}", f"/{private.id}/services", f"/{uuid4()}", f"/{uuid4()}/services"):
        problem(ada.get(path), 404, "not-found")
    problem(
        ada.post(
            f"/{private.id}/appointments",
            {
                "service_id": private.service_id,
                "start": "2026-11-24T09:00:00Z",
                "contact": {"display_name": "X", "email": "x@mail.test"},
            },
        ),
        404,
        "not-found",
    )


def test_a_hold_becomes_a_booking_with_the_code_that_was_sent(ada: Stranger) -> None:
    house = ada.house
    held = ada.holds("2026-11-24T09:00:00Z", notes="My left knee")

    assert held["status"] == "held"
    assert held["held_until"] == (MONDAY + timedelta(minutes=VISITOR_HOLD_MIN)).isoformat().replace("+00:00", "Z")
    assert held.keys() == {"id", "status", "service_id", "start", "end", "held_until", "version"}
    booked = made(ada.confirms(held), 200)
    assert booked["status"] == "booked"
    seen = made(house["staff"].get(f"/v1/appointments/{held['id']}"), 200)
    assert seen["status"] == "booked"
    assert seen["notes"] == "My left knee"
    person = made(house["staff"].get(f"/v1/customers/{seen['customer_id']}"), 200)
    assert (person["display_name"], person["email"]) == ("Ada Canary", "ada.canary@mail.test")


@pytest.mark.security(2)
@pytest.mark.parametrize(
    "given",
    [
        {"status": "booked"},
        {"organization_id": str(uuid4())},
        {"customer_id": str(uuid4())},
        {"resource_ids": [str(uuid4())]},
        {"hold_min": 1_000},
        {"override": {"rules": ["slot_grid"], "reason": "X"}},
        {"contact": {"display_name": "X", "email": "x@mail.test", "id": str(uuid4())}},
    ],
    ids=lambda given: next(iter(given)),
)
def test_whose_and_in_which_state_it_is_is_never_said_by_the_client(ada: Stranger, given: dict[str, Any]) -> None:
    head = ada.house.api.head()
    problem(ada.asks_for("2026-11-24T10:00:00Z", **given), 422, "invalid-request")
    assert ada.house.api.head() == head


@pytest.mark.security(2)
@pytest.mark.parametrize("field", ["status", "organization_id", "version", "held_until"])
def test_a_signed_in_client_does_not_say_it_either(house: House, field: str) -> None:
    for role in ("customer", "staff"):
        problem(house.book("2026-11-24T10:00:00Z", role=role, **{field: "booked"}), 422, "invalid-request")
    moving = {"start": "2026-11-24T10:00:00Z", field: "booked"}
    path = f"/appointments/{house.appointment_id}/reschedule"
    problem(house.post(path, moving, **{"If-Match": "*"}), 422, "invalid-request")


@pytest.mark.security(4)
def test_without_the_code_nobody_confirms(ada: Stranger) -> None:
    held = ada.holds("2026-11-24T10:00:00Z")
    right = ada.code_of(held)
    wrong = f"{(int(right) + 1) % 10**8:08}"
    head = ada.house.api.head()

    with ada.house.api.client() as nobody:
        problem(nobody.post(f"/v1/appointments/{held['id']}/confirm", headers=key()), 401, "unauthenticated")
        for move in ("approve", "check-in", "fulfil", "no-show"):
            problem(nobody.post(f"/v1/appointments/{held['id']}/{move}", headers=key()), 401, "unauthenticated")
    problem(ada.confirms(held, wrong), 422, "code-refused")
    problem(ada.post(f"/appointments/{held['id']}/confirm"), 422, "invalid-request")
    assert ada.house.api.head() == head
    made(ada.confirms(held, right), 200)


@pytest.mark.security(4)
def test_a_token_of_one_door_opens_no_other(ada: Stranger) -> None:
    booked = ada.books("2026-11-24T10:30:00Z")
    token = booked["link_token"]
    path = f"/v1/appointments/{booked['id']}"

    for scheme in ("Bearer", "Manage"):
        problem(ada.client.get(path, headers={"Authorization": f"{scheme} {token}"}), 401, "unauthenticated")
    bearer = ada.house["owner"].headers["Authorization"].removeprefix("Bearer ")
    for presented in (f"Bearer {bearer}", f"Manage {bearer}", f"Bearer {token}", "Manage", "Manage x", ""):
        answer = ada.client.get("/v1/public/visit", headers={"Authorization": presented})
        problem(answer, 401, "link-refused")
        assert answer.headers["WWW-Authenticate"].startswith("Manage")


@pytest.mark.security(11)
def test_nothing_is_confirmed_that_is_not_held(ada: Stranger) -> None:
    held = ada.holds("2026-11-24T11:00:00Z")
    code = ada.code_of(held)
    made(ada.confirms(held, code), 200)

    told = problem(ada.confirms(held, code), 409, "not-in-that-state")
    assert told["appointment_status"] == "booked"
    problem(ada.confirms({"id": str(uuid4())}, code), 404, "not-found")
    problem(ada.confirms({"id": ada.house.appointment_id}, code), 404, "not-found")


def test_a_lost_answer_is_given_again_with_the_same_link(ada: Stranger) -> None:
    wanted = {
        "service_id": ada.house.service_id,
        "start": "2026-11-24T12:00:00Z",
        "contact": {"display_name": "Ada", "phone": "+5527999990123"},
    }
    same = key()
    path = f"/{ada.house.id}/appointments"
    held = made(ada.post(path, wanted, **same))
    code = ada.code_of(held)
    again = ada.post(path, wanted, **same)
    assert made(again) == held
    assert again.headers["Idempotent-Replay"] == "true"
    assert ada.code_of(held) == code

    same = key()
    booked = made(ada.post(f"/appointments/{held['id']}/confirm", {"code": code}, **same), 200)
    repeated = made(ada.post(f"/appointments/{held['id']}/confirm", {"code": code}, **same), 200)
    assert repeated == booked
    assert made(ada.sees(booked["link_token"]), 200)["id"] == held["id"]


def test_a_taken_start_is_answered_with_others_and_without_anyones_ids(ada: Stranger) -> None:
    taken = "2026-11-24T13:00:00Z"
    made(ada.house.book(taken))

    told = problem(ada.asks_for(taken), 409, "slot-taken")

    assert told["alternatives"]
    assert all(one.keys() == {"start", "end"} for one in told["alternatives"])
    assert ada.house.resource_id not in str(told)
    another = ada.holds(told["alternatives"][0]["start"])
    assert another["status"] == "held"


def test_codes_are_sent_again_but_not_for_ever(ada: Stranger) -> None:
    held = ada.holds("2026-11-24T14:00:00Z")
    path = f"/appointments/{held['id']}/codes"
    first = ada.code_of(held)
    problem(ada.post(path), 409, "code-under-way")
    for _ in range(CODES_MAX - 1):
        _let_a_minute_pass(ada.house, held)
        made(ada.post(path), 200)
    assert ada.code_of(held) != first
    _let_a_minute_pass(ada.house, held)
    problem(ada.post(path), 409, "too-many-codes")
    problem(ada.confirms(held, first), 422, "code-refused")
    made(ada.confirms(held), 200)


def _let_a_minute_pass(house: House, visit: dict[str, Any]) -> None:
    """For the codes: they go by the database's clock."""
    import psycopg

    with psycopg.connect(house.api.settings.database_url) as connection:
        connection.execute(
            "UPDATE one_time_code SET issued_at = issued_at - interval '61 s' WHERE key = %s", (visit["id"],)
        )


@pytest.mark.security(14)
def test_links_are_256_random_bits_of_which_only_a_digest_is_kept(ada: Stranger) -> None:
    tokens = {ada.books(f"2026-12-{day:02}T09:00:00Z")["link_token"] for day in (1, 2, 3, 4)}

    assert len(tokens) == 4
    assert all(TOKEN.fullmatch(token) for token in tokens)  # 43 characters of base64: 256 bits
    assert len({token[i : i + 6] for token in tokens for i in range(0, 42, 6)}) == 4 * 7  # no part of one is in another
    everything = str(ada.house.api.rows("SELECT l.*, encode(l.sealed, 'escape') FROM visitor_link l"))
    everything += str(ada.house.api.rows("SELECT convert_from(state, 'UTF8') FROM stored_events"))
    everything += str(ada.house.api.rows("SELECT r.*, convert_from(answer, 'UTF8') FROM receipts r"))
    assert not [token for token in tokens if token in everything]
    digests = ada.house.api.rows("SELECT octet_length(digest) FROM visitor_link")
    assert {length for (length,) in digests} == {32}


def test_with_the_link_a_visit_is_seen_moved_and_cancelled(ada: Stranger) -> None:
    booked = ada.books("2026-12-07T09:00:00Z")
    token = booked["link_token"]
    assert token == ada.mailed_link(booked)

    seen = ada.sees(token)
    visit = made(seen, 200)
    assert seen.headers["ETag"] == f'"v{visit["version"]}"'
    assert visit["service_name"] == "Visit"
    assert visit["place"] == {"name": "Centro", "address": "Rua Um 1"}
    assert visit["change_until"] == "2026-12-07T09:00:00Z"
    moving = {"start": "2026-12-07T10:00:00Z"}
    problem(ada.with_link(token, "/reschedule", moving, version=1), 412, "stale-version")
    moved = made(ada.with_link(token, "/reschedule", moving, version=visit["version"]), 200)
    assert moved["start"] == "2026-12-07T10:00:00Z"
    gone = made(ada.with_link(token, "/cancel", {"reason": "Away"}, version=moved["version"]), 200)
    assert gone["status"] == "cancelled"
    over = made(ada.sees(token), 200)
    assert (over["status"], over["change_until"]) == ("cancelled", None)
    problem(ada.with_link(token, "/cancel"), 409, "not-in-that-state")
    problem(ada.with_link(token, "/reschedule", moving), 409, "not-in-that-state")


def test_the_cancellation_notice_binds_whoever_has_the_link(ada: Stranger) -> None:
    open_to_the_public(ada.house, cancellation_notice_min=7 * 24 * 60)
    booked = ada.books("2026-11-26T09:00:00Z")
    open_to_the_public(ada.house, cancellation_notice_min=7 * 24 * 60)

    assert made(ada.sees(booked["link_token"]), 200)["change_until"] is None
    problem(ada.with_link(booked["link_token"], "/cancel"), 409, "cancelled-too-late")
    problem(
        ada.with_link(booked["link_token"], "/reschedule", {"start": "2026-12-09T09:00:00Z"}), 409, "cancelled-too-late"
    )
    open_to_the_public(ada.house, cancellation_notice_min=0)


def test_a_lost_link_is_replaced_by_code_and_is_good_no_more(ada: Stranger) -> None:
    booked = ada.books("2026-12-10T09:00:00Z")
    made(ada.post(f"/appointments/{booked['id']}/codes"), 200)
    code = ada.code_of(booked)
    problem(ada.post(f"/appointments/{booked['id']}/link", {"code": "00000000"}), 422, "code-refused")

    renewed = made(ada.post(f"/appointments/{booked['id']}/link", {"code": code}), 200)

    assert renewed["link_token"] != booked["link_token"]
    problem(ada.sees(booked["link_token"]), 401, "link-refused")
    assert made(ada.sees(renewed["link_token"]), 200)["id"] == booked["id"]
    problem(ada.post(f"/appointments/{booked['id']}/link", {"code": code}), 422, "code-refused")


def test_where_the_house_approves_a_confirmed_hold_is_a_request(ada: Stranger) -> None:
    open_to_the_public(ada.house, approval_required=True)
    try:
        pending = ada.books("2026-12-11T09:00:00Z")
        assert pending["status"] == "pending"
        assert made(ada.sees(pending["link_token"]), 200)["status"] == "pending"
        made(ada.house.post(f"/appointments/{pending['id']}/approve", role="staff"), 200)
        assert made(ada.sees(pending["link_token"]), 200)["status"] == "booked"
    finally:
        open_to_the_public(ada.house, approval_required=False)
