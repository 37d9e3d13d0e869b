"""The audit finds nothing in real waitlists, and finds whoever was passed over, and offers that nothing backs."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from application.visits import Lapse, lapse
from application.waiting import Accept, Decline, EndWaiting, Leave, accept, decline, end_waiting, leave
from domain.service import Requirement
from domain.waitlist import waitlist_id
from infra.findings import ILLEGAL, PASSED_OVER, UNBACKED, UNKNOWN
from infra.verification import Row, sweep
from tests.desk import HOUR, MONDAY, NINE
from tests.infra.histories import Forger, RecordedDesk, altered, data_of, last, only
from tests.waiting_room import ALL_MONDAY, HALF_HOUR, MORNING, Queue

OFFERED = "waitlist.offered.v1"


class RecordedQueue(Queue):
    def __init__(self, **terms: Any) -> None:
        self.recorded = RecordedDesk(now=MONDAY)
        super().__init__(desk=self.recorded, **terms)

    @property
    def rows(self) -> list[Row]:
        return self.recorded.rows

    def forge(self, topic: str, **data: Any) -> int:
        """Of the waitlist; returns the position."""
        forger = Forger(self.rows, self.desk.organization_id, self.desk.now)
        return forger.write(waitlist_id(self.desk.organization_id), topic, data)

    def retell(self, topic: str, change: Callable[[dict[str, Any]], None]) -> int:
        """Alter the last fact of a topic; returns its position."""
        place = last(self.rows, topic)
        self.rows[place] = altered(self.rows[place], lambda state: change(state["data"]))
        return self.rows[place][0]


def with_an_offer() -> tuple[RecordedQueue, UUID, UUID]:
    """Two wait; the first has an offer."""
    queue = RecordedQueue(offer_min=30)
    visit = queue.desk.booked(queue.service)
    first, second = queue.joined(), queue.joined()
    queue.cancel(visit)
    return queue, first, second


def test_nothing_is_found_in_a_day_of_real_turns() -> None:
    queue, first, second = with_an_offer()
    desk = queue.desk
    desk.do(decline, Decline(entry_id=first))
    hold = queue.offered(second)
    assert hold
    third = queue.joined(windows=ALL_MONDAY)
    desk.now += HALF_HOUR
    desk.do(lapse, Lapse(appointment_id=hold.id), desk.clock)
    desk.do(accept, Accept(entry_id=third))
    desk.do(leave, Leave(entry_id=first))
    desk.now = NINE + HOUR
    desk.do(end_waiting, EndWaiting(), desk.clock)

    findings = sweep(queue.rows)

    assert findings.clean, findings.faults
    assert queue.waitlist().entries == ()


def _becomes(data: dict[str, Any], state: dict[str, Any]) -> None:
    state["data"] = data


def test_who_came_first_and_was_not_offered_it_is_found() -> None:
    queue, _, _ = with_an_offer()
    one, other = (place for place, row in enumerate(queue.rows) if row[3] == "waitlist.joined.v1")
    told = data_of(queue.rows[one]), data_of(queue.rows[other])
    for place, lie in zip((one, other), reversed(told), strict=True):  # they came the other way round
        queue.rows[place] = altered(queue.rows[place], partial(_becomes, lie))

    findings = sweep(queue.rows)

    only(findings, PASSED_OVER)
    assert findings.faults[0].against == (queue.rows[one][0],)


def test_an_offer_that_does_not_suit_is_found() -> None:
    queue, _, _ = with_an_offer()
    later = {"start": (NINE + HOUR).isoformat(), "end": (NINE + 2 * HOUR).isoformat()}
    for place in [place for place, row in enumerate(queue.rows) if row[3] == "waitlist.joined.v1"]:
        queue.rows[place] = altered(queue.rows[place], lambda state: state["data"].update(windows=[later]))

    only(sweep(queue.rows), PASSED_OVER)


@pytest.mark.parametrize(
    "change",
    [
        {"appointment_id": "00000000-0000-0000-0000-000000000007"},
        {"until": (MONDAY + HOUR).isoformat()},
        {"visit": {"start": NINE.isoformat(), "end": (NINE + HALF_HOUR).isoformat()}},
    ],
    ids=["another appointment", "another deadline", "another visit"],
)
def test_an_offer_that_its_hold_does_not_back_is_found(change: dict[str, Any]) -> None:
    queue, _, _ = with_an_offer()

    position = queue.retell(OFFERED, lambda data: data.update(change))

    findings = sweep(queue.rows)
    assert findings.counts[UNBACKED] == 1
    assert findings.faults[0].position == position


def test_a_hold_for_somebody_else_backs_nothing() -> None:
    queue, _, second = with_an_offer()

    queue.retell("appointment.held.v1", lambda data: data.update(entry_id=str(second)))

    only(sweep(queue.rows), UNBACKED)


def test_an_offer_that_stands_when_its_hold_is_gone_is_found() -> None:
    queue, first, _ = with_an_offer()
    queue.desk.do(decline, Decline(entry_id=first))
    place = last(queue.rows, "waitlist.declined.v1")
    del queue.rows[place:]  # the offer to the next, too

    findings = sweep(queue.rows)

    assert findings.counts[UNBACKED] == 1


def test_an_accepted_offer_that_is_no_booking_is_found() -> None:
    queue, first, _ = with_an_offer()
    hold = queue.offered(first)
    assert hold

    queue.forge("waitlist.accepted.v1", entry_id=str(first), appointment_id=str(hold.id))

    only(sweep(queue.rows), UNBACKED)


def test_what_is_told_of_someone_who_does_not_wait_is_found() -> None:
    queue, first, _ = with_an_offer()
    queue.desk.do(leave, Leave(entry_id=first))

    queue.forge("waitlist.left.v1", entry_id=str(first))

    only(sweep(queue.rows), ILLEGAL)


def test_a_second_offer_beside_the_first_is_found() -> None:
    queue, first, _ = with_an_offer()
    hold = queue.offered(first)
    assert hold
    again = data_of(queue.rows[last(queue.rows, OFFERED)])

    queue.forge(OFFERED, **again)

    only(sweep(queue.rows), ILLEGAL)


def test_an_unknown_fact_of_the_waitlist_is_found() -> None:
    queue, first, _ = with_an_offer()

    queue.forge("waitlist.promoted.v1", entry_id=str(first))

    only(sweep(queue.rows), UNKNOWN)


def test_whoever_is_elsewhere_or_asked_for_another_room_was_not_passed_over() -> None:
    queue = RecordedQueue()
    customer_id, other_room = queue.desk.customer(), queue.desk.resource("room")
    chair = queue.desk.resource("chair")
    sitting = queue.desk.service(Requirement(resource_id=chair))
    queue.desk.booked(sitting, NINE, customer_id=customer_id)
    visit = queue.desk.booked(queue.service, resource_ids=(queue.room,))
    queue.desk.booked(queue.service, resource_ids=(other_room,))
    queue.joined(customer_id=customer_id)
    queue.joined(resource_id=other_room)
    third = queue.joined(windows=MORNING)

    queue.cancel(visit)

    assert queue.offers() == [third]
    assert sweep(queue.rows).clean
