"""What has gone wrong elsewhere when two ask at once, two hundred times each; then the journal is audited."""

import asyncio
from datetime import timedelta

import pytest

from tests.journeys.racing import LANES, Command, Track, a_clinic, a_service, at, customers, day_of, race, rooms, told
from tests.journeys.visitor import TIME_ZONE
from tests.running import RunningStack


def test_the_last_seat_goes_to_one_and_all_seats_are_in_one_session(stack: RunningStack) -> None:
    owner = a_clinic(stack)
    (hall,), crowd = rooms(owner, 1), customers(owner, 4)
    service = a_service(owner, {"resource_id": hall}, seats=3)

    async def four_want_three_seats(track: Track, number: int) -> str:
        start = at(day_of(number), "10:00")
        answers = await asyncio.gather(
            *(
                track.post(number + place, "/appointments", {"service_id": service, "customer_id": who, "start": start})
                for place, who in enumerate(crowd[number % LANES])
            )
        )
        assert told(answers) == ["201", "201", "201", "session-full"]
        assert len({answer.json()["session_id"] for answer in answers}) == 1
        (loser,) = (place for place, answer in enumerate(answers) if not answer.is_success)
        assert answers[loser].json()["seats_free"] == 0
        return f"all but {loser}"

    assert len(race(stack, owner, four_want_three_seats)) > 1


def test_the_last_resource_of_a_pool_goes_to_one_and_each_gets_another(stack: RunningStack) -> None:
    owner = a_clinic(stack)
    team, crowd = rooms(owner, 3), customers(owner, 4)
    pool = owner.post("/pools", {"name": "Team", "resource_ids": team, "strategy": "round_robin"})["id"]
    service = a_service(owner, {"pool_id": pool})

    async def four_want_three_resources(track: Track, number: int) -> str:
        starts = [at(day_of(number), clock) for clock in ("10:00", "10:15", "10:30", "10:45")]
        answers = await asyncio.gather(
            *(
                track.post(number + place, "/appointments", {"service_id": service, "customer_id": who, "start": start})
                for place, (who, start) in enumerate(zip(crowd[number % LANES], starts, strict=True))
            )
        )
        assert told(answers) == ["201", "201", "201", "slot-taken"]
        taken = [resource for answer in answers if answer.is_success for resource in answer.json()["resource_ids"]]
        assert sorted(taken) == sorted(team)
        return f"all but {[answer.is_success for answer in answers].index(False)}"

    assert len(race(stack, owner, four_want_three_resources)) > 1


def test_of_two_requests_that_overlap_one_can_be_approved_and_once(stack: RunningStack) -> None:
    owner = a_clinic(stack)
    (theatre,), crowd = rooms(owner, 1), customers(owner, 2)
    service = a_service(owner, {"resource_id": theatre}, approval_required=True)

    async def two_ask_and_two_approve(track: Track, number: int) -> str:
        asks = [
            {"service_id": service, "customer_id": who, "start": at(day_of(number), clock)}
            for who, clock in zip(crowd[number % LANES], ("10:00", "10:30"), strict=True)
        ]
        answers = await track.duel(number, ("/appointments", asks[0]), ("/appointments", asks[1]))
        assert told(answers) == ["201", "slot-taken"]
        (request,) = (answer.json() for answer in answers if answer.is_success)
        assert request["status"] == "pending"
        approval: Command = (f"/appointments/{request['id']}/approve", {})
        approvals = await track.duel(number // 4, approval, approval)
        assert told(approvals) == ["200", "not-in-that-state"]
        return f"{answers[0].status_code} {approvals[0].status_code}"

    assert race(stack, owner, two_ask_and_two_approve).keys() == {"201 200", "201 409", "409 200", "409 409"}


@pytest.mark.security(8)
def test_of_a_hold_and_a_booking_that_overlap_one_is_had(stack: RunningStack) -> None:
    owner = a_clinic(stack)
    (room,), crowd = rooms(owner, 1), customers(owner, 2)
    service = a_service(owner, {"resource_id": room})

    async def one_holds_and_one_books(track: Track, number: int) -> str:
        holder, other = crowd[number % LANES]
        hold = {"service_id": service, "customer_id": holder, "start": at(day_of(number), "10:00"), "hold_min": 30}
        booking = {"service_id": service, "customer_id": other, "start": at(day_of(number), "10:30")}
        held, booked = await track.duel(number, ("/appointments", hold), ("/appointments", booking))
        assert told([held, booked]) == ["201", "slot-taken"]
        if not held.is_success:
            assert booked.json()["status"] == "booked"
            return "the booking"
        confirmation: Command = (f"/appointments/{held.json()['id']}/confirm", {})
        confirmed, again = await track.duel(number, confirmation, ("/appointments", booking))
        assert told([confirmed, again]) == ["200", "slot-taken"]
        return "the hold"

    assert race(stack, owner, one_holds_and_one_books).keys() == {"the hold", "the booking"}


def test_of_a_series_and_a_booking_of_one_of_its_days_one_is_had_whole(stack: RunningStack) -> None:
    owner = a_clinic(stack)
    (room,), crowd = rooms(owner, 1), customers(owner, 2)
    service = a_service(owner, {"resource_id": room})

    async def one_wants_three_days_and_one_the_second(track: Track, number: int) -> str:
        patient, other = crowd[number % LANES]
        first = day_of(number, days_each=3)
        second = first + timedelta(days=1)
        series = {
            "service_id": service,
            "customer_id": patient,
            "start_local": f"{first}T10:00",
            "time_zone": TIME_ZONE,
            "rrule": "FREQ=DAILY;COUNT=3",
            "on_conflict": "refuse",
        }
        booking = {"service_id": service, "customer_id": other, "start": at(second, "10:30")}
        begun, booked = await track.duel(number, ("/series", series), ("/appointments", booking))
        if begun.is_success:
            assert told([begun, booked]) == ["201", "slot-taken"]
            return "the series"
        assert told([begun, booked]) == ["201", "series-conflicts"]
        (conflict,) = begun.json()["conflicts"]
        assert conflict["problem"]["type"] == "/problems/slot-taken"
        assert conflict["start"] == f"{second}T13:00:00Z"
        return "the booking"

    assert race(stack, owner, one_wants_three_days_and_one_the_second).keys() == {"the series", "the booking"}


def test_a_booking_comes_before_a_closure_and_is_told_or_after_it_and_is_refused(stack: RunningStack) -> None:
    owner = a_clinic(stack)
    halls, crowd = rooms(owner, LANES), customers(owner, 1)
    services = [a_service(owner, {"resource_id": hall}) for hall in halls]

    async def one_books_while_it_closes(track: Track, number: int) -> str:
        lane, day = number % LANES, day_of(number)
        closure = {"start": at(day, "10:00"), "end": at(day, "12:00")}
        booking = {"service_id": services[lane], "customer_id": crowd[lane][0], "start": at(day, "11:30")}
        closing: Command = (f"/resources/{halls[lane]}/closures", closure)
        closed, booked = await track.duel(number, closing, ("/appointments", booking))
        assert closed.status_code == 201, closed.text
        hit = [visit["id"] for visit in closed.json()["appointments"]]
        if not booked.is_success:
            assert (told([booked]), hit) == (["resource-closed"], [])
            return "the closure"
        assert int(booked.headers["Journal-Position"]) < int(closed.headers["Journal-Position"])
        assert hit == [booked.json()["id"]] or not closed.json()["appointments_complete"]
        return "the booking"

    assert race(stack, owner, one_books_while_it_closes).keys() == {"the closure", "the booking"}
