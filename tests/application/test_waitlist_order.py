"""No sequence of commands loses a turn or passes anyone over, judged by trying what each who waits could be given."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from application.booking import Book, Reschedule, book, reschedule
from application.decision import Stream, View, evolved
from application.visits import Cancel, Confirm, Lapse, cancel, confirm, lapse
from application.waiting import Accept, Decline, Join, Leave, accept, decline, join, leave
from domain.appointment import Appointment, AppointmentHeld, Status
from domain.fact import Fact
from domain.refusals import Refusal
from domain.resource_day import ClaimReleased, ResourceDay, SlotClaimed
from domain.service import BookingLimit, Holder, Period, Requirement, Service
from domain.session import SeatsLeft, Session
from domain.waitlist import Waitlist, WaitlistEntry, waitlist_id
from infra.verification import sweep
from tests.desk import HOUR, MINUTE, MONDAY, NINE
from tests.infra.histories import RecordedDesk

starts = st.integers(0, 7).map(lambda half_hours: NINE + half_hours * 30 * MINUTE)
spans = st.sampled_from([1, 2, 2, 4, 4]).map(lambda hours: hours * HOUR)


class WaitingRoom(RuleBasedStateMachine):
    """A morning with two rooms, all of it booked, and six customers, who wait for anything or for one room."""

    visits: Bundle[UUID] = Bundle("visits")

    def __init__(self) -> None:
        super().__init__()
        desk = self.desk = RecordedDesk(now=MONDAY)
        self.rooms = [desk.resource("room"), desk.resource("room")]
        room = Requirement(kind="room")
        limits = (BookingLimit(Holder.CUSTOMER, Period.DAY, 2),)
        self.services = [
            desk.service(room, slot_step_min=30),
            desk.service(room, duration_min=30, buffer_after_min=30, slot_step_min=30, customer_overlap_allowed=True),
            desk.service(room, duration_min=90, slot_step_min=30, booking_limits=limits, offer_min=10),
            desk.service(room, duration_min=60, slot_step_min=60, seats=3),
        ]
        self.customers = [desk.customer() for _ in range(6)]
        self.stranger = desk.customer()
        self.before: dict[UUID, Stream] = dict(desk.streams)
        self.new: list[tuple[UUID, Fact]] = []

    @initialize(target=visits)
    def the_morning_is_full(self) -> Any:
        """Room one: visits of all lengths. Room two: visits of an hour, and a class at eleven with its three seats."""
        one, two = self.rooms
        lasting_an_hour, short, long, lesson = self.services
        plan = [
            *((lasting_an_hour, 0, one, 1), (short, 2, one, 1), (short, 4, one, 1), (long, 6, one, 1)),
            *((lasting_an_hour, 0, two, 1), (lasting_an_hour, 2, two, 1), (lesson, 4, two, 1), (lesson, 4, two, 2)),
            (lasting_an_hour, 6, two, 1),
        ]
        booked = [
            self.desk.booked(service, NINE + half_hours * 30 * MINUTE, resource_ids=(room,), seats=seats).id
            for service, half_hours, room, seats in plan
        ]
        return multiple(*booked)

    def _do(self, use_case: Any, command: object, actor: Any = None) -> bool:
        """Whether it was done. What was before is kept for the judgement."""
        self.before, facts = dict(self.desk.streams), len(self.desk.facts)
        with suppress(Refusal):
            self.desk.do(use_case, command, actor)
        self.new = self.desk.facts[facts:]
        return bool(self.new)

    @rule(
        target=visits,
        service=st.integers(0, 3),
        customer=st.integers(0, 5),
        start=starts,
        hold_min=st.sampled_from([None, None, 60]),
        seats=st.sampled_from([1, 1, 2]),
    )
    def book(self, service: int, customer: int, start: datetime, hold_min: int | None, seats: int) -> UUID:
        wish = Book(
            appointment_id=self.desk.new_id(),
            service_id=self.services[service],
            customer_id=self.customers[customer],
            start=start,
            hold_min=hold_min,
            seats=seats if service == 3 else 1,
        )
        return wish.appointment_id if self._do(book, wish) else UUID(int=0)

    @rule(
        service=st.integers(0, 3),
        customer=st.integers(0, 5),
        start=starts,
        span=spans,
        room=st.sampled_from([None, None, 0, 1]),
        seats=st.sampled_from([1, 1, 2]),
    )
    def join(self, service: int, customer: int, start: datetime, span: timedelta, room: int | None, seats: int) -> None:
        wish = Join(
            entry_id=self.desk.new_id(),
            service_id=self.services[service],
            customer_id=self.customers[customer],
            windows=((start, start + span),),
            resource_id=None if room is None else self.rooms[room],
            seats=seats if service == 3 else 1,
        )
        self._do(join, wish)

    @rule(visit=visits)
    def cancel(self, visit: UUID) -> None:
        self._do(cancel, Cancel(appointment_id=visit))

    @rule(visit=visits, start=starts)
    def reschedule(self, visit: UUID, start: datetime) -> None:
        self._do(reschedule, Reschedule(appointment_id=visit, start=start))

    @rule(visit=visits)
    def confirm(self, visit: UUID) -> None:
        self._do(confirm, Confirm(appointment_id=visit))

    @precondition(lambda self: self.waitlist())
    @rule(which=st.integers(0, 9), what=st.sampled_from([accept, accept, decline, decline, decline, leave]))
    def answer(self, which: int, what: Any) -> None:
        entries = [entry for entry in self.waitlist() if entry.offer] or self.waitlist()
        command = {accept: Accept, decline: Decline, leave: Leave}[what](entry_id=entries[which % len(entries)].id)
        self._do(what, command)

    @rule(minutes=st.sampled_from([5, 10, 30, 60]))
    def time_passes(self, minutes: int) -> None:
        self.desk.now += timedelta(minutes=minutes)
        self.new = []

    @rule()
    def clock_strikes(self) -> None:
        """One of the holds whose time is up lapses."""
        late = [v for v in self.appointments() if v.held_until and v.held_until <= self.desk.now]
        if late:
            self._do(lapse, Lapse(appointment_id=late[0].id), self.desk.clock)

    def teardown(self) -> None:
        """The audit, which shares nothing with all this, finds nothing either."""
        findings = sweep(self.desk.rows)
        assert findings.clean, findings.faults

    def appointments(self) -> list[Appointment]:
        return [stream.state for stream in self.desk.streams.values() if isinstance(stream.state, Appointment)]

    def waitlist(self) -> list[WaitlistEntry]:
        state = self.desk.streams[waitlist_id(self.desk.organization_id)].state
        return list(state.entries) if isinstance(state, Waitlist) else []

    @invariant()
    def every_offer_is_backed_by_one_hold_of_its_own(self) -> None:
        offers = [(entry, entry.offer) for entry in self.waitlist() if entry.offer]
        for entry, offer in offers:
            hold = self.desk.appointment(offer.appointment_id)
            assert (hold.entry_id, hold.visit, hold.held_until) == (entry.id, offer.visit, offer.until)
            assert hold.status is Status.HELD
            assert entry.suits(hold.visit)
            assert hold.customer_id == entry.customer_id
        held = [v.id for v in self.appointments() if v.status is Status.HELD and v.entry_id]
        standing = {offer.appointment_id for _, offer in offers}
        assert standing <= set(held)
        # A hold that is not an offer any more: the clock has yet to say that it lapsed.
        assert all(self._held_until(visit) <= self.desk.now for visit in set(held) - standing)

    def _held_until(self, visit: UUID) -> datetime:
        until = self.desk.appointment(visit).held_until
        assert until
        return until

    @invariant()
    def no_room_is_given_twice_and_no_class_oversold(self) -> None:
        for stream in self.desk.streams.values():
            state = stream.state
            if isinstance(state, ResourceDay):
                half_hours = (NINE + n * 30 * MINUTE for n in range(-2, 30))
                assert all(self._claimed(state, at) <= 1 for at in half_hours)
            elif isinstance(state, Session):
                assert state.seats_taken(now=self.desk.now) <= state.seats

    def _claimed(self, page: ResourceDay, at: datetime) -> int:
        return sum(c.interval.start <= at < c.interval.end and c.blocks_at(self.desk.now) for c in page.claims)

    @invariant()
    def no_turn_is_lost(self) -> None:
        """Nobody without an offer could have any of what the last command gave back."""
        freed = self._freed()
        for entry in self.waitlist() if freed else ():
            for start in self._starts(entry, freed) if entry.offer is None else ():
                assert not self._could_have(entry, start, self.desk.streams) or self._was_free(entry, start)

    @invariant()
    def nobody_is_passed_over(self) -> None:
        """Whoever came before someone who was offered a start, and waits, could not have had it at that moment."""
        order = {entry.id: number for number, entry in enumerate(self.waitlist())}
        streams = dict(self.before)
        for stream_id, fact in self.new:
            if isinstance(fact, AppointmentHeld) and fact.entry_id:
                for entry in self.waitlist()[: order[fact.entry_id]]:
                    if entry.offer is None and entry.suits(self._service(entry).visit(fact.visit.start)):
                        passed_over = self._could_have(entry, fact.visit.start, streams)
                        elsewhere = entry.resource_id not in {None, *(a.resource_id for a in fact.allotments)}
                        assert not passed_over or elsewhere, (entry, fact)
            stream = streams.get(stream_id, Stream())
            streams[stream_id] = Stream(stream.version + 1, evolved(stream.state, fact))

    def _freed(self) -> list[tuple[UUID | None, datetime, datetime]]:
        """Resource (None: a session), start and end of what the last command gave back."""
        freed: list[tuple[UUID | None, datetime, datetime]] = []
        for stream_id, fact in self.new:
            was = self.before.get(stream_id, Stream()).state
            match fact:
                case ClaimReleased():
                    freed.append((fact.resource_id, fact.claim.start, fact.claim.end))
                case SlotClaimed() if isinstance(was, ResourceDay) and (old := was.claim_of(fact.appointment_id)):
                    if old.interval != fact.claim:
                        freed.append((fact.resource_id, old.interval.start, old.interval.end))
                case SeatsLeft() if isinstance(was, Session):
                    freed.append((None, was.visit.start, was.visit.end))
        return freed

    def _service(self, entry: WaitlistEntry) -> Service:
        service = self.desk.streams[entry.service_id].state
        assert isinstance(service, Service)
        return service

    def _starts(self, entry: WaitlistEntry, freed: list[tuple[UUID | None, datetime, datetime]]) -> list[datetime]:
        service, found = self._service(entry), []
        start = max(self.desk.now, NINE - HOUR).replace(second=0)
        while start < NINE + 8 * HOUR:
            claim, visit = service.claim(start), service.visit(start)
            touches = any(begins < claim.end and claim.start < ends for _, begins, ends in freed)
            if touches and start > self.desk.now and entry.suits(visit):
                found.append(start)
            start += 30 * MINUTE - timedelta(minutes=start.minute % 30)
        return found

    def _was_free(self, entry: WaitlistEntry, start: datetime) -> bool:
        """Whether anyone could have had it before the last command, in another room perhaps: the keeper's business."""
        return self._could_have(replace(entry, customer_id=self.stranger), start, self.before)

    def _could_have(self, entry: WaitlistEntry, start: datetime, streams: dict[UUID, Stream]) -> bool:
        """Whether the entry's customer could book it now, without giving a hold of their own back for it."""
        wish = Book(
            appointment_id=UUID(int=1),
            service_id=entry.service_id,
            customer_id=entry.customer_id,
            start=start,
            resource_ids=(entry.resource_id,) if entry.resource_id else (),
            seats=entry.seats,
        )
        try:
            decision = book(View(_Frozen(streams)), wish, self.desk.staff, self.desk.now)
        except Refusal:
            return False
        return not any(fact.TOPIC == "appointment.cancelled.v1" for _, fact in decision.facts)


class _Frozen:
    """Streams as they are, or were."""

    def __init__(self, streams: dict[UUID, Stream]) -> None:
        self._streams = streams

    def get(self, stream_id: UUID) -> Stream:
        return self._streams.get(stream_id, Stream())


WaitingRoom.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestWaitingRoom = WaitingRoom.TestCase
