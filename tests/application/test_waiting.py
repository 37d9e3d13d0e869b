"""Joining the waitlist, answering what it offers, and leaving it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from application.booking import Reschedule, reschedule
from application.offering import OfferTime, offer_time
from application.visits import Cancel, Confirm, cancel, confirm
from application.waiting import (
    Accept,
    Decline,
    EndWaiting,
    Leave,
    accept,
    decline,
    end_waiting,
    leave,
)
from domain.account import Role
from domain.appointment import Status
from domain.interval import Interval
from domain.permissions import Actor
from domain.refusals import (
    AlreadyWaiting,
    Forbidden,
    HoldLapsed,
    InvalidValue,
    NotFound,
    NothingOffered,
    NotInThatState,
    ResourceNotSuitable,
    WaitlistFull,
)
from domain.waitlist import CUSTOMER_ENTRIES_MAX, WINDOWS_MAX
from tests.desk import HOUR, MINUTE, MONDAY, NINE, Desk
from tests.waiting_room import ALL_MONDAY, HALF_HOUR, Queue


def test_an_accepted_offer_is_a_booking_and_its_entry_waits_no_more() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    first = queue.joined()
    queue.cancel(visit)
    hold = queue.offered(first)
    assert hold

    answer = queue.desk.do(accept, Accept(entry_id=first))

    assert (answer["id"], answer["status"]) == (first, "accepted")
    assert answer["appointment"]["id"] == hold.id
    assert answer["appointment"]["waitlist_entry_id"] == first
    assert queue.desk.appointment(hold.id).status is Status.BOOKED
    assert queue.waitlist().entries == ()


def test_an_accepted_offer_of_a_service_that_is_approved_waits_for_that() -> None:
    queue = Queue(approval_required=True)
    visit = queue.desk.booked(queue.service)
    first = queue.joined()
    queue.cancel(visit)

    answer = queue.desk.do(accept, Accept(entry_id=first))

    assert answer["appointment"]["status"] == "pending"
    assert queue.waitlist().entries == ()


def test_confirming_the_hold_is_accepting_the_offer_and_cancelling_it_is_declining() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    first, second = queue.joined(), queue.joined()
    queue.cancel(visit)
    hold = queue.offered(first)
    assert hold

    queue.cancel(hold)
    next_hold = queue.offered(second)
    assert next_hold
    queue.desk.do(confirm, Confirm(appointment_id=next_hold.id))

    assert [entry.id for entry in queue.waitlist().entries] == [first]
    assert queue.desk.appointment(next_hold.id).status is Status.BOOKED


def test_an_offer_is_accepted_or_declined_but_not_moved() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    first = queue.joined()
    queue.cancel(visit)
    hold = queue.offered(first)
    assert hold

    with pytest.raises(NotInThatState):
        queue.desk.do(reschedule, Reschedule(appointment_id=hold.id, start=NINE + HOUR))
    queue.desk.do(accept, Accept(entry_id=first))
    queue.desk.do(reschedule, Reschedule(appointment_id=hold.id, start=NINE + HOUR))


def test_who_leaves_gives_the_offer_to_the_next() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    first, second = queue.joined(windows=ALL_MONDAY), queue.joined()
    queue.cancel(visit)
    hold = queue.offered(first)
    assert hold

    answer = queue.desk.do(leave, Leave(entry_id=first))

    assert answer["status"] == "left"
    assert queue.desk.appointment(hold.id).status is Status.CANCELLED
    assert [entry.id for entry in queue.waitlist().entries] == [second]
    assert queue.offered(second)


def test_there_is_nothing_to_answer_without_an_offer_or_after_its_time() -> None:
    queue = Queue(offer_min=30)
    visit = queue.desk.booked(queue.service)
    first = queue.joined()
    for use_case, command in ((accept, Accept(entry_id=first)), (decline, Decline(entry_id=first))):
        with pytest.raises(NothingOffered):
            queue.desk.do(use_case, command)

    queue.cancel(visit)
    queue.desk.now += HALF_HOUR

    for use_case, command in ((accept, Accept(entry_id=first)), (decline, Decline(entry_id=first))):
        with pytest.raises(HoldLapsed):
            queue.desk.do(use_case, command)


def test_an_offer_that_another_clock_declared_lapsed_but_that_is_confirmed_ends_the_waiting() -> None:
    queue = Queue(offer_min=30)
    morning, evening = queue.desk.booked(queue.service), queue.desk.booked(queue.service, NINE + 9 * HOUR)
    first = queue.joined()
    queue.cancel(morning)
    hold = queue.offered(first)
    assert hold
    queue.desk.now += HALF_HOUR  # by this process's clock
    queue.cancel(evening)
    assert queue.entry(first).offer is None
    queue.desk.now -= MINUTE  # and by the other's

    queue.desk.do(confirm, Confirm(appointment_id=hold.id))

    assert queue.waitlist().entries == ()


@pytest.mark.parametrize(
    ("windows", "why"),
    [
        ((), "between 1"),
        (tuple((NINE + n * HOUR, NINE + (n + 1) * HOUR) for n in range(WINDOWS_MAX + 1)), "between 1"),
        (((NINE, NINE),), "after it starts"),
        (((NINE + HOUR, NINE),), "after it starts"),
        (((MONDAY - 9 * HOUR, MONDAY),), "future"),
        (((NINE, NINE + 59 * MINUTE),), "long enough"),
        (((MONDAY - HOUR, MONDAY + 59 * MINUTE),), "long enough"),
        (((NINE, NINE + HOUR), (NINE + 366 * 24 * HOUR, NINE + 366 * 24 * HOUR + 2 * HOUR)), "not beyond"),
    ],
)
def test_a_window_that_no_visit_could_lie_in_is_refused(windows: Any, why: str) -> None:
    queue = Queue()

    with pytest.raises(InvalidValue, match=r".*") as refusal:
        queue.joined(windows=windows)

    assert refusal.value.field == "windows"
    assert why in refusal.value.reason


def test_windows_are_kept_sorted_and_those_that_touch_are_one() -> None:
    queue = Queue()
    entry_id = queue.joined(windows=((NINE + HOUR, NINE + 2 * HOUR), (NINE, NINE + HOUR), (MONDAY, MONDAY + HOUR)))

    assert queue.entry(entry_id).windows == (Interval(MONDAY, MONDAY + HOUR), Interval(NINE, NINE + 2 * HOUR))


def test_nobody_waits_twice_for_the_same_time_of_a_service() -> None:
    queue = Queue()
    customer_id = queue.desk.customer()
    first = queue.joined(customer_id=customer_id)

    with pytest.raises(AlreadyWaiting) as refusal:
        queue.joined(customer_id=customer_id, windows=ALL_MONDAY)

    assert refusal.value.entry_id == first
    queue.joined(customer_id=customer_id, windows=((NINE + HOUR, NINE + 2 * HOUR),))
    queue.joined(customer_id=customer_id, service_id=queue.desk.service())
    queue.joined()


def test_a_customer_waits_for_so_many_things_at_most() -> None:
    queue = Queue()
    customer_id = queue.desk.customer()
    for number in range(CUSTOMER_ENTRIES_MAX):
        at = NINE + number * timedelta(days=1)
        queue.joined(customer_id=customer_id, windows=((at, at + HOUR),))

    with pytest.raises(WaitlistFull):
        queue.joined(customer_id=customer_id, windows=((NINE + 5 * HOUR, NINE + 6 * HOUR),))


def test_what_the_service_has_no_use_for_is_not_waited_for() -> None:
    queue = Queue(seats=2)

    with pytest.raises(ResourceNotSuitable):
        queue.joined(resource_id=queue.desk.resource("chair"))
    for seats in (0, 3):
        with pytest.raises(InvalidValue):
            queue.joined(seats=seats)
    with pytest.raises(NotFound):
        queue.joined(service_id=queue.desk.new_id())
    with pytest.raises(NotFound):
        queue.joined(customer_id=queue.desk.new_id())


def test_customers_wait_and_answer_for_themselves_only() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    customer_id = queue.desk.customer()
    own, stranger = queue.desk.as_customer(customer_id), queue.desk.as_customer(queue.desk.customer())
    entry_id = queue.joined(customer_id=customer_id, actor=own)
    queue.cancel(visit)

    with pytest.raises(Forbidden):
        queue.joined(customer_id=customer_id, actor=stranger)
    for use_case, command in (
        (accept, Accept(entry_id=entry_id)),
        (decline, Decline(entry_id=entry_id)),
        (leave, Leave(entry_id=entry_id)),
    ):
        with pytest.raises(NotFound):
            queue.desk.do(use_case, command, stranger)
        with pytest.raises(Forbidden):
            queue.desk.do(use_case, command, queue.desk.clock)
    queue.desk.do(accept, Accept(entry_id=entry_id), own)


def test_only_the_clock_offers_and_ends() -> None:
    queue = Queue()

    for use_case, command in ((offer_time, OfferTime(free=())), (end_waiting, EndWaiting())):
        with pytest.raises(Forbidden):
            queue.desk.do(use_case, command, queue.desk.owner)


def test_an_entry_ends_with_its_last_window() -> None:
    queue = Queue()
    over, waits = queue.joined(), queue.joined(windows=ALL_MONDAY)
    queue.desk.now = NINE + HOUR

    answer = queue.desk.do(end_waiting, EndWaiting(), queue.desk.clock)

    assert answer == {"ended": 1}
    assert [entry.id for entry in queue.waitlist().entries] == [waits]
    assert over not in [entry.id for entry in queue.waitlist().entries]


def test_another_organization_is_offered_nothing() -> None:
    queue, other = Queue(), Desk(seed=UUID(int=7))
    entry_id = queue.joined()
    visit = queue.desk.booked(queue.service)
    stranger = Actor(other.new_id(), other.organization_id, other.new_id(), Role.OWNER)

    with pytest.raises(NotFound):
        queue.desk.do(leave, Leave(entry_id=entry_id), stranger)
    with pytest.raises(NotFound):
        queue.desk.do(cancel, Cancel(appointment_id=visit.id), stranger)
