"""No sequence of commands ever exceeds a resource's capacity at any minute, judged by counting minutes."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

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
from domain.appointment import Appointment, Status
from domain.refusals import Refusal
from domain.service import Requirement
from tests.desk import HOUR, MINUTE, MONDAY, NINE, Desk

CAPACITY = {"room": 1, "scanner": 3}
ACTIVE = {Status.BOOKED, Status.ARRIVED, Status.FULFILLED, Status.NOSHOW}

starts = st.integers(-4, 24 * 4).map(lambda quarter: NINE + quarter * 15 * MINUTE)


class FrontDesk(RuleBasedStateMachine):
    """Two rooms of capacity one, a scanner of three, in a zone whose midnight falls into the afternoon of UTC."""

    visits: Bundle[UUID] = Bundle("visits")

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(now=MONDAY)
        zone = "Pacific/Auckland"
        self.rooms = [self.desk.resource("room", time_zone=zone) for _ in range(2)]
        scanner = self.desk.resource("scanner", capacity=CAPACITY["scanner"], time_zone=zone)
        self.capacity = {**dict.fromkeys(self.rooms, CAPACITY["room"]), scanner: CAPACITY["scanner"]}
        self.services = [
            self.desk.service(*needs, customer_overlap_allowed=True, **terms)  # one customer stands for all
            for needs, terms in (
                ((Requirement(kind="room"),), {}),
                ((Requirement(kind="room"),), {"duration_min": 30, "buffer_before_min": 10, "buffer_after_min": 20}),
                ((Requirement(kind="room"), Requirement(resource_id=scanner, quantity=2)), {}),
                ((Requirement(resource_id=scanner),), {"duration_min": 90}),
            )
        ]
        self.customer = self.desk.customer()

    @rule(
        target=visits,
        service=st.integers(0, 3),
        start=starts,
        hold_min=st.none() | st.integers(1, 240),
        wish=st.none() | st.integers(0, 1),
    )
    def book(self, service: int, start: datetime, hold_min: int | None, wish: int | None) -> UUID:
        wishes = {} if wish is None or service == 3 else {"resource_ids": (self.rooms[wish],)}
        try:
            visit = self.desk.booked(
                self.services[service], start, customer_id=self.customer, hold_min=hold_min, **wishes
            )
        except Refusal:
            return UUID(int=0)
        return visit.id

    @rule(visit=visits, start=starts)
    def reschedule(self, visit: UUID, start: datetime) -> None:
        self._try(reschedule, Reschedule(appointment_id=visit, start=start))

    @rule(visit=visits)
    def confirm(self, visit: UUID) -> None:
        self._try(confirm, Confirm(appointment_id=visit))

    @rule(visit=visits)
    def cancel(self, visit: UUID) -> None:
        self._try(cancel, Cancel(appointment_id=visit))

    @rule(visit=visits)
    def check_in(self, visit: UUID) -> None:
        self._try(check_in, CheckIn(appointment_id=visit))

    @rule(visit=visits)
    def fulfil(self, visit: UUID) -> None:
        self._try(fulfil, Fulfil(appointment_id=visit))

    @rule(visit=visits)
    def mark_no_show(self, visit: UUID) -> None:
        self._try(mark_no_show, MarkNoShow(appointment_id=visit))

    @rule(visit=visits)
    def lapse(self, visit: UUID) -> None:
        self._try(lapse, Lapse(appointment_id=visit), self.desk.clock)

    @rule(minutes=st.integers(1, 180))
    def time_passes(self, minutes: int) -> None:
        self.desk.now += timedelta(minutes=minutes)

    def _try(self, use_case: Any, command: object, actor: Any = None) -> None:
        before = len(self.desk.facts)
        try:
            self.desk.do(use_case, command, actor)
        except Refusal:
            assert len(self.desk.facts) == before, "a refusal changed something"

    @invariant()
    def no_minute_is_sold_twice(self) -> None:
        taken: Counter[tuple[UUID, datetime]] = Counter()
        for stream in self.desk.streams.values():
            visit = stream.state
            if not isinstance(visit, Appointment) or not self._takes_its_slot(visit):
                continue
            minute = visit.claim.start
            while minute < visit.claim.end:
                for allotment in visit.allotments:
                    taken[allotment.resource_id, minute] += allotment.quantity
                minute += 5 * MINUTE  # all starts, durations and buffers are multiples of five
        assert all(quantity <= self.capacity[resource] for (resource, _), quantity in taken.items())

    def _takes_its_slot(self, visit: Appointment) -> bool:
        if visit.status is Status.HELD:
            assert visit.held_until
            return self.desk.now < visit.held_until
        return visit.status in ACTIVE


FrontDesk.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestFrontDesk = FrontDesk.TestCase


def test_the_invariant_bites() -> None:
    """A planted double booking is found by the count of minutes."""
    machine = FrontDesk()
    one = machine.desk.booked(machine.services[0], customer_id=machine.customer)
    for page_stream in list(machine.desk.streams):
        if machine.desk.streams[page_stream].state.__class__.__name__ == "ResourceDay":
            del machine.desk.streams[page_stream]
    room = one.allotments[0].resource_id
    machine.desk.booked(machine.services[0], NINE + HOUR / 2, customer_id=machine.customer, resource_ids=(room,))
    try:
        machine.no_minute_is_sold_twice()
    except AssertionError:
        return
    raise AssertionError("the invariant did not notice")
