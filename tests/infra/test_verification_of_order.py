"""The audit finds facts that are missing, out of order, unreadable, or that contradict one another."""

from uuid import uuid4

import pytest

from application.visits import Cancel, cancel
from domain.resource_day import page_id
from domain.service import Requirement
from infra.findings import (
    DISORDER,
    DOUBLE_BOOKING,
    FAULTS_MAX,
    GAP,
    ILLEGAL,
    MISMATCH,
    NOTHING_TO_RELEASE,
    UNKNOWN,
    UNREADABLE,
)
from infra.verification import sweep
from tests.desk import MINUTE, NINE
from tests.infra.histories import CLAIMED, Clinic, altered, data_of, last, only


@pytest.mark.parametrize("topic", ["resource_day.slot_claimed", "appointment.booked"])
def test_a_fact_that_was_taken_out_leaves_a_gap_in_its_stream(topic: str) -> None:
    clinic = Clinic()
    visit = clinic.desk.booked(clinic.service)
    clinic.desk.do(cancel, Cancel(appointment_id=visit.id))
    del clinic.rows[last(clinic.rows, topic)]
    assert sweep(clinic.rows).counts[GAP] == 1


def test_a_position_that_comes_twice_or_goes_back_is_found() -> None:
    clinic = Clinic()
    second = clinic.rows[1]
    clinic.rows[1] = (clinic.rows[0][0], *second[1:])
    only(sweep(clinic.rows), DISORDER)


def test_positions_may_leave_gaps() -> None:
    clinic = Clinic()
    spread = [(position * 10, *rest) for position, *rest in clinic.rows]
    assert sweep(spread).clean  # type: ignore[arg-type]  # the rest of a row is a row's rest


def test_a_transition_that_no_appointment_may_make_is_found() -> None:
    for topic in ("confirmed", "fulfilled", "hold_lapsed", "booked"):
        clinic = Clinic()
        visit = clinic.desk.booked(clinic.service)
        booked = data_of(clinic.rows[last(clinic.rows, "appointment.booked")])
        clinic.forger().write(visit.id, f"appointment.{topic}.v1", booked)
        only(sweep(clinic.rows), ILLEGAL)


def test_a_booking_without_its_claim_is_found() -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    del clinic.rows[last(clinic.rows, CLAIMED)]
    only(sweep(clinic.rows), MISMATCH)


def test_a_booking_that_claims_less_than_it_says_is_found() -> None:
    shorter = {"start": NINE.isoformat(), "end": (NINE + 59 * MINUTE).isoformat()}
    for change in ({"claim": shorter}, {"quantity": 1}, {"resource_id": str(uuid4())}):
        clinic = Clinic(capacity=2)
        service = clinic.desk.service(Requirement(resource_id=clinic.room, quantity=2))
        clinic.desk.booked(service)
        place = last(clinic.rows, CLAIMED)
        clinic.rows[place] = altered(clinic.rows[place], lambda state, change=change: state["data"].update(change))  # type: ignore[misc]
        assert sweep(clinic.rows).counts[MISMATCH] == 1


def test_a_cancelled_visit_that_keeps_its_claim_is_found() -> None:
    clinic = Clinic()
    visit = clinic.desk.booked(clinic.service)
    clinic.desk.do(cancel, Cancel(appointment_id=visit.id))
    del clinic.rows[last(clinic.rows, "resource_day.claim_released")]
    only(sweep(clinic.rows), MISMATCH)


def test_a_release_of_nothing_is_found() -> None:
    clinic = Clinic()
    page = page_id(clinic.room, NINE.date())
    clinic.forger().write(page, "resource_day.claim_released.v1", {"appointment_id": str(uuid4())})
    only(sweep(clinic.rows), NOTHING_TO_RELEASE)


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b'{"meta":{},"data":{}}', b"\xff\xfe\x00"])
def test_a_fact_that_cannot_be_read_is_found_and_the_sweep_goes_on(state: bytes) -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    clinic.rows.append((clinic.rows[-1][0] + 1, uuid4(), 1, CLAIMED, state))
    clinic.claim_again(last(clinic.rows[:-1], CLAIMED))
    findings = sweep(clinic.rows)
    assert dict(findings.counts) == {UNREADABLE: 1, DOUBLE_BOOKING: 1}


def test_a_kind_of_claim_that_the_audit_does_not_know_is_not_passed_over() -> None:
    clinic = Clinic()
    clinic.forger().write(uuid4(), "resource_day.slot_claimed.v2", {})
    only(sweep(clinic.rows), UNKNOWN)


def test_all_faults_are_counted_and_not_all_described() -> None:
    clinic = Clinic()
    forger = clinic.forger()
    for _ in range(FAULTS_MAX + 50):
        forger.write(uuid4(), "resource_day.claim_released.v1", {"appointment_id": str(uuid4())})
    findings = sweep(clinic.rows)
    assert findings.counts[NOTHING_TO_RELEASE] == FAULTS_MAX + 50
    assert len(findings.faults) == FAULTS_MAX
