"""Each strategy of a pool against its definition, worked out minute by minute."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.allocation import Choice, in_turn
from domain.interval import Interval
from domain.pool import Strategy
from domain.refusals import Refusal
from domain.resource import Resource, Shift, Span
from domain.resource_day import evolve
from domain.service import Requirement, Service
from domain.wall_clock import MINUTE, WEEKDAYS
from tests.clinic import a_service
from tests.diary import HOUR, MONDAY, NINE, POOL, Diary, allotted, chosen, rooms

NIGHT_AND_DAY = tuple(Shift(weekday, span) for weekday in WEEKDAYS for span in (Span(0, 300), Span(420, 1380)))


@st.composite
def pools(draw: st.DrawFn) -> tuple[Service, tuple[Resource, ...], Diary, datetime]:
    zone = draw(st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns"]))
    ones = rooms(draw(st.integers(2, 4)), time_zone=zone, capacity=draw(st.integers(1, 2)), shifts=NIGHT_AND_DAY)
    diary = Diary()
    hours = st.tuples(st.sampled_from(ones), st.integers(-30, 40), st.integers(1, 5), st.booleans())
    for number, (one, at, length, lapsed) in enumerate(draw(st.lists(hours, max_size=10))):
        start, until = MONDAY + at * 45 * MINUTE, MONDAY if lapsed else None
        diary.claim(one, start, start + length * 20 * MINUTE, appointment_id=UUID(int=100 + number), until=until)
    service = a_service(Requirement(pool_id=POOL), duration_min=draw(st.sampled_from([15, 60, 200])), slot_step_min=1)
    return service, ones, diary, MONDAY + draw(st.integers(0, 23 * 60)) * MINUTE


def free_ones(service: Service, ones: Sequence[Resource], diary: Diary, start: datetime) -> list[Resource]:
    free = []
    for one in ones:
        try:
            allotted(service, [Choice((one,))], diary, start=start)
        except Refusal:
            continue
        free.append(one)
    return free


def dates_of(service: Service, one: Resource, start: datetime) -> set[object]:
    wanted, zone = service.claim(start), one.zone
    length = (wanted.end - wanted.start) // MINUTE
    return {(wanted.start + n * MINUTE).astimezone(zone).date() for n in range(length)}


def taken_at(one: Resource, diary: Diary, minute: datetime) -> int:
    claims = [claim for page in diary.values() if page.resource_id == one.id for claim in page.claims]
    return sum(c.quantity for c in claims if c.until is None and c.interval.start <= minute < c.interval.end)


def minutes_on(service: Service, one: Resource, start: datetime) -> list[datetime]:
    dates = dates_of(service, one, start)
    around = [MONDAY + n * MINUTE for n in range(-48 * 60, 72 * 60)]
    return [minute for minute in around if minute.astimezone(one.zone).date() in dates]


def naive_load(service: Service, one: Resource, diary: Diary, start: datetime) -> int:
    return sum(taken_at(one, diary, minute) for minute in minutes_on(service, one, start))


def naive_stretch(service: Service, one: Resource, diary: Diary, start: datetime) -> int:
    free = {
        minute
        for minute in minutes_on(service, one, start)
        if taken_at(one, diary, minute) < one.capacity
        and not any(one.reasons_against(Interval(minute, minute + MINUTE)))
    }
    first, last = start, start
    while first - MINUTE in free:
        first -= MINUTE
    while last + MINUTE in free:
        last += MINUTE
    return (last - first) // MINUTE + 1


@settings(max_examples=60, deadline=None)
@given(pools(), st.sampled_from([Strategy.LEAST_LOADED, Strategy.BEST_FIT, Strategy.PRIORITY]))
def test_a_strategy_chooses_as_it_is_defined(
    drawn: tuple[Service, tuple[Resource, ...], Diary, datetime], strategy: Strategy
) -> None:
    service, ones, diary, start = drawn
    measures: Mapping[Strategy, object] = {Strategy.LEAST_LOADED: naive_load, Strategy.BEST_FIT: naive_stretch}
    measure = measures.get(strategy, lambda *_: 0)
    free = free_ones(service, ones, diary, start)
    if not free:
        return
    best = min(free, key=lambda one: measure(service, one, diary, start))  # type: ignore[operator]
    assert chosen(service, [Choice(ones, strategy, POOL)], diary, start=start) == [best.id]


def test_a_move_does_not_count_its_own_claim_as_load_or_as_taken() -> None:
    mine, other = rooms(2)
    diary = Diary()
    diary.claim(mine, NINE, NINE + 2 * HOUR, appointment_id=UUID(int=7))
    diary.claim(other, MONDAY, MONDAY + MINUTE)
    for strategy in (Strategy.LEAST_LOADED, Strategy.BEST_FIT):
        pool = Choice((other, mine), strategy, POOL)
        expected = mine if strategy is Strategy.LEAST_LOADED else other
        assert chosen(a_service(), [pool], diary) == [expected.id]


def test_what_is_preferred_comes_before_the_strategy() -> None:
    idle, busy = rooms(2)
    diary = Diary()
    diary.claim(busy, MONDAY, MONDAY + HOUR)
    pool = Choice((idle, busy), Strategy.LEAST_LOADED, POOL, frozenset({busy.id}))
    assert chosen(a_service(), [pool], diary) == [busy.id]
    diary.claim(busy, NINE, NINE + HOUR)
    assert chosen(a_service(), [pool], diary) == [idle.id]


def test_least_loaded_spreads_a_day_evenly() -> None:
    ones, diary, service = rooms(4), Diary(), a_service()
    taken: Counter[UUID] = Counter()
    for number in range(40):
        start = MONDAY + number * 30 * MINUTE
        pool = Choice(ones, Strategy.LEAST_LOADED, POOL)
        found = allotted(service, [pool], diary, start=start, appointment_id=UUID(int=number))
        for stream_id, fact in found.claims:
            diary[stream_id] = evolve(diary.get(stream_id), fact)
        taken[found.allotments[0].resource_id] += 1
    assert set(taken.values()) == {10}


@given(st.lists(st.booleans(), min_size=8, max_size=30))
def test_turns_are_even_whatever_is_cancelled_between(cancelled: list[bool]) -> None:
    ones, service = rooms(3), a_service()
    by_id = {one.id: one for one in ones}
    last: UUID | None = None
    taken: Counter[UUID] = Counter({one.id: 0 for one in ones})
    diary = Diary()
    for number, is_cancelled in enumerate(cancelled):
        turn = tuple(by_id[one] for one in in_turn([one.id for one in ones], last))
        pool = Choice(turn, Strategy.ROUND_ROBIN, POOL)
        found = allotted(service, [pool], diary, start=MONDAY + number * HOUR, appointment_id=UUID(int=number))
        ((_, fact),) = found.turns
        last = fact.resource_id
        taken[last] += 1
        if not is_cancelled:
            for stream_id, claimed in found.claims:
                diary[stream_id] = evolve(diary.get(stream_id), claimed)
    assert max(taken.values()) - min(taken.values()) <= 1


def test_it_is_nobodys_turn_that_was_asked_for_by_name_and_two_of_a_visit_take_two() -> None:
    ones = rooms(3)
    turns = Choice(ones, Strategy.ROUND_ROBIN, POOL)
    service = a_service(Requirement(pool_id=POOL), Requirement(pool_id=POOL))
    found = allotted(service, [turns, turns], Diary())
    assert [fact.resource_id for _, fact in found.turns] == [ones[0].id, ones[1].id]
    named = Choice((ones[2],), Strategy.ROUND_ROBIN, POOL, frozenset({ones[2].id}))
    assert allotted(a_service(), [named], Diary()).turns == ()


def test_a_pool_that_has_lost_whose_turn_it_was_begins_anew() -> None:
    assert in_turn("abc", "b") == ("c", "a", "b")
    assert in_turn("abc", "c") == ("a", "b", "c")
    assert in_turn("abc", "z") == ("a", "b", "c")
    assert in_turn("abc", None) == ("a", "b", "c")
