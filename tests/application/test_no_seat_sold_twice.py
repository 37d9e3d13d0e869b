"""No sequence of commands sells a seat twice, or leaves a session its room when nobody has a seat in it."""

from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from application.booking import Reschedule, reschedule
from application.visits import (
    Approve,
    Cancel,
    CheckIn,
    Confirm,
    Lapse,
    Release,
    approve,
    cancel,
    check_in,
    confirm,
    lapse,
    release,
)
from domain.appointment import Appointment, Status
from domain.refusals import Refusal
from domain.resource_day import Claim, ResourceDay
from domain.session import Session, session_id
from tests.desk import MINUTE, NINE, Desk

TENTATIVE = {Status.HELD, Status.PENDING}
SEATS = 4
starts = st.sampled_from([0, 0, 0, 30, 45]).map(lambda minutes: NINE + minutes * MINUTE)


class GroupDesk(RuleBasedStateMachine):
    """Two rooms; a class, a class that the house approves each seat of, and a visit for one, which want them both."""

    visits: Bundle[UUID] = Bundle("visits")

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk(now=NINE - 3 * 60 * MINUTE)
        self.rooms = [self.desk.resource(), self.desk.resource()]
        self.services = [
            self.desk.service(duration_min=45, seats=SEATS, release_after_min=15),
            self.desk.service(duration_min=30, seats=SEATS, approval_required=True),
            self.desk.service(duration_min=30),
        ]
        self.customers = [self.desk.customer() for _ in range(6)]
        self.ids: list[UUID] = []

    @rule(
        target=visits,
        service=st.sampled_from([0, 0, 0, 1, 2]),
        start=starts,
        seats=st.sampled_from([1, 1, 2, SEATS]),
        customer=st.integers(0, 5),
        hold_min=st.none() | st.integers(1, 90),
    )
    def book(self, service: int, start: datetime, seats: int, customer: int, hold_min: int | None) -> UUID:
        wish = {"seats": seats if service != 2 else 1, "hold_min": hold_min, "customer_id": self.customers[customer]}
        before = len(self.desk.facts)
        try:
            visit = self.desk.booked(self.services[service], start, **wish)
        except Refusal:
            assert len(self.desk.facts) == before, "a refusal changed something"
            return UUID(int=0)
        self.ids.append(visit.id)
        return visit.id

    @rule(visit=visits, start=starts)
    def reschedule(self, visit: UUID, start: datetime) -> None:
        self._try(reschedule, Reschedule(appointment_id=visit, start=start))

    @rule(visit=visits)
    def confirm(self, visit: UUID) -> None:
        self._try(confirm, Confirm(appointment_id=visit))

    @rule(visit=visits)
    def approve(self, visit: UUID) -> None:
        self._try(approve, Approve(appointment_id=visit))

    @rule(visit=visits)
    def cancel(self, visit: UUID) -> None:
        self._try(cancel, Cancel(appointment_id=visit))

    @rule(visit=visits)
    def check_in(self, visit: UUID) -> None:
        self._try(check_in, CheckIn(appointment_id=visit))

    @rule(visit=visits)
    def release(self, visit: UUID) -> None:
        self._try(release, Release(appointment_id=visit), self.desk.clock)

    @rule(visit=visits)
    def lapse(self, visit: UUID) -> None:
        self._try(lapse, Lapse(appointment_id=visit), self.desk.clock)

    @rule(minutes=st.integers(1, 20))
    def time_passes(self, minutes: int) -> None:
        self.desk.now += minutes * MINUTE

    def _try(self, use_case: Any, command: object, actor: Any = None) -> None:
        before = len(self.desk.facts)
        try:
            self.desk.do(use_case, command, actor)
        except Refusal:
            assert len(self.desk.facts) == before, "a refusal changed something"

    @invariant()
    def no_seat_is_sold_twice(self) -> None:
        taken: dict[UUID, int] = defaultdict(int)
        for visit in self._standing():
            if visit.session_id is not None:
                assert visit.session_id == session_id(visit.service_id, visit.visit.start)
                taken[visit.session_id] += visit.seats
        assert all(seats <= SEATS for seats in taken.values())

    @invariant()
    def a_session_claims_its_room_as_long_as_its_longest_seat(self) -> None:
        seated: dict[UUID, list[Appointment]] = defaultdict(list)
        for visit in self._standing():
            if visit.session_id is not None:
                seated[visit.session_id].append(visit)
        claims = self._claims()
        for its_id, visits in seated.items():
            deadlines = [visit.held_until for visit in visits]
            expected = None if None in deadlines else max(until for until in deadlines if until is not None)
            (claim,) = claims[its_id]
            assert claim.until == expected
            assert claim.interval == visits[0].claim
            assert {visit.allotments for visit in visits} == {visits[0].allotments}

    @invariant()
    def a_session_without_a_seat_is_in_nobodys_way(self) -> None:
        seated = {visit.session_id for visit in self._standing()}
        for stream in self.desk.streams.values():
            session = stream.state
            if isinstance(session, Session) and session.id not in seated:
                assert not any(claim.blocks_at(self.desk.now) for claim in self._claims().get(session.id, ()))
                assert not session.is_held_at(self.desk.now)

    @invariant()
    def no_room_is_taken_twice(self) -> None:
        for stream in self.desk.streams.values():
            if isinstance(stream.state, ResourceDay):
                blocking = [claim.interval for claim in stream.state.claims if claim.blocks_at(self.desk.now)]
                assert not any(a.overlaps(b) for place, a in enumerate(blocking) for b in blocking[place + 1 :])

    @invariant()
    def nobody_is_in_two_places(self) -> None:
        standing = self._standing()
        for place, one in enumerate(standing):
            for other in standing[place + 1 :]:
                assert one.customer_id != other.customer_id or not one.visit.overlaps(other.visit)

    def _standing(self) -> list[Appointment]:
        visits = [self.desk.appointment(visit_id) for visit_id in self.ids]
        return [visit for visit in visits if visit.has_claims and self._counts(visit)]

    def _counts(self, visit: Appointment) -> bool:
        return visit.status not in TENTATIVE or (visit.held_until is not None and self.desk.now < visit.held_until)

    def _claims(self) -> dict[UUID, list[Claim]]:
        found: dict[UUID, list[Claim]] = defaultdict(list)
        for stream in self.desk.streams.values():
            if isinstance(stream.state, ResourceDay):
                for claim in stream.state.claims:
                    found[claim.appointment_id].append(claim)
        return found


GroupDesk.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestGroupDesk = GroupDesk.TestCase
