"""The audit finds nothing in what the domain decides, and finds every lie that is planted."""

import ast
import json
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from application.booking import Reschedule, reschedule
from application.visits import (
    Cancel,
    CheckIn,
    Confirm,
    Fulfil,
    Lapse,
    MarkNoShow,
    cancel,
    check_in,
    confirm,
    fulfil,
    lapse,
    mark_no_show,
)
from infra import verification
from infra.findings import DOUBLE_BOOKING, FOREIGN, MISMATCH
from infra.processes.verify import told_as_json
from infra.verification import sweep, verify
from tests.desk import HOUR, MINUTE, NINE
from tests.infra.histories import CLAIMED, Clinic, altered, data_of, last, only


def test_nothing_is_found_in_a_day_of_real_decisions() -> None:
    clinic = Clinic(capacity=2)  # given
    desk = clinic.desk
    first, second = desk.booked(clinic.service), desk.booked(clinic.service)
    desk.do(reschedule, Reschedule(appointment_id=first.id, start=NINE + HOUR))
    desk.do(cancel, Cancel(appointment_id=second.id))
    desk.booked(clinic.service)
    kept, lapsed = clinic.hold(minutes=10), desk.booked(clinic.service, NINE + 3 * HOUR, hold_min=10).id
    desk.do(confirm, Confirm(appointment_id=kept))
    desk.now += 10 * MINUTE
    desk.do(lapse, Lapse(appointment_id=lapsed), desk.clock)
    desk.now = NINE + 20 * MINUTE
    desk.do(mark_no_show, MarkNoShow(appointment_id=kept))
    desk.do(check_in, CheckIn(appointment_id=first.id))
    desk.do(fulfil, Fulfil(appointment_id=first.id))
    findings = sweep(clinic.rows)  # when
    assert findings.clean, findings.faults  # then
    assert (findings.facts, findings.resources, findings.appointments) == (len(clinic.rows), 1, 5)
    assert findings.claims == sum(row[3] == CLAIMED for row in clinic.rows)


def test_what_is_found_is_told_as_json_too() -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    planted = clinic.claim_again(last(clinic.rows, CLAIMED))
    findings = sweep(clinic.rows)
    told = json.loads(told_as_json(findings, 0.5))
    assert not told["clean"]
    assert told["counts"] == {DOUBLE_BOOKING: 1}
    assert told["faults"][0]["position"] == planted


def test_a_visit_across_midnight_on_two_pages_is_one_claim() -> None:
    clinic = Clinic(zone="America/Sao_Paulo")
    clinic.desk.booked(clinic.service, NINE + 17.5 * HOUR)  # 23:30 local
    assert sum(row[3] == CLAIMED for row in clinic.rows) == 2
    assert sweep(clinic.rows).clean


def test_a_slot_that_is_booked_twice_is_found_with_both_positions_and_its_minutes() -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)  # given
    place = last(clinic.rows, CLAIMED)
    half_past = {"start": (NINE + 30 * MINUTE).isoformat(), "end": (NINE + 90 * MINUTE).isoformat()}
    planted = clinic.claim_again(place, claim=half_past)
    findings = sweep(clinic.rows)  # when
    only(findings, DOUBLE_BOOKING)  # then
    assert findings.double_bookings == 1
    assert findings.overrun_minutes == 30
    assert (findings.faults[0].position, findings.faults[0].against) == (planted, (clinic.rows[place][0],))


def test_claims_that_only_touch_are_no_double_booking() -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    next_hour = {"start": (NINE + HOUR).isoformat(), "end": (NINE + 2 * HOUR).isoformat()}
    clinic.claim_again(last(clinic.rows, CLAIMED), claim=next_hour)
    assert sweep(clinic.rows).clean


def test_a_claim_on_a_wrong_page_is_still_a_double_booking() -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    clinic.claim_again(last(clinic.rows, CLAIMED))
    clinic.rows[-1] = (clinic.rows[-1][0], uuid4(), 1, *clinic.rows[-1][3:])
    only(sweep(clinic.rows), DOUBLE_BOOKING)


def test_capacity_counts_quantities_at_their_peak() -> None:
    clinic = Clinic(capacity=5)
    clinic.desk.booked(clinic.service)
    place = last(clinic.rows, CLAIMED)
    clinic.claim_again(place, quantity=3)
    clinic.claim_again(place)
    assert sweep(clinic.rows).clean
    clinic.claim_again(place)
    findings = sweep(clinic.rows)
    only(findings, DOUBLE_BOOKING)
    assert findings.overrun_minutes == 60


