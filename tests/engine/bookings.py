"""What customers and the front desk do: book, hold, confirm, move, call off, come or not."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from application import visits
from application.booking import Book, Reschedule, book, reschedule
from domain.permissions import Actor
from domain.rules import Rule
from tests.engine.both import Both
from tests.engine.invariants import ensure_all
from tests.engine.reached import tell
from tests.engine.reference import House, Visit, moment_of
from tests.engine.reference_ledger import barred, began, gone, moved, settled
from tests.engine.reference_rules import WAIVABLE, Verdict, Wish, judge
from tests.engine.reference_waitlist import let_go, taken_up
from tests.engine.worlds import THEMES, Opened, opened, worlds

booked: Bundle[UUID] = Bundle("booked")
which = st.integers(0, 3)
quarters = st.integers(-12, 20)
hot = st.integers(-4, 8)
hold_min = st.sampled_from([None, 10, 45, 240])
whens = st.tuples(quarters, st.sampled_from([0] * 12 + [5, 7]), st.sampled_from([0] * 9 + [1]))
"""Quarters of an hour after the turn, odd minutes, and days: a start on the next day lies beyond some horizons."""
waived: st.SearchStrategy[frozenset[str]] = st.one_of(
    st.just(frozenset()),
    st.just(frozenset()),
    st.frozensets(st.sampled_from(sorted(WAIVABLE)), max_size=3),
    st.just(frozenset(WAIVABLE)),
)


class Bookings(RuleBasedStateMachine):
    """Both engines, and what is done to them."""

    opened: Opened
    themes: tuple[str, ...] = tuple(THEMES)

    @property
    def both(self) -> Both:
        return self.opened.both

    @property
    def house(self) -> House:
        return self.opened.both.house

    @initialize(data=st.data())
    def opens(self, data: st.DataObject) -> None:
        self.opened = opened(data.draw(worlds(self.themes), "the world"))

    @invariant()
    def all_is_well(self) -> None:
        if hasattr(self, "opened"):
            ensure_all(self.both)

    def service(self, which: int) -> UUID:
        return self.opened.service_ids[which % len(self.opened.service_ids)]

    def customer(self, which: int) -> UUID:
        return self.opened.customer_ids[which % len(self.opened.customer_ids)]

    def resource(self, which: int) -> UUID:
        return self.opened.resource_ids[which % len(self.opened.resource_ids)]

    @rule(target=booked, of=which, who=which, quarter=hot, hold_min=hold_min, seats=st.integers(1, 2))
    def books(self, of: int, who: int, quarter: int, hold_min: int | None, seats: int) -> MultipleResults[UUID]:
        """What everyone wants: a start that others want too."""
        seats = min(seats, self.house.services[self.service(of)].seats)
        return self._books(of, who, self.opened.start(quarter), hold_min, seats=seats)

    @rule(target=booked, of=which, who=which, quarter=hot)
    def books_for_good(self, of: int, who: int, quarter: int) -> MultipleResults[UUID]:
        return self._books(of, who, self.opened.start(quarter), None)

    @rule(
        target=booked,
        of=which,
        who=which,
        when=whens,
        hold_min=hold_min,
        wanted=st.one_of(st.just([]), st.lists(which, max_size=2, unique=True)),
        seats=st.sampled_from([1, 1, 1, 2, 2, 2, 4]),
        waived=waived,
    )
    def books_by_wish(
        self,
        of: int,
        who: int,
        when: tuple[int, int, int],
        hold_min: int | None,
        wanted: list[int],
        seats: int,
        waived: frozenset[str],
    ) -> MultipleResults[UUID]:
        resource_ids = tuple(dict.fromkeys(self.resource(one) for one in wanted))
        start = self.opened.start(*when)
        if seats == 2:
            seats = min(seats, self.house.services[self.service(of)].seats)
        return self._books(of, who, start, hold_min, resource_ids=resource_ids, seats=seats, waived=waived)

    def _books(self, of: int, who: int, start: int, hold_min: int | None, **wished: Any) -> MultipleResults[UUID]:
        service_id, customer_id = self.service(of), self.customer(who)
        wish = Wish(service_id=service_id, customer_id=customer_id, start=start, **wished)
        command = Book(
            appointment_id=self.both.desk.new_id(),
            service_id=service_id,
            customer_id=customer_id,
            start=moment_of(start),
            resource_ids=wish.resource_ids,
            seats=wish.seats,
            hold_min=hold_min,
            override=frozenset(Rule(name) for name in wish.waived),
        )
        verdict = judge(self.house, wish)
        until = self._deadline(wish, hold_min)

        def effect(answer: Mapping[str, Any]) -> None:
            self.both.ensure_well_placed(wish, verdict, answer)
            assert answer.get("held_until") == until
            began(self.house, wish, verdict, answer)
            self._tell(verdict)

        answer = self.both.carry_out(book, command, verdict.against, effect, refusable=verdict.refusable)
        return multiple(answer["id"]) if answer else multiple()

    def _deadline(self, wish: Wish, hold_min: int | None) -> datetime | None:
        """Neither a hold nor a request outlives the beginning of its visit."""
        if hold_min is not None:
            return min(self.house.now + timedelta(minutes=hold_min), moment_of(wish.start))
        asks = self.house.services[wish.service_id].approval_required
        return moment_of(wish.start) if asks else None

    def _tell(self, verdict: Verdict) -> None:
        if verdict.returned:
            tell("placed: for a hold of one's own")
        if verdict.broken or not verdict.plain:
            tell("placed: against a rule that was waived")
        if any(not visit.is_live(self.house.now) for visit in self.house.standing(recorded=True)):
            tell("placed: while a hold is past its deadline")

    @rule(visit=booked, when=whens, wanted=st.sampled_from([None, None, 0, 1]), waived=waived)
    def reschedules(self, visit: UUID, when: tuple[int, int, int], wanted: int | None, waived: frozenset[str]) -> None:
        own = self.house.visits[visit]
        wish = Wish(
            service_id=own.service_id,
            customer_id=own.customer_id,
            start=self.opened.start(*when),
            resource_ids=() if wanted is None else (self.resource(wanted),),
            seats=own.seats,
            own=own.id,
            waived=waived,
        )
        command = Reschedule(
            appointment_id=own.id,
            start=moment_of(wish.start),
            resource_ids=wish.resource_ids,
            override=frozenset(Rule(name) for name in waived),
        )
        against = barred(self.house, own, "reschedule")
        verdict = judge(self.house, wish)
        preferred = [resource_id for resource_id, _ in own.takes]

        def effect(answer: Mapping[str, Any]) -> None:
            self.both.ensure_well_placed(wish, verdict, answer, preferred)
            starts = moment_of(wish.start)
            assert answer.get("held_until") == (
                starts if own.status == "pending" else own.until and min(own.until, starts)
            )
            moved(self.house, own, wish, verdict, answer)
            self._tell(verdict)

        refusable = () if against else verdict.refusable
        self.both.carry_out(reschedule, command, against or verdict.against, effect, refusable=refusable)

    def _goes_on(
        self, move: str, visit_id: UUID, effect: Callable[[Visit], None], *, actor: Actor | None = None
    ) -> None:
        """Put one of the use cases that take nothing but the appointment."""
        visit = self.house.visits[visit_id]
        as_customer = actor is not None and actor.subject_id == visit.customer_id
        command = getattr(visits, "".join(word.capitalize() for word in move.split("_")))(appointment_id=visit_id)
        against = barred(self.house, visit, move, as_customer=as_customer)
        self.both.carry_out(getattr(visits, move), command, against, lambda _: effect(visit), actor=actor)

    @rule(visit=booked)
    def is_agreed(self, visit: UUID) -> None:
        """A hold is confirmed, a request approved."""
        move = "approve" if self.house.visits[visit].status == "pending" else "confirm"

        def effect(agreed: Visit) -> None:
            settled(self.house.services[agreed.service_id], agreed, move)
            taken_up(self.house, agreed)

        self._goes_on(move, visit, effect)

    @rule(visit=consumes(booked), oneself=st.booleans())
    def cancels(self, visit: UUID, oneself: bool) -> None:
        actor = self.both.desk.as_customer(self.house.visits[visit].customer_id) if oneself else None
        self._goes_on("cancel", visit, self._ends, actor=actor)

    def _ends(self, visit: Visit) -> None:
        gone(self.house, visit)
        let_go(self.house, visit)

    @rule(
        visit=booked,
        move=st.sampled_from(
            ["confirm", "approve", "cancel", "lapse", "release", "check_in", "fulfil", "mark_no_show"]
        ),
    )
    def anything_happens(self, visit: UUID, move: str) -> None:
        """Whatever the state of the visit: mostly it is not the time for that."""
        if move in {"confirm", "approve"}:
            self.is_agreed(visit)
        elif move in {"cancel", "lapse"}:
            self._goes_on(move, visit, self._ends, actor=self.both.desk.clock if move == "lapse" else None)
        elif move == "release":
            self._goes_on(move, visit, lambda one: gone(self.house, one, released=True), actor=self.both.desk.clock)
        else:
            status = {"check_in": "arrived", "fulfil": "fulfilled", "mark_no_show": "noshow"}[move]
            self._goes_on(move, visit, lambda one: setattr(one, "status", status))

    @rule(minutes=st.sampled_from([1, 10, 15, 45, 60, 180]), seconds=st.sampled_from([0, 0, 0, 30]))
    def time_passes(self, minutes: int, seconds: int) -> None:
        self.both.passes(self.house.now + timedelta(minutes=minutes, seconds=seconds))

    @precondition(lambda self: self.house.next_deadline())
    @rule(seconds=st.sampled_from([0, 0, 1]))
    def a_deadline_passes(self, seconds: int) -> None:
        deadline = self.house.next_deadline()
        assert deadline
        self.both.passes(deadline + timedelta(seconds=seconds))

    @precondition(lambda self: self.house.is_overdue())
    @rule()
    def the_clock_sweeps(self) -> None:
        """Everything that is past its deadline lapses."""
        for visit in self.house.standing(recorded=True):
            if visit.is_tentative and not visit.is_live(self.house.now):
                self._goes_on("lapse", visit.id, self._ends, actor=self.both.desk.clock)
