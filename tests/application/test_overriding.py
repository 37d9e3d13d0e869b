"""Staff may break named rules, with open eyes: the appointment says which of them were in the way."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from application.booking import Book, Reschedule, book, reschedule
from application.resource_times import (
    CloseResource,
    RetireResource,
    SetHolidays,
    close_resource,
    retire_resource,
    set_holidays,
)
from domain.appointment import Appointment, AppointmentBooked, AppointmentRescheduled
from domain.location import Holiday
from domain.refusals import (
    CustomerElsewhere,
    Forbidden,
    InvalidValue,
    OffGrid,
    OutsideWorkingHours,
    ResourceClosed,
    ResourceRetired,
    SessionFull,
    SlotTaken,
    TooSoon,
)
from domain.rules import OVERRIDABLE, Rule
from domain.service import BookingLimit, Holder, Period, Requirement
from tests.desk import HOUR, MINUTE, NINE, OFFICE_HOURS, Desk

A_DAY = timedelta(days=1)
ONCE_A_DAY = BookingLimit(Holder.CUSTOMER, Period.DAY, 1)
EVERY_RULE = frozenset(OVERRIDABLE)


class Breaking(Desk):
    """A room with office hours, and one way for each rule to be in the way of a booking."""

    def __init__(self) -> None:
        super().__init__()
        self.place = self.location()
        self.room = self.resource(shifts=OFFICE_HOURS, location_id=self.place)
        self.elsewhere = self.resource("bath")

    def wish_against(self, rule: Rule) -> tuple[UUID, Any, UUID]:
        """Service, start, customer."""
        customer = self.customer()
        return (*self._ways[rule](self, customer), customer)

    def _soon(self, _: UUID) -> tuple[UUID, Any]:
        return self.service(min_notice_min=24 * 60), NINE

    def _far(self, _: UUID) -> tuple[UUID, Any]:
        return self.service(max_advance_days=2), NINE + 7 * A_DAY

    def _off_grid(self, _: UUID) -> tuple[UUID, Any]:
        return self.service(), NINE + 7 * MINUTE

    def _closed(self, _: UUID) -> tuple[UUID, Any]:
        self.close(self.room)
        return self.service(), NINE

    def close(self, room: UUID) -> None:
        closure = CloseResource(resource_id=room, closure_id=self.new_id(), start=NINE, end=NINE + HOUR)
        self.do(close_resource, closure, self.owner)

    def _holiday(self, _: UUID) -> tuple[UUID, Any]:
        day = Holiday(NINE.date(), "Founders' day")
        command = SetHolidays(location_id=self.place, country=None, subdivision=None, holidays=(day,))
        self.do(set_holidays, command, self.owner)
        return self.service(), NINE

    def _after_work(self, _: UUID) -> tuple[UUID, Any]:
        return self.service(), NINE + 10 * HOUR

    def _too_often(self, customer: UUID) -> tuple[UUID, Any]:
        service = self.service(booking_limits=(ONCE_A_DAY,))
        self.booked(service, customer_id=customer)
        return service, NINE + 2 * HOUR

    def _in_the_bath(self, customer: UUID) -> tuple[UUID, Any]:
        self.booked(self.service(Requirement(resource_id=self.elsewhere)), customer_id=customer)
        return self.service(), NINE

    _ways: dict[Rule, Callable[["Breaking", UUID], tuple[UUID, Any]]] = {  # noqa: RUF012  never changed
        Rule.MIN_NOTICE: _soon,
        Rule.MAX_ADVANCE: _far,
        Rule.SLOT_GRID: _off_grid,
        Rule.CLOSURES: _closed,
        Rule.HOLIDAYS: _holiday,
        Rule.WORKING_HOURS: _after_work,
        Rule.BOOKING_LIMITS: _too_often,
        Rule.CUSTOMER_OVERLAP: _in_the_bath,
    }


def the_last(desk: Desk, kind: type[Any]) -> Any:
    return next(fact for _, fact in reversed(desk.facts) if isinstance(fact, kind))


@pytest.mark.parametrize("rule", sorted(OVERRIDABLE))
def test_a_rule_is_broken_only_by_who_names_it_and_the_fact_says_so(rule: Rule) -> None:
    desk = Breaking()
    service, start, customer = desk.wish_against(rule)
    others = EVERY_RULE - {rule}
    before = len(desk.facts)
    for allowed in (frozenset(), others):
        with pytest.raises(Exception) as refusal:  # noqa: PT011  which it is, is the next line's matter
            desk.booked(service, start, customer_id=customer, override=allowed)
        assert type(refusal.value).__module__ == "domain.refusals"
    assert len(desk.facts) == before

    visit = desk.booked(service, start, customer_id=customer, override=frozenset({rule}))

    assert visit.overridden == (rule,)
    assert the_last(desk, AppointmentBooked).overridden == (rule,)


@pytest.mark.parametrize("rule", sorted(OVERRIDABLE))
def test_whoever_may_break_all_rules_breaks_only_those_in_the_way(rule: Rule) -> None:
    desk = Breaking()
    service, start, customer = desk.wish_against(rule)
    assert desk.booked(service, start, customer_id=customer, override=EVERY_RULE).overridden == (rule,)


def test_a_booking_that_breaks_no_rule_records_none() -> None:
    desk = Breaking()
    visit = desk.booked(desk.service(), override=EVERY_RULE)
    assert visit.overridden == ()


def test_several_rules_at_once_are_all_named_in_order() -> None:
    desk = Breaking()
    service, start, customer = desk.wish_against(Rule.WORKING_HOURS)
    wanted = frozenset({Rule.WORKING_HOURS, Rule.SLOT_GRID})
    with pytest.raises(OutsideWorkingHours):
        desk.booked(service, start + 7 * MINUTE, customer_id=customer, override=frozenset({Rule.SLOT_GRID}))
    visit = desk.booked(service, start + 7 * MINUTE, customer_id=customer, override=wanted)
    assert visit.overridden == ("slot_grid", "working_hours")


def test_a_room_that_breaks_no_rule_is_taken_before_one_that_does() -> None:
    desk = Breaking()
    desk.close(desk.room)
    spare = desk.resource(shifts=OFFICE_HOURS)
    visit = desk.booked(desk.service(), override=EVERY_RULE)
    assert [allotment.resource_id for allotment in visit.allotments] == [spare]
    assert visit.overridden == ()


def test_a_rule_broken_for_one_resource_is_not_broken_for_another_too() -> None:
    """The doctor is closed and has no stand-in; of the rooms the first is closed, the second is not."""
    desk = Breaking()
    doctor, spare = desk.resource("doctor"), desk.resource(shifts=OFFICE_HOURS)
    desk.close(doctor)
    desk.do(
        close_resource,
        CloseResource(resource_id=desk.room, closure_id=desk.new_id(), start=NINE, end=NINE + HOUR),
        desk.owner,
    )
    service = desk.service(Requirement(resource_id=doctor), Requirement(kind="room"))

    visit = desk.booked(service, override=EVERY_RULE)

    assert [allotment.resource_id for allotment in visit.allotments] == [doctor, spare]
    assert visit.overridden == ("closures",)


def test_a_start_within_a_minute_is_off_any_grid() -> None:
    desk = Desk()
    desk.resource()
    with pytest.raises(OffGrid):
        desk.booked(desk.service(), NINE + timedelta(seconds=30), override=frozenset({Rule.SLOT_GRID}))


def test_what_is_taken_stays_taken() -> None:
    desk = Breaking()
    service = desk.service()
    desk.booked(service)
    with pytest.raises(SlotTaken):
        desk.booked(service, override=EVERY_RULE)
    yoga = desk.service(Requirement(kind="bath"), seats=1 + 1)
    desk.booked(yoga, seats=2)
    with pytest.raises(SessionFull):
        desk.booked(yoga, override=EVERY_RULE)


def test_what_is_gone_stays_gone_and_the_past_is_past() -> None:
    desk = Breaking()
    service = desk.service()
    desk.now = NINE + MINUTE
    with pytest.raises(TooSoon):
        desk.booked(service, NINE, override=EVERY_RULE)
    desk.do(retire_resource, RetireResource(resource_id=desk.room), desk.owner)
    with pytest.raises(ResourceRetired):
        desk.booked(service, NINE + HOUR, override=EVERY_RULE)


@pytest.mark.parametrize("rule", sorted(set(Rule) - OVERRIDABLE))
def test_no_other_rule_can_be_named(rule: Rule) -> None:
    desk = Breaking()
    with pytest.raises(InvalidValue):
        desk.booked(desk.service(), override=frozenset({rule}))


def test_customers_break_no_rules_not_even_those_in_nobodys_way() -> None:
    desk = Breaking()
    service, customer = desk.service(), desk.customer()
    wanted = Book(
        appointment_id=desk.new_id(),
        service_id=service,
        customer_id=customer,
        start=NINE,
        override=frozenset({Rule.SLOT_GRID}),
    )
    with pytest.raises(Forbidden):
        desk.do(book, wanted, desk.as_customer(customer))
    visit = desk.booked(service, customer_id=customer)
    later = Reschedule(appointment_id=visit.id, start=NINE + HOUR, override=frozenset({Rule.SLOT_GRID}))
    with pytest.raises(Forbidden):
        desk.do(reschedule, later, desk.as_customer(customer))


def test_a_move_records_what_it_broke_and_forgets_what_is_not_broken_any_more() -> None:
    desk = Breaking()
    service = desk.service()
    visit = desk.booked(service)

    def moved_to(start: Any, *rules: Rule) -> Appointment:
        desk.do(reschedule, Reschedule(appointment_id=visit.id, start=start, override=frozenset(rules)))
        return desk.appointment(visit.id)

    with pytest.raises(OutsideWorkingHours):
        moved_to(NINE + 10 * HOUR)
    assert moved_to(NINE + 10 * HOUR, Rule.WORKING_HOURS).overridden == ("working_hours",)
    assert the_last(desk, AppointmentRescheduled).overridden == ("working_hours",)
    assert moved_to(NINE + HOUR, Rule.WORKING_HOURS).overridden == ()


def test_seats_of_a_session_that_has_lost_its_room_are_given_by_staff_alone() -> None:
    desk = Breaking()
    yoga = desk.service(seats=3)
    desk.booked(yoga)
    desk.close(desk.room)
    with pytest.raises(ResourceClosed):
        desk.booked(yoga)
    assert desk.booked(yoga, override=frozenset({Rule.CLOSURES})).overridden == ("closures",)


def test_a_session_that_opens_after_work_says_so_of_each_seat() -> None:
    desk = Breaking()
    yoga = desk.service(seats=3)
    late = NINE + 10 * HOUR
    assert desk.booked(yoga, late, override=EVERY_RULE).overridden == ("working_hours",)
    with pytest.raises(OutsideWorkingHours):
        desk.booked(yoga, late)
    assert desk.booked(yoga, late, override=EVERY_RULE).overridden == ("working_hours",)


def test_a_customer_who_is_elsewhere_by_leave_of_the_house_is_still_elsewhere_for_others() -> None:
    desk = Breaking()
    service, start, customer = desk.wish_against(Rule.CUSTOMER_OVERLAP)
    desk.booked(service, start, customer_id=customer, override=frozenset({Rule.CUSTOMER_OVERLAP}))
    desk.resource("sauna")
    with pytest.raises(CustomerElsewhere):
        desk.booked(desk.service(Requirement(kind="sauna")), start, customer_id=customer)
