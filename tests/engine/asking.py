"""What is asked: which starts are free, and why others are not. Each answer is tried out by booking."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import rule

from application.booking import Book, book
from application.decision import View
from application.slots import Slot, find_slots
from domain.refusals import OffGrid, Refusal, ResourceNotSuitable, TooSoon
from tests.desk_sources import DeskSources
from tests.engine.bookings import Bookings, which
from tests.engine.reached import tell
from tests.engine.reference import moment_of
from tests.engine.reference_choice import chosen
from tests.engine.reference_rules import Verdict, Wish, candidates, judge

TRIED_MAX = 2
"""Of the starts that are offered, and of those that are not."""


class Asking(Bookings):
    @rule(
        of=which,
        quarter=st.integers(-8, 8),
        length=st.integers(1, 180),
        wanted=st.one_of(st.none(), st.none(), which),
        seats=st.integers(1, 2),
        data=st.data(),
    )
    def slots_are_asked(
        self, of: int, quarter: int, length: int, wanted: int | None, seats: int, data: st.DataObject
    ) -> None:
        service_id = self.service(of)
        terms, first = self.house.services[service_id], self.opened.start(quarter)
        suiting = candidates(self.house, terms)
        resource_id = None if wanted is None else self.resource(wanted)
        if sum(resource_id in ones for ones in suiting) != 1:
            resource_id = None
        window = range(first, first + length)
        verdicts = self._judged(service_id, window, resource_id, min(seats, terms.seats))
        slots = self._slots(service_id, window, resource_id, min(seats, terms.seats))
        free = [start for start, (_, verdict) in verdicts.items() if not verdict.against]
        assert [slot.start for slot in slots] == [moment_of(start) for start in free]
        tell("asked: something is free" if free else "asked: nothing is free")
        for slot, start in zip(slots, free, strict=True):
            self._ensure_right(slot, *verdicts[start])
        for slot in data.draw(st.lists(st.sampled_from(slots), max_size=TRIED_MAX)) if slots else ():
            assert self._tried(verdicts[free[slots.index(slot)]][0]) == list(slot.resource_ids), "not what was offered"
        plain = {TooSoon, OffGrid}
        barred = [
            start for start, (_, verdict) in verdicts.items() if verdict.against - plain == verdict.against != set()
        ]
        barred = barred or [start for start in verdicts if start not in free]
        for start in data.draw(st.lists(st.sampled_from(barred), max_size=TRIED_MAX)) if barred else ():
            self._ensure_told_why(*verdicts[start])

    def _judged(
        self, service_id: UUID, window: range, resource_id: UUID | None, seats: int
    ) -> dict[int, tuple[Wish, Verdict]]:
        """Every minute of the window, for somebody who has no other visits."""
        taken = self.house.taken()
        wishes = [
            Wish(
                service_id=service_id,
                customer_id=self.opened.stranger_id,
                start=start,
                resource_ids=(resource_id,) if resource_id else (),
                seats=seats,
            )
            for start in window
        ]
        return {wish.start: (wish, judge(self.house, wish, taken)) for wish in wishes}

    def _slots(self, service_id: UUID, window: range, resource_id: UUID | None, seats: int) -> Sequence[Slot]:
        desk = self.both.desk
        first, end = moment_of(window.start), moment_of(window.stop)
        asked = find_slots(
            DeskSources(desk).sources,
            desk.organization_id,
            service_id,
            first,
            end,
            resource_id=resource_id,
            seats=seats,
        )
        return asyncio.run(asked).slots

    def _ensure_right(self, slot: Slot, wish: Wish, verdict: Verdict) -> None:
        terms = self.house.services[wish.service_id]
        if verdict.joins:
            assert list(slot.resource_ids) == [resource_id for resource_id, _ in verdict.joins[0].takes]
            assert slot.end == moment_of(verdict.joins[0].end)
            return
        assert slot.end == moment_of(wish.start + terms.duration_min)
        best = None if wish.resource_ids else chosen(self.house, terms, wish.start, verdict.taken)
        assert best is None or best == slot.resource_ids
        assert set(wish.resource_ids) <= set(slot.resource_ids)

    def _tried(self, wish: Wish) -> Refusal | list[UUID]:
        """What the use case that books says; nothing is kept."""
        desk = self.both.desk
        command = Book(
            appointment_id=UUID(int=7),
            service_id=wish.service_id,
            customer_id=self.opened.stranger_id,
            start=moment_of(wish.start),
            resource_ids=wish.resource_ids,
            seats=wish.seats,
        )
        try:
            answer = book(View(desk), command, desk.staff, desk.now).answer
        except Refusal as refusal:
            return refusal
        assert isinstance(answer, dict)
        return list(answer["resource_ids"])

    def _ensure_told_why(self, wish: Wish, verdict: Verdict) -> None:
        """Booking refuses it, for a reason that stands in the way, and the explanation gives the same."""
        said, start = self._tried(wish), moment_of(wish.start)
        assert isinstance(said, Refusal)
        assert type(said) in verdict.against
        told = self._told(wish, start)
        # That a resource is of no use is no finding but a refusal to explain.
        unsuitable = isinstance(told, ResourceNotSuitable) and ResourceNotSuitable in verdict.against
        assert unsuitable or type(told) is type(said), f"{said!r} is explained by {told!r}"
        tell(f"explained: {type(said).__name__}")

    def _told(self, wish: Wish, start: datetime) -> object:
        resource_id = wish.resource_ids[0] if wish.resource_ids else None
        try:
            return self.both.desk.why(wish.service_id, start, resource_id=resource_id, seats=wish.seats).outcome
        except ResourceNotSuitable as refusal:
            return refusal
