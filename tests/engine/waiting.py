"""Those who wait: they join, are offered what becomes free, take it or let it go."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import MultipleResults, invariant, multiple, precondition, rule

from application import waiting
from application.offering import OfferTime, offer_time
from application.prospects import FreeVisit
from domain.interval import Interval
from domain.permissions import Actor
from domain.refusals import AlreadyWaiting, HoldLapsed, InvalidValue, NothingOffered, Refusal, ResourceNotSuitable
from domain.waitlist import Waitlist, waitlist_id
from tests.engine.bookings import Bookings, booked, which
from tests.engine.reached import tell
from tests.engine.reference import Entry, moment_of
from tests.engine.reference_ledger import gone, settled
from tests.engine.reference_rules import candidates
from tests.engine.reference_waitlist import Freed, could_have, let_go, starts, taken_up

windows = st.lists(st.tuples(st.integers(-6, 10), st.sampled_from([2, 4, 8, 24])), min_size=1, max_size=2)


class Waiting(Bookings):
    @rule(
        of=which,
        who=which,
        windows=windows,
        wanted=st.one_of(st.none(), st.none(), which),
        seats=st.sampled_from([1, 1, 1, 2]),
    )
    def joins(self, of: int, who: int, windows: list[tuple[int, int]], wanted: int | None, seats: int) -> None:
        suiting = candidates(self.house, self.house.services[self.service(of)])
        resource_id = None if wanted is None else self.resource(wanted)
        if sum(resource_id in ones for ones in suiting) > 1:
            resource_id = None  # the engine fixes at once which requirement it meets, and may find nothing that way
        self._joins(of, who, windows, resource_id, seats)

    @rule(of=which, who=which, quarter=st.integers(-4, 4))
    def joins_for_the_night(self, of: int, who: int, quarter: int) -> None:
        """Whoever waits for much is offered much."""
        self._joins(of, who, [(quarter, 24)], None, 1)

    def _joins(self, of: int, who: int, windows: list[tuple[int, int]], resource_id: UUID | None, seats: int) -> None:
        begins = [self.opened.start(quarter) for quarter, _ in windows]
        entry = Entry(
            id=self.both.desk.new_id(),
            service_id=self.service(of),
            customer_id=self.customer(who),
            windows=[
                (moment_of(start), moment_of(start + 15 * length))
                for start, (_, length) in zip(begins, windows, strict=True)
            ],
            resource_id=resource_id,
            seats=seats,
        )
        command = waiting.Join(
            entry_id=entry.id,
            service_id=entry.service_id,
            customer_id=entry.customer_id,
            windows=tuple(entry.windows),
            resource_id=entry.resource_id,
            seats=entry.seats,
        )
        self.both.carry_out(
            waiting.join, command, self._against_joining(entry), lambda _: self.house.waiting.append(entry)
        )

    def _against_joining(self, entry: Entry) -> set[type[Refusal]]:
        terms, now = self.house.services[entry.service_id], self.house.now
        against: set[type[Refusal]] = set()
        earliest = now + timedelta(minutes=terms.min_notice_min)
        latest = now + timedelta(days=terms.max_advance_days, minutes=terms.duration_min)
        long_enough = timedelta(minutes=terms.duration_min)
        if any(end - max(start, earliest) < long_enough or end > latest for start, end in entry.windows):
            against.add(InvalidValue)
        if entry.seats > terms.seats:
            against.add(InvalidValue)
        if entry.resource_id and not any(entry.resource_id in ones for ones in candidates(self.house, terms)):
            against.add(ResourceNotSuitable)
        for other in self.house.waiting:
            same = (other.customer_id, other.service_id) == (entry.customer_id, entry.service_id)
            if same and any(a < d and c < b for a, b in entry.windows for c, d in other.windows):
                against.add(AlreadyWaiting)
        return against

    @precondition(lambda self: any(entry.offer for entry in self.house.waiting))
    @rule(target=booked)
    def is_offered(self) -> MultipleResults[UUID]:
        """An offer is a hold like any other: whatever may be done to those may be done to it."""
        return multiple(*(entry.offer for entry in self.house.waiting if entry.offer))

    @precondition(lambda self: self.house.waiting)
    @rule(number=st.integers(0, 5), answer=st.sampled_from(["accept", "decline", "leave"]), offered=st.booleans())
    def answers(self, number: int, answer: str, offered: bool) -> None:
        ones = [entry for entry in self.house.waiting if entry.offer] if offered else []
        ones = ones or self.house.waiting
        entry = ones[number % len(ones)]
        offer = self.house.visits[entry.offer] if entry.offer else None
        against: set[type[Refusal]] = set()
        if answer != "leave":
            if offer is None:
                against = {NothingOffered}
            elif not offer.is_live(self.house.now):
                against = {HoldLapsed, NothingOffered}

        def effect(_: Any) -> None:
            if answer == "accept":
                assert offer
                settled(self.house.services[offer.service_id], offer, "confirm")
                taken_up(self.house, offer)
                return
            if answer == "leave":
                self.house.waiting.remove(entry)
            if offer:
                gone(self.house, offer)
                let_go(self.house, offer)

        command = getattr(waiting, answer.capitalize())(entry_id=entry.id)
        self.both.carry_out(getattr(waiting, answer), command, against, effect)

    @precondition(lambda self: self.house.waiting)
    @rule()
    def the_keeper_looks(self) -> None:
        """All that is free for those who wait is offered to them; afterwards nobody waits for what could be had."""
        found = {
            (entry.service_id, start)
            for entry in self.house.waiting
            for start in starts(entry, self.house.services[entry.service_id])
            if moment_of(start) > self.house.now
        }
        free = tuple(
            FreeVisit(service_id, Interval(moment_of(start), moment_of(start + self._duration_min(service_id))))
            for service_id, start in sorted(found)
        )
        before = len(self.both.desk.facts)
        self.both.desk.do(offer_time, OfferTime(free=free), self._clock)
        ends = [start + self._duration_min(service_id) for service_id, start in found]
        due = Freed(frozenset(), frozenset(found), max(ends, default=0))
        self.both.ensure_offered(due, self.both.desk.facts[before:])
        for entry in self.house.waiting:
            if entry.offer is None:
                assert could_have(self.house, entry) is None, f"{entry} waits in vain"
        tell("done: offer_time")

    def _duration_min(self, service_id: UUID) -> int:
        return self.house.services[service_id].duration_min

    @property
    def _clock(self) -> Actor:
        return self.both.desk.clock

    @precondition(lambda self: self.house.waiting)
    @rule()
    def windows_end(self) -> None:
        def effect(_: Any) -> None:
            over = [
                entry
                for entry in self.house.waiting
                if entry.offer is None and max(end for _, end in entry.windows) <= self.house.now
            ]
            for entry in over:
                self.house.waiting.remove(entry)

        self.both.carry_out(waiting.end_waiting, waiting.EndWaiting(), (), effect, actor=self._clock)

    @invariant()
    def all_wait_as_they_should(self) -> None:
        if not hasattr(self, "opened"):
            return
        state = self.both.desk.streams[waitlist_id(self.both.desk.organization_id)].state
        entries = state.entries if isinstance(state, Waitlist) else ()
        assert [(one.id, one.offer.appointment_id if one.offer else None) for one in entries] == [
            (one.id, one.offer) for one in self.house.waiting
        ]
        for entry in self.house.waiting:
            assert entry.offer is None or self.house.visits[entry.offer].status == "held", "an offer without a hold"
