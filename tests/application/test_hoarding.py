"""Nobody who books for themselves has more open than the house allows (row 10 of the security list)."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.booking import Book, Reschedule, book, reschedule
from application.catalogue import ChangeOrganization, change_organization
from application.decision import Decision, View
from application.hoarding import hold_under_contact
from application.visits import Cancel, Confirm, cancel, confirm
from domain.appointment import Appointment
from domain.organization import Organization
from domain.permissions import Actor
from domain.refusals import Refusal, TooManyOpen
from domain.self_service import Open, SelfServiceTerms
from tests.desk import ALL_DAY, HOUR, MINUTE, NINE, Desk
from tests.waiting_room import Queue

pytestmark = pytest.mark.security(10)

A_DAY = timedelta(days=1)
HOLDS_MAX, BOOKINGS_MAX = SelfServiceTerms().open_holds_max, SelfServiceTerms().bookings_ahead_max


class House:
    """A room that is always open, and a customer who books for themselves."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.desk.resource(shifts=ALL_DAY)
        self.service = self.desk.service()
        self.customer_id = self.desk.customer()
        self.customer = self.desk.as_customer(self.customer_id)

    def book(self, number: int, *, hold_min: int | None = None, by_staff: bool = False) -> Appointment:
        """The ``number``-th start, a day after the one before."""
        desk = self.desk
        wanted = Book(
            appointment_id=desk.new_id(),
            service_id=self.service,
            customer_id=self.customer_id,
            start=NINE + number * A_DAY,
            hold_min=hold_min,
        )
        desk.do(book, wanted, desk.staff if by_staff else self.customer)
        return desk.appointment(wanted.appointment_id)

    def open_now(self) -> tuple[int, int]:
        """Holds, and visits to come, told from the visits themselves."""
        now = self.desk.now
        states = [stream.state for stream in self.desk.streams.values()]
        visits = [one for one in states if isinstance(one, Appointment) and one.visit.end > now]
        holds = [one for one in visits if one.status == "held" and one.held_until and now < one.held_until]
        return len(holds), len(holds) + len([one for one in visits if one.status == "booked"])


def test_a_bot_that_wants_every_slot_gets_no_more_than_the_house_allows_one_customer() -> None:
    house = House()
    got, refused = 0, []

    for number in range(1, 101):
        try:
            house.book(number)
            got += 1
        except TooManyOpen as refusal:
            refused.append((refusal.counted, refusal.allowed))

    assert got == BOOKINGS_MAX
    assert set(refused) == {(Open.BOOKINGS, BOOKINGS_MAX)}


def test_holds_are_fewer_and_one_that_lapses_or_is_given_back_makes_room() -> None:
    house = House()
    holds = [house.book(number, hold_min=10) for number in range(1, HOLDS_MAX + 1)]

    with pytest.raises(TooManyOpen) as refusal:
        house.book(9, hold_min=10)
    assert (refusal.value.counted, refusal.value.allowed) == (Open.HOLDS, HOLDS_MAX)
    house.book(9)  # a booking is no hold

    house.desk.do(cancel, Cancel(appointment_id=holds[0].id), house.customer)
    house.book(10, hold_min=10)
    house.desk.now += 11 * MINUTE
    for number in range(11, 11 + HOLDS_MAX):
        house.book(number, hold_min=10)


def test_what_is_past_counts_no_more_and_moving_or_confirming_needs_no_room() -> None:
    house = House()
    visits = [house.book(number) for number in range(1, BOOKINGS_MAX)]
    held = house.book(BOOKINGS_MAX, hold_min=10)

    house.desk.do(confirm, Confirm(appointment_id=held.id), house.customer)
    move = Reschedule(appointment_id=visits[0].id, start=visits[0].visit.start + 2 * HOUR)
    house.desk.do(reschedule, move, house.customer)
    with pytest.raises(TooManyOpen):
        house.book(40)

    house.desk.now = NINE + A_DAY + 6 * HOUR  # the first of them is over
    house.book(40)


def test_the_house_may_give_a_customer_more_and_is_not_held_up_by_it() -> None:
    house = House()
    for number in range(1, BOOKINGS_MAX + 5):
        house.book(number, by_staff=True)

    with pytest.raises(TooManyOpen):
        house.book(60)
    house.book(60, by_staff=True)


