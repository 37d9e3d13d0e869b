"""What becomes free is offered to those who wait, in the order in which they came."""

import pytest

from application.booking import Reschedule, reschedule
from application.offering import OfferTime, offer_time
from application.prospects import FreeVisit
from application.visits import Lapse, Release, lapse, release
from application.waiting import (
    Decline,
    decline,
)
from domain.appointment import Status
from domain.interval import Interval
from domain.refusals import (
    SlotTaken,
)
from domain.service import BookingLimit, Holder, Period, Requirement
from tests.desk import HOUR, MINUTE, MONDAY, NINE
from tests.waiting_room import ALL_MONDAY, HALF_HOUR, MORNING, Queue


def test_what_is_cancelled_is_held_for_the_first_in_line() -> None:
    queue = Queue(offer_min=45)
    visit = queue.desk.booked(queue.service)
    first, second = queue.joined(), queue.joined()

    queue.cancel(visit)

    hold = queue.offered(first)
    assert hold
    assert (hold.status, hold.visit.start, hold.entry_id) == (Status.HELD, NINE, first)
    assert hold.held_until == MONDAY + 45 * MINUTE
    assert queue.offered(second) is None


def test_nobody_else_gets_between_a_release_and_its_offer() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    queue.joined()

    queue.cancel(visit)

    with pytest.raises(SlotTaken):
        queue.desk.booked(queue.service)


def test_whom_it_does_not_suit_is_passed_over_and_keeps_the_place() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    later = queue.joined(windows=((NINE + 4 * HOUR, NINE + 5 * HOUR),))
    other_room = queue.desk.resource("room")
    elsewhere = queue.joined(resource_id=other_room)
    suited = queue.joined()

    queue.cancel(visit)

    assert queue.offers() == [suited]
    assert [entry.id for entry in queue.waitlist().entries] == [later, elsewhere, suited]


def test_what_is_declined_goes_to_the_next_and_is_not_offered_again() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    first, second = queue.joined(), queue.joined()
    queue.cancel(visit)

    answer = queue.desk.do(decline, Decline(entry_id=first))
    queue.desk.do(decline, Decline(entry_id=second))

    assert (answer["status"], answer["appointment"]["status"]) == ("waiting", "cancelled")
    assert queue.offers() == [first, second]
    assert [entry.id for entry in queue.waitlist().entries] == [first, second]


def test_who_declines_a_time_is_not_offered_a_little_before_or_after_it() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    windows = ((NINE, NINE + HOUR + HALF_HOUR),)  # two starts, but room for one visit
    first, second = queue.joined(windows=windows), queue.joined(windows=windows)
    queue.cancel(visit)

    queue.desk.do(decline, Decline(entry_id=first))

    assert queue.offers() == [first, second]


def test_who_declined_is_still_the_first_in_line_for_another_time() -> None:
    queue = Queue()
    morning, noon = queue.desk.booked(queue.service), queue.desk.booked(queue.service, NINE + 4 * HOUR)
    windows = (*MORNING, (NINE + 4 * HOUR, NINE + 5 * HOUR))
    first, second = queue.joined(windows=windows), queue.joined(windows=windows)
    queue.cancel(morning)
    queue.desk.do(decline, Decline(entry_id=first))

    queue.cancel(noon)

    assert queue.offers() == [first, second, first]


def test_what_lapses_goes_to_the_next() -> None:
    queue = Queue(offer_min=30)
    visit = queue.desk.booked(queue.service)
    first, second = queue.joined(), queue.joined()
    queue.cancel(visit)
    hold = queue.offered(first)
    assert hold
    queue.desk.now += HALF_HOUR

    queue.desk.do(lapse, Lapse(appointment_id=hold.id), queue.desk.clock)

    assert queue.offered(first) is None
    assert queue.offered(second)


def test_who_let_an_offer_pass_is_in_line_at_once_whether_or_not_the_clock_has_said_so() -> None:
    queue = Queue(offer_min=30)
    morning, noon = queue.desk.booked(queue.service), queue.desk.booked(queue.service, NINE + 4 * HOUR)
    windows = (*MORNING, (NINE + 4 * HOUR, NINE + 5 * HOUR))
    first, second = queue.joined(windows=windows), queue.joined(windows=windows)
    queue.cancel(morning)
    passed = queue.offered(first)
    assert passed
    queue.desk.now += HALF_HOUR

    queue.cancel(noon)
    queue.desk.do(lapse, Lapse(appointment_id=passed.id), queue.desk.clock)

    assert queue.offers() == [first, first, second]


def test_an_offer_lasts_until_its_visit_begins_at_most() -> None:
    queue = Queue(offer_min=60)
    visit = queue.desk.booked(queue.service)
    first = queue.joined()
    queue.desk.now = NINE - 10 * MINUTE

    queue.cancel(visit)

    hold = queue.offered(first)
    assert hold
    assert hold.held_until == NINE


def test_what_begins_this_minute_is_offered_to_nobody() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    queue.joined()
    queue.desk.now = NINE

    queue.cancel(visit)

    assert queue.offers() == []


