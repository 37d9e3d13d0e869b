"""The audit finds seats that are sold twice, lost, or that differ from what appointments say."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from application.visits import Approve, Cancel, Confirm, Lapse, Release, approve, cancel, confirm, lapse, release
from domain.appointment import Appointment
from domain.service import Requirement
from infra.findings import DOUBLE_BOOKING, ILLEGAL, MISMATCH, OVERSOLD, SEATS_LOST, SEATS_MISMATCH, SESSION_TWICE
from infra.verification import sweep
from tests.desk import HOUR, MINUTE, NINE
from tests.infra.histories import CLAIMED, Clinic, Forger, altered, data_of, entered, last, only

OPENED, TAKEN, LEFT = "session.opened.v1", "session.seats_taken.v1", "session.seats_left.v1"
CLOSED, RELEASED = "session.closed.v1", "resource_day.claim_released.v1"


class ClassRoom(Clinic):
    """A clinic whose service has three seats."""

    def __init__(self, *, capacity: int = 1) -> None:
        super().__init__(capacity=capacity)
        self.service = self.desk.service(Requirement(resource_id=self.room), seats=3, release_after_min=30)

    def guest(self, **wish: Any) -> Appointment:
        return self.desk.booked(self.service, **wish)

    def plant_guest(self, seats: int, **changes: Any) -> None:
        """One more visit in the session of the last, which has taken its seats without asking whether they are free."""
        forger = self.forger()
        visit = data_of(self.rows[last(self.rows, "appointment.")]) | {"seats": seats, "overridden": []} | changes
        visit |= {"appointment_id": str(uuid4()), "customer_id": str(uuid4())}
        forger.write(UUID(visit["appointment_id"]), "appointment.booked.v1", visit)
        seat = {key: visit[key] for key in ("session_id", "appointment_id", "seats")}
        forger.write(UUID(visit["session_id"]), TAKEN, seat, same_command=True)
        forger.write(*entered(visit), same_command=True)


def test_nothing_is_found_in_the_life_of_a_class() -> None:
    clinic = ClassRoom()  # given
    desk = clinic.desk
    first, held = clinic.guest(), clinic.guest(hold_min=10, seats=2)
    desk.do(cancel, Cancel(appointment_id=first.id))
    desk.do(confirm, Confirm(appointment_id=held.id))
    other = clinic.guest(hold_min=10)
    desk.do(cancel, Cancel(appointment_id=held.id))
    desk.now += 10 * MINUTE
    again = clinic.guest(seats=3)  # opens the session anew: the hold is over
    desk.do(lapse, Lapse(appointment_id=other.id), desk.clock)
    desk.now = NINE + 30 * MINUTE
    desk.do(release, Release(appointment_id=again.id), desk.clock)
    findings = sweep(clinic.rows)  # when
    assert findings.clean, findings.faults  # then


def test_more_seats_than_there_are_are_found() -> None:
    clinic = ClassRoom()
    clinic.guest(seats=2)
    clinic.plant_guest(seats=1)
    assert sweep(clinic.rows).clean
    clinic.plant_guest(seats=1)
    only(sweep(clinic.rows), OVERSOLD)


def test_a_held_seat_counts_until_its_deadline_and_no_longer() -> None:
    for minutes_later, found in ((9, 1), (10, 0)):
        clinic = ClassRoom()
        clinic.guest()
        clinic.guest(hold_min=10, seats=2)
        clinic.desk.now += minutes_later * MINUTE
        clinic.plant_guest(seats=2, until=None)
        assert sweep(clinic.rows).counts[OVERSOLD] == found


@pytest.mark.parametrize("topic", [TAKEN, LEFT])
def test_seats_that_were_never_taken_or_never_left_are_found(topic: str) -> None:
    clinic = ClassRoom()
    clinic.guest()
    visit = clinic.guest()
    if topic == LEFT:
        clinic.desk.do(cancel, Cancel(appointment_id=visit.id))
    del clinic.rows[last(clinic.rows, topic)]
    only(sweep(clinic.rows), SEATS_MISMATCH)


@pytest.mark.parametrize("change", [{"seats": 2}, {"until": NINE.isoformat()}], ids=["number", "deadline"])
def test_seats_of_another_number_or_deadline_than_their_appointments_are_found(change: dict[str, object]) -> None:
    clinic = ClassRoom()
    clinic.guest()
    clinic.guest()
    place = last(clinic.rows, TAKEN)
    clinic.rows[place] = altered(clinic.rows[place], lambda state: state["data"].update(change))
    only(sweep(clinic.rows), SEATS_MISMATCH)


def close(clinic: ClassRoom, topic: str) -> Forger:
    """Plant the end, or a new beginning, of the session, over the heads of those who have seats."""
    opened, claimed = clinic.rows[last(clinic.rows, OPENED)], clinic.rows[last(clinic.rows, CLAIMED)]
    forger = clinic.forger()
    forger.write(opened[1], topic, data_of(opened))
    if topic == CLOSED:
        forger.write(claimed[1], RELEASED, data_of(claimed), same_command=True)
    return forger


@pytest.mark.parametrize("topic", [CLOSED, OPENED])
def test_a_session_that_ends_or_begins_anew_over_a_firm_seat_is_found(topic: str) -> None:
    clinic = ClassRoom()
    clinic.guest()
    close(clinic, topic)
    only(sweep(clinic.rows), SEATS_LOST)


def test_seats_of_a_closed_session_and_seats_that_nobody_had_are_found() -> None:
    clinic = ClassRoom()
    visit = clinic.guest()
    nobody = {"session_id": str(visit.session_id), "appointment_id": str(uuid4()), "seats": 1}
    assert visit.session_id
    clinic.forger().write(visit.session_id, LEFT, nobody)
    only(sweep(clinic.rows), ILLEGAL)
    clinic.desk.do(cancel, Cancel(appointment_id=visit.id))
    clinic.forger().write(visit.session_id, TAKEN, nobody)
    assert sweep(clinic.rows).counts[ILLEGAL] == 2


def test_two_sessions_of_a_service_at_one_start_are_found() -> None:
    clinic = ClassRoom(capacity=2)
    clinic.guest()
    opened, claimed = clinic.rows[last(clinic.rows, OPENED)], clinic.rows[last(clinic.rows, CLAIMED)]
    forger, second = clinic.forger(), str(uuid4())
    forger.write(UUID(second), OPENED, data_of(opened) | {"session_id": second})
    forger.write(claimed[1], CLAIMED, data_of(claimed) | {"appointment_id": second}, same_command=True)
    only(sweep(clinic.rows), SESSION_TWICE)


@pytest.mark.parametrize("topic", [CLAIMED, RELEASED])
def test_a_session_without_its_claim_or_a_claim_without_its_session_is_found(topic: str) -> None:
    clinic = ClassRoom()
    visit = clinic.guest()
    if topic == RELEASED:
        clinic.desk.do(cancel, Cancel(appointment_id=visit.id))
    del clinic.rows[last(clinic.rows, topic)]
    only(sweep(clinic.rows), MISMATCH)


def test_a_claim_that_ends_before_the_firm_seats_of_its_session_is_found_and_judged_as_firm() -> None:
    clinic = ClassRoom()
    clinic.guest()
    place = last(clinic.rows, CLAIMED)
    soon = (clinic.desk.now + MINUTE).isoformat()
    clinic.rows[place] = altered(clinic.rows[place], lambda state: state["data"].update(until=soon))
    only(sweep(clinic.rows), MISMATCH)
    clinic.desk.now += HOUR
    clinic.claim_again(place, until=None)
    assert dict(sweep(clinic.rows).counts) == {MISMATCH: 1, DOUBLE_BOOKING: 1}


def test_a_guest_who_claims_the_room_as_well_is_found() -> None:
    clinic = ClassRoom(capacity=2)
    visit = clinic.guest()
    claimed = clinic.rows[last(clinic.rows, CLAIMED)]
    clinic.forger().write(claimed[1], CLAIMED, data_of(claimed) | {"appointment_id": str(visit.id)})
    only(sweep(clinic.rows), MISMATCH)


def test_a_request_is_approved_and_never_confirmed_and_a_no_show_is_released_once() -> None:
    clinic = Clinic()
    clinic.service = clinic.desk.service(
        Requirement(resource_id=clinic.room), approval_required=True, release_after_min=30
    )
    asked = clinic.desk.booked(clinic.service)
    early = len(clinic.rows)
    clinic.desk.do(approve, Approve(appointment_id=asked.id))
    clinic.desk.now = NINE + 30 * MINUTE
    clinic.desk.do(release, Release(appointment_id=asked.id), clinic.desk.clock)
    assert sweep(clinic.rows).clean
    clinic.forger().write(asked.id, "appointment.released.v1", {"appointment_id": str(asked.id)})
    only(sweep(clinic.rows), ILLEGAL)
    del clinic.rows[early:]
    clinic.forger().write(asked.id, "appointment.confirmed.v1", {"appointment_id": str(asked.id)})
    only(sweep(clinic.rows), ILLEGAL)


def test_a_released_no_show_that_keeps_its_claim_is_found() -> None:
    clinic = Clinic()
    service = clinic.desk.service(Requirement(resource_id=clinic.room), release_after_min=30)
    visit = clinic.desk.booked(service)
    clinic.desk.now = NINE + 30 * MINUTE
    clinic.desk.do(release, Release(appointment_id=visit.id), clinic.desk.clock)
    del clinic.rows[last(clinic.rows, RELEASED)]
    only(sweep(clinic.rows), MISMATCH)
