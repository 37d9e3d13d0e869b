"""Both engines side by side: a command is put to the one, and must come out as the other says."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from application.visits import appointment_answer
from domain.appointment import AppointmentHeld
from domain.fact import Fact
from domain.permissions import Actor
from domain.refusals import Refusal
from tests.dated_desk import DatedDesk
from tests.desk import Desk
from tests.engine.reached import tell
from tests.engine.reference import House, Visit, minute_of, moment_of
from tests.engine.reference_choice import chosen, turns_after
from tests.engine.reference_ledger import began
from tests.engine.reference_rules import WAIVABLE, Verdict, Wish, judge, reasons_against
from tests.engine.reference_waitlist import (
    Freed,
    freed,
    let_offers_lapse,
    offer_ends,
    passed_over,
    records,
    starts,
    wish_of,
)


class EngineDesk(DatedDesk):
    def __init__(self, *, now: datetime, time_zone: str) -> None:
        self.times: list[datetime] = []
        Desk.__init__(self, now=now, time_zone=time_zone)


class Both:
    """``desk`` is the real engine, ``house`` the naive one."""

    def __init__(self, *, now: datetime, time_zone: str) -> None:
        self.desk = EngineDesk(now=now, time_zone=time_zone)
        self.house = House(time_zone=time_zone, now=now)

    def passes(self, until: datetime) -> None:
        self.desk.now = self.house.now = until

    def carry_out(
        self,
        use_case: Any,
        command: object,
        against: Collection[type[Refusal]],
        effect: Callable[[Mapping[str, Any]], None],
        *,
        actor: Actor | None = None,
        refusable: Collection[type[Refusal]] = (),
        lifted: Collection[UUID] = (),
    ) -> Mapping[str, Any] | None:
        """The answer to what nothing is ``against``; None for what was refused, as it had to be or was ``refusable``.

        ``effect`` does the same to the naive engine; whatever that gives back, those who wait must be offered.
        """
        before = len(self.desk.facts)
        refused, answer = self._put(use_case, command, actor)
        if answer is None:
            assert against or refusable, f"{refused!r}, but nothing is against {command}"
            assert type(refused) in {*against, *refusable}, f"{refused!r}, but against {command} is {against}"
            assert len(self.desk.facts) == before, "a refusal changed something"
            tell(f"refused: {type(refused).__name__}")
            return None
        assert not against, f"{answer}, but against {command} is {against}"
        tell(f"done: {use_case.__name__}")
        stood = records(self.house)
        effect(answer)
        self.ensure_offered(freed(stood, records(self.house), lifted), self.desk.facts[before:])
        return answer

    def _put(
        self, use_case: Any, command: object, actor: Actor | None
    ) -> tuple[Refusal | None, Mapping[str, Any] | None]:
        try:
            return None, self.desk.do(use_case, command, actor)
        except Refusal as refusal:
            return refusal, None

    def ensure_offered(self, free: Freed, facts: Sequence[tuple[UUID, Fact]]) -> None:
        """What was given back has been offered to those whose turn it was, and no one was passed over."""
        offers = [fact for _, fact in facts if isinstance(fact, AppointmentHeld) and fact.entry_id is not None]
        if not free.is_to_come(self.house.now):
            assert not offers, "nothing was free"
            return
        let_offers_lapse(self.house)
        made = [self._offered(offer) for offer in offers]
        for entry, start in passed_over(self.house, free, made):
            raise AssertionError(f"a turn was lost: {entry} waits for {moment_of(start)}")

    def _offered(self, offer: AppointmentHeld) -> Visit:
        """An offer is of a visit that suits, backed by a hold, to somebody who has no other."""
        assert offer.entry_id is not None
        entry = self.house.entry(offer.entry_id)
        assert entry is not None
        assert entry.offer is None
        wish = wish_of(entry, minute_of(offer.visit.start))
        assert wish.start in starts(entry, self.house.services[entry.service_id])
        assert offer.visit.start > self.house.now
        assert offer.until == offer_ends(self.house, wish)
        verdict = judge(self.house, wish)
        assert not verdict.against, f"{offer}, but against it is {verdict.against}"
        answer = appointment_answer(self.desk.appointment(offer.appointment_id), 1)
        self.ensure_well_placed(wish, verdict, answer)
        visit = began(self.house, wish, verdict, answer, entry_id=entry.id)
        entry.offer = visit.id
        tell("offered")
        return visit

    def ensure_well_placed(
        self, wish: Wish, verdict: Verdict, answer: Mapping[str, Any], preferred: Sequence[UUID] = ()
    ) -> None:
        """The visit is where it was wished, with resources that it may have, and with those that it should have."""
        house, terms = self.house, self.house.services[wish.service_id]
        by: list[UUID] = list(answer["resource_ids"])
        assert answer["start"] == moment_of(wish.start)
        assert len(set(by)) == len(by) == len(terms.requirements) or verdict.joins
        assert set(wish.resource_ids) <= set(by)
        broken = set(verdict.broken)
        if verdict.joins:
            tell("placed: in a session that is open")
            assert by == [resource_id for resource_id, _ in verdict.joins[0].takes]
        else:
            for place, one in enumerate(by):
                reasons = set(reasons_against(house, terms, place, one, wish.start, verdict.taken))
                unwaived = {reason for reason in reasons if reason not in {WAIVABLE[name] for name in wish.waived}}
                assert not unwaived, f"{one} was taken though {unwaived}"
                broken |= {name for name in wish.waived if WAIVABLE[name] in reasons}
            assert verdict.plain or broken
            self._ensure_chosen(wish, verdict, by, preferred)
        assert set(answer.get("overridden", ())) == broken

    def _ensure_chosen(self, wish: Wish, verdict: Verdict, by: Sequence[UUID], preferred: Sequence[UUID]) -> None:
        house, terms = self.house, self.house.services[wish.service_id]
        if verdict.plain and not wish.resource_ids:
            best = chosen(house, terms, wish.start, verdict.taken, preferred)
            tell("placed: by the best of each" if best else "placed: by making room")
            assert best is None or list(best) == list(by), f"{best} are the best, not {by}"
        for pool_id, last in turns_after(house, terms, by, {*preferred, *wish.resource_ids}).items():
            house.pools[pool_id].last = last
