"""Whatever is commanded of series: no room is taken twice, and no series ever grows."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from application.booking import Reschedule, reschedule
from application.visits import Cancel, cancel
from domain.appointment import Appointment
from domain.refusals import Refusal
from domain.resource_day import ResourceDay
from tests.desk import HOUR
from tests.recurring_desk import AT_NINE, RecurringDesk, weekly

A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Deed:
    """``which`` chooses the series and its occurrence, ``days`` and ``hours`` when."""

    name: str
    scope: str
    which: int
    days: int
    hours: int
    skip: bool


DEEDS = st.builds(
    Deed,
    name=st.sampled_from(["begin", "begin", "move", "move", "move", "call_off", "move_one", "cancel_one", "wait"]),
    scope=st.sampled_from(["this", "following", "all", "all"]),
    which=st.integers(0, 11),
    days=st.integers(-3, 3),
    hours=st.integers(-2, 2),
    skip=st.booleans(),
)


class Scene:
    """Visits of two hours: where ``alone``, in one room, and one at a time of the customer; else in two."""

    def __init__(self, *, seats: int, alone: bool) -> None:
        self.desk = RecurringDesk(
            rooms=1 if alone else 2, duration_min=120, seats=seats, customer_overlap_allowed=not alone
        )
        self.begun: list[Mapping[str, Any]] = []

    def do(self, deed: Deed) -> None:
        """Raises whatever the deed is refused with."""
        desk, by = self.desk, deed.days * A_DAY + deed.hours * HOUR
        on_conflict = "skip" if deed.skip else "refuse"
        if deed.name == "begin":
            starts = weekly(2 + deed.which % 4, AT_NINE + (deed.days + 4) * A_DAY + deed.hours * HOUR, A_DAY)
            self.begun.append(desk.begin(*starts, on_conflict=on_conflict))
        elif deed.name == "wait":
            desk.now += HOUR * 9
        elif self.begun:
            series = desk.series(self.begun[deed.which % len(self.begun)]["id"])
            one = series.occurrences[deed.which % len(series.occurrences)] if series.occurrences else None
            if one is None:
                return
            of = None if deed.scope == "all" else one.recurrence_id
            first = one if of else series.occurrences[0]
            match deed.name:
                case "move":
                    to = first.start_local + by
                    desk.move(series.id, to, scope=deed.scope, of=of, on_conflict=on_conflict)
                case "call_off":
                    desk.call_off(series.id, scope=deed.scope, of=of)
                case "move_one":
                    start = desk.appointment(one.appointment_id).visit.start + by
                    desk.do(reschedule, Reschedule(appointment_id=one.appointment_id, start=start))
                case "cancel_one":
                    desk.do(cancel, Cancel(appointment_id=one.appointment_id))

    def standing(self) -> Counter[UUID]:
        """How many visits of each series still claim something."""
        return Counter(
            one.state.occurrence.series_id
            for one in self.desk.streams.values()
            if isinstance(one.state, Appointment) and one.state.occurrence and one.state.has_claims
        )

    def ensure_sound(self) -> None:
        visits = {key: one.state for key, one in self.desk.streams.items() if isinstance(one.state, Appointment)}
        claimants = {visit.session_id or visit.id for visit in visits.values() if visit.has_claims}
        pages = [one.state for one in self.desk.streams.values() if isinstance(one.state, ResourceDay)]
        for page in pages:
            for claim in page.claims:
                assert page.peak_quantity(claim.interval, now=self.desk.now) <= 1
                assert claim.appointment_id in claimants
        assert claimants == {claim.appointment_id for page in pages for claim in page.claims}


@settings(max_examples=60, deadline=None)
@given(deeds=st.lists(DEEDS, min_size=4, max_size=18), seats=st.sampled_from([1, 3]), alone=st.booleans())
def test_no_room_is_taken_twice_and_no_series_grows(deeds: list[Deed], seats: int, *, alone: bool) -> None:
    scene = Scene(seats=seats, alone=alone)
    before = scene.standing()
    for deed in deeds:
        with suppress(Refusal):
            scene.do(deed)

        scene.ensure_sound()
        after = scene.standing()
        assert all(after[series] <= count for series, count in before.items())
        assert len(after.keys() - before.keys()) <= (deed.name == "begin")
        before = after
