"""Seats that are held: they count until their deadline, and so does the claim of a session that has no others."""

from datetime import timedelta

import pytest

from application.visits import (
    Cancel,
    CheckIn,
    Confirm,
    Fulfil,
    Lapse,
    MarkNoShow,
    Release,
    cancel,
    check_in,
    confirm,
    fulfil,
    lapse,
    mark_no_show,
    release,
)
from domain.appointment import Status
from domain.refusals import (
    HoldLapsed,
    SessionFull,
    SlotTaken,
)
from domain.session import session_id
from tests.desk import HOUR, MINUTE, NINE, Desk
from tests.seats import claim_of_the_session, the_session

EARLY = NINE - 5 * HOUR


def test_a_held_seat_is_free_at_its_deadline_before_any_clock_has_noticed() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    yoga = desk.service(seats=2)
    desk.booked(yoga)
    desk.booked(yoga, hold_min=30)
    desk.now += 30 * MINUTE - timedelta(microseconds=1)
    with pytest.raises(SessionFull):
        desk.booked(yoga)

    desk.now += timedelta(microseconds=1)

    desk.booked(yoga)


def test_a_session_of_held_seats_claims_its_room_as_long_as_the_last_of_them() -> None:
    desk = Desk(now=EARLY)
    room, yoga = desk.resource(), desk.service(seats=4)
    desk.booked(yoga, hold_min=30)
    desk.booked(yoga, hold_min=90)
    desk.booked(yoga, hold_min=60)
    claimed = claim_of_the_session(desk, room, yoga)
    assert claimed
    assert claimed.until == EARLY + 90 * MINUTE
    with pytest.raises(SlotTaken):
        desk.booked(desk.service())

    desk.now = EARLY + 90 * MINUTE

    after = desk.booked(desk.service())  # nobody has a seat any more
    assert after.allotments[0].resource_id == room


def test_one_firm_seat_keeps_the_room_for_good_and_without_it_the_deadlines_count_again() -> None:
    desk = Desk(now=EARLY)
    room, yoga = desk.resource(), desk.service(seats=4)
    desk.booked(yoga, hold_min=30)
    firm = desk.booked(yoga)
    claimed = claim_of_the_session(desk, room, yoga)
    assert claimed
    assert claimed.until is None

    desk.do(cancel, Cancel(appointment_id=firm.id))

    left = claim_of_the_session(desk, room, yoga)
    assert left
    assert left.until == EARLY + 30 * MINUTE


def test_a_confirmed_seat_keeps_the_session_in_its_room() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    yoga = desk.service(seats=2)
    held = desk.booked(yoga, hold_min=30)
    desk.do(confirm, Confirm(appointment_id=held.id))
    desk.now += HOUR
    with pytest.raises(SlotTaken):
        desk.booked(desk.service())


def test_a_held_seat_whose_session_went_on_without_it_is_not_confirmed() -> None:
    desk = Desk(now=EARLY)
    room, yoga = desk.resource(), desk.service(seats=2)
    held = desk.booked(yoga, hold_min=30)
    desk.now += 30 * MINUTE
    after = desk.booked(yoga, seats=2)
    desk.now -= timedelta(seconds=1)  # the clock of the process that is asked to confirm is behind

    with pytest.raises(HoldLapsed):
        desk.do(confirm, Confirm(appointment_id=held.id))

    desk.now += timedelta(seconds=1)
    desk.do(lapse, Lapse(appointment_id=held.id), desk.clock)
    assert desk.appointment(held.id).status is Status.CANCELLED
    assert [taker.appointment_id for taker in the_session(desk, yoga).takers] == [after.id]
    assert desk.claims_on(room) == [session_id(yoga, NINE)]


def test_seats_that_lapsed_in_another_room_leave_nothing_behind_when_the_session_opens_anew() -> None:
    desk = Desk(now=EARLY)
    first, second = desk.resource(), desk.resource()
    yoga, single = desk.service(seats=2), desk.service()
    desk.booked(yoga, hold_min=30)
    desk.now += 30 * MINUTE
    visit = desk.booked(single, resource_ids=(first,))

    desk.booked(yoga)

    assert desk.claims_on(first) == [visit.id]
    assert desk.claims_on(second) == [session_id(yoga, NINE)]


def test_a_lapse_after_the_session_closed_changes_nothing_of_it() -> None:
    desk = Desk(now=EARLY)
    room, yoga = desk.resource(), desk.service(seats=3)
    lapsed, cancelled = desk.booked(yoga, hold_min=30), desk.booked(yoga)
    desk.now += HOUR
    desk.do(cancel, Cancel(appointment_id=cancelled.id))
    assert desk.claims_on(room) == []
    version = desk.streams[session_id(yoga, NINE)].version

    desk.do(lapse, Lapse(appointment_id=lapsed.id), desk.clock)

    assert desk.streams[session_id(yoga, NINE)].version == version


def test_a_customer_that_holds_seats_may_book_again_as_many_as_there_are() -> None:
    desk = Desk(now=EARLY)
    desk.resource()
    yoga, customer = desk.service(seats=3), desk.customer()
    held = desk.booked(yoga, customer_id=customer, seats=2, hold_min=30)

    booked = desk.booked(yoga, customer_id=customer, seats=3)

    assert booked.status is Status.BOOKED
    assert desk.appointment(held.id).status is Status.CANCELLED
    assert the_session(desk, yoga).seats_free(now=desk.now) == 0
    assert len(the_session(desk, yoga).takers) == 1


def test_attendance_is_each_visitors_own_and_leaves_the_session_alone() -> None:
    desk = Desk(now=EARLY)
    room, yoga = desk.resource(), desk.service(seats=3, release_after_min=20)
    came, stayed_away, released = (desk.booked(yoga) for _ in range(3))
    desk.now = NINE + 20 * MINUTE

    desk.do(check_in, CheckIn(appointment_id=came.id))
    desk.do(fulfil, Fulfil(appointment_id=came.id))
    desk.do(mark_no_show, MarkNoShow(appointment_id=stayed_away.id))
    assert the_session(desk, yoga).seats_free(now=desk.now) == 0
    desk.do(release, Release(appointment_id=released.id), desk.clock)

    assert the_session(desk, yoga).seats_free(now=desk.now) == 1
    assert desk.claims_on(room) == [session_id(yoga, NINE)]