@pytest.mark.parametrize("rest", ["reschedule", "within the page", "superseded hold", "auto-release"])
def test_whatever_gives_time_back_offers_it(rest: str) -> None:
    queue = Queue(release_after_min=0)
    desk, customer_id = queue.desk, queue.desk.customer()
    visit = desk.booked(queue.service, customer_id=customer_id, hold_min=60 if rest == "superseded hold" else None)
    first = queue.joined(windows=((NINE, NINE + 2 * HOUR),))
    match rest:
        case "reschedule":
            desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + 25 * HOUR))
        case "within the page":
            desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + HOUR / 2 + 2 * HOUR))
        case "superseded hold":
            desk.resource("room")
            desk.booked(queue.service, NINE + HALF_HOUR, customer_id=customer_id)
        case "auto-release":
            desk.now = NINE
            desk.do(release, Release(appointment_id=visit.id), desk.clock)

    assert queue.offered(first)


def test_a_visit_that_moves_by_half_its_length_frees_nothing_that_it_still_takes() -> None:
    queue = Queue()
    visit = queue.desk.booked(queue.service)
    first = queue.joined()

    queue.desk.do(reschedule, Reschedule(appointment_id=visit.id, start=NINE + HALF_HOUR))

    assert queue.offered(first) is None


def test_one_cancellation_may_serve_several() -> None:
    queue = Queue()
    short = queue.desk.service(Requirement(kind="room"), duration_min=30, slot_step_min=30)
    visit = queue.desk.booked(queue.service)
    first, second, third = (queue.joined(service_id=short) for _ in range(3))

    queue.cancel(visit)

    assert queue.offers() == [first, second]
    assert queue.offered(third) is None


def test_a_seat_that_is_left_is_offered_to_who_wants_no_more_than_there_are() -> None:
    queue = Queue(seats=3)
    queue.desk.booked(queue.service, seats=2)
    visit = queue.desk.booked(queue.service)
    two, one = queue.joined(seats=2), queue.joined(seats=1)

    queue.cancel(visit)

    assert queue.offers() == [one]
    hold = queue.offered(one)
    assert hold
    assert hold.session_id == visit.session_id
    assert queue.offered(two) is None


def test_the_last_seat_closes_a_session_and_frees_its_room_for_other_services_too() -> None:
    queue = Queue(seats=3)
    alone = queue.desk.service(Requirement(kind="room"))
    visit = queue.desk.booked(queue.service)
    first = queue.joined(service_id=alone)

    queue.cancel(visit)

    assert queue.offered(first)


def test_an_offer_takes_nothing_away_that_its_customer_is_about_to_book() -> None:
    queue = Queue()
    other = queue.desk.service(Requirement(resource_id=queue.desk.resource("chair")))
    visit = queue.desk.booked(queue.service)
    customer_id = queue.desk.customer()
    hold = queue.desk.booked(other, NINE + HALF_HOUR, customer_id=customer_id, hold_min=60)
    busy, free = queue.joined(customer_id=customer_id), queue.joined()

    queue.cancel(visit)

    assert queue.desk.appointment(hold.id).status is Status.HELD
    assert queue.offered(busy) is None
    assert queue.offered(free)


def test_booking_does_not_take_an_offer_away() -> None:
    queue = Queue(customer_overlap_allowed=True)
    visit = queue.desk.booked(queue.service)
    customer_id = queue.desk.customer()
    first = queue.joined(customer_id=customer_id)
    queue.cancel(visit)
    queue.desk.resource("room")

    queue.desk.booked(queue.service, customer_id=customer_id)

    hold = queue.offered(first)
    assert hold
    assert hold.status is Status.HELD


def test_who_has_reached_a_limit_is_passed_over() -> None:
    limit = BookingLimit(Holder.CUSTOMER, Period.DAY, 1)
    queue = Queue(booking_limits=(limit,))
    customer_id = queue.desk.customer()
    queue.desk.booked(queue.service, NINE + 5 * HOUR, customer_id=customer_id)
    visit = queue.desk.booked(queue.service)
    limited, free = queue.joined(customer_id=customer_id, windows=ALL_MONDAY), queue.joined()

    queue.cancel(visit)

    assert queue.offered(limited) is None
    assert queue.offered(free)


def test_a_service_that_is_booked_out_is_offered_to_as_many_as_it_takes() -> None:
    limit = BookingLimit(Holder.SERVICE, Period.DAY, 2)
    queue = Queue(booking_limits=(limit,))
    queue.desk.resource("room")
    queue.desk.booked(queue.service, NINE + 5 * HOUR)
    visit = queue.desk.booked(queue.service)
    entries = [queue.joined(windows=ALL_MONDAY) for _ in range(3)]

    queue.cancel(visit)

    assert queue.offers() == entries[:1]


def test_what_the_keeper_finds_free_goes_to_the_first_whom_it_suits() -> None:
    queue = Queue()
    late = queue.joined(windows=((NINE + 3 * HOUR, NINE + 4 * HOUR),))
    first, second = queue.joined(windows=ALL_MONDAY), queue.joined(windows=ALL_MONDAY)
    taken = queue.desk.booked(queue.service)
    free = tuple(FreeVisit(queue.service, Interval(at, at + HOUR)) for at in (NINE, NINE + HOUR, NINE + 3 * HOUR))

    answer = queue.desk.do(offer_time, OfferTime(free=free), queue.desk.clock)
    again = queue.desk.do(offer_time, OfferTime(free=free), queue.desk.clock)

    assert (answer, again) == ({"offers": 2}, {"offers": 0})
    assert queue.offers() == [late, first]
    hold = queue.offered(first)
    assert hold
    assert hold.visit.start == NINE + HOUR
    assert queue.offered(second) is None
    assert queue.desk.appointment(taken.id).status is Status.BOOKED