def test_a_double_booking_is_found_although_it_was_cancelled_later() -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    place = last(clinic.rows, CLAIMED)
    clinic.claim_again(place)
    planted = data_of(clinic.rows[-1])["appointment_id"]
    entry = clinic.rows[last(clinic.rows, "booking_page.visit_entered")]
    forger = clinic.forger()
    forger.write(UUID(planted), "appointment.cancelled.v1", {"appointment_id": planted})
    gone = {"appointment_id": planted}
    forger.write(clinic.rows[place][1], "resource_day.claim_released.v1", gone, same_command=True)
    forger.write(entry[1], "booking_page.visit_left.v1", gone, same_command=True)
    only(sweep(clinic.rows), DOUBLE_BOOKING)


def test_a_hold_blocks_until_its_deadline_and_no_longer() -> None:
    for minutes_later, found in ((9, 1), (10, 0)):
        clinic = Clinic()
        clinic.hold(minutes=10)
        clinic.desk.now += minutes_later * MINUTE
        clinic.claim_again(last(clinic.rows, CLAIMED), until=None)
        assert sweep(clinic.rows).double_bookings == found


def test_a_hold_that_is_confirmed_after_another_took_its_slot_is_found() -> None:
    """Two processes whose clocks differ: one sees the hold lapsed and books, the other confirms it."""
    clinic = Clinic()
    held = clinic.hold(minutes=10)  # given
    clinic.desk.now += 10 * MINUTE
    taken = clinic.claim_again(last(clinic.rows, CLAIMED), until=None)
    clinic.desk.now -= 1 * MINUTE
    settle(clinic, held)  # when
    findings = sweep(clinic.rows)
    only(findings, DOUBLE_BOOKING)  # then
    assert taken in findings.faults[0].against


def settle(clinic: Clinic, held: UUID, *, claims: bool = True) -> None:
    """Plant the confirmation of the only hold, with its entry and its claim."""
    forger, its = clinic.forger(), [row for row in clinic.rows if str(held).encode() in row[4]]
    forger.write(held, "appointment.confirmed.v1", {"appointment_id": str(held)})
    for row in its:
        firm = data_of(row) | {"until": None, "is_hold": False}
        if (row[3] == CLAIMED and claims) or row[3].startswith("booking_page"):
            forger.write(row[1], row[3], firm, same_command=True)


def test_a_confirmed_hold_whose_claim_still_has_a_deadline_is_found() -> None:
    clinic = Clinic()
    settle(clinic, clinic.hold(minutes=10), claims=False)
    only(sweep(clinic.rows), MISMATCH)


def test_a_claim_on_a_resource_that_was_never_added_exceeds_its_capacity() -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    added = last(clinic.rows, "resource.added")
    del clinic.rows[added]
    assert sweep(clinic.rows).double_bookings == 1


def test_a_claim_on_another_organizations_resource_is_found() -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    place = last(clinic.rows, CLAIMED)
    clinic.rows[place] = altered(clinic.rows[place], lambda state: state["meta"].update(org=str(uuid4())))
    only(sweep(clinic.rows), FOREIGN)


def test_the_journal_of_a_database_is_read_whole_and_progress_is_told(postgres_url: str) -> None:
    clinic = Clinic()
    clinic.desk.booked(clinic.service)
    planted = clinic.claim_again(last(clinic.rows, CLAIMED))
    columns = "notification_id, originator_id, originator_version, topic, state"
    with psycopg.connect(postgres_url) as connection, connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO stored_events ({columns}) VALUES (%s, %s, %s, %s, %s)", clinic.rows)
    heard: list[int] = []
    findings = verify(postgres_url, heard.append)
    assert findings.facts == sum(heard) == len(clinic.rows)
    assert findings.faults[0].position == planted


def test_the_audit_imports_nothing_of_what_it_audits() -> None:
    whole = Path(verification.__file__)
    imported: set[str] = set()
    for path in (whole, *whole.parent.glob("audits/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    ours = {module for module in imported if module.split(".")[0] in {"domain", "application", "adapters"}}
    assert ours == set()
    assert "infra.audits.claims" in imported