def test_whose_turn_it_is_does_not_depend_on_who_gives_the_time_back() -> None:
    house = House()
    for number in range(1, HOLDS_MAX + 1):
        house.book(number, hold_min=24 * 60)
    queue, wanted = Queue(desk=house.desk), NINE + 20 * A_DAY
    other_id = house.desk.customer()
    given_back = house.desk.new_id()
    theirs = Book(appointment_id=given_back, service_id=house.service, customer_id=other_id, start=wanted)
    house.desk.do(book, theirs)
    entry_id = queue.joined(customer_id=house.customer_id, service_id=house.service, windows=((wanted, wanted + HOUR),))

    house.desk.do(cancel, Cancel(appointment_id=given_back), house.desk.as_customer(other_id))

    assert queue.offered(entry_id) is not None


def test_the_house_sets_its_own_terms() -> None:
    house = House()
    house.desk.do(change_organization, ChangeOrganization(open_holds_max=1, bookings_ahead_max=2), house.desk.owner)

    house.book(1, hold_min=10)
    with pytest.raises(TooManyOpen) as refusal:
        house.book(2, hold_min=10)
    assert (refusal.value.counted, refusal.value.allowed) == (Open.HOLDS, 1)
    house.book(2)
    with pytest.raises(TooManyOpen) as refusal:
        house.book(3)
    assert (refusal.value.counted, refusal.value.allowed) == (Open.BOOKINGS, 2)
    own = house.desk.get(house.desk.organization_id).state
    assert isinstance(own, Organization)
    assert own.name == "Clinic"


def test_a_visitor_with_a_new_name_each_time_is_known_by_the_contact() -> None:
    house, got, refused = House(), 0, set()
    contact_id = house.desk.new_id()

    def under_contact(view: View, visit: Appointment, actor: Actor, now: datetime) -> Decision:
        hold_under_contact(view, contact_id, visit, actor, now)
        return view.decision({})

    for number in range(1, 20):
        house.customer_id = house.desk.customer()
        visit = house.book(number, hold_min=10, by_staff=True)
        try:
            house.desk.do(under_contact, visit, house.customer)
        except TooManyOpen as refusal:
            refused.add(refusal.counted)
        else:
            got += 1

    assert got == HOLDS_MAX
    assert refused == {Open.HOLDS}
    house.desk.now += 11 * MINUTE  # all of them have lapsed
    visit = house.book(30, hold_min=10, by_staff=True)
    house.desk.do(under_contact, visit, house.customer)


Move = st.tuples(st.sampled_from(["book", "hold", "cancel", "confirm", "wait"]), st.integers(0, 39))


@settings(max_examples=60, deadline=None)
@given(st.lists(Move, max_size=60), st.integers(1, 3), st.integers(1, 6))
def test_whatever_a_customer_does_no_more_is_ever_open_than_the_terms_say(
    moves: list[tuple[str, int]], holds_max: int, bookings_max: int
) -> None:
    house = House()
    terms = ChangeOrganization(open_holds_max=holds_max, bookings_ahead_max=bookings_max)
    house.desk.do(change_organization, terms, house.desk.owner)
    made: list[Appointment] = []
    for what, number in moves:
        holds, ahead = house.open_now()
        try:
            _do(house, what, number, made)
        except TooManyOpen as refusal:
            wrongly = (holds if refusal.counted is Open.HOLDS else ahead) < refusal.allowed
        except Refusal:
            continue
        else:
            wrongly = False
        assert not wrongly, "refused although there was room"
        holds, ahead = house.open_now()
        assert holds <= holds_max
        assert ahead <= bookings_max


def _do(house: House, what: str, number: int, made: list[Appointment]) -> None:
    desk = house.desk
    match what:
        case "book":
            made.append(house.book(number))
        case "hold":
            made.append(house.book(number, hold_min=60))
        case "cancel" if made:
            desk.do(cancel, Cancel(appointment_id=made[number % len(made)].id), house.customer)
        case "confirm" if made:
            desk.do(confirm, Confirm(appointment_id=made[number % len(made)].id), house.customer)
        case "wait":
            desk.now += number * MINUTE
