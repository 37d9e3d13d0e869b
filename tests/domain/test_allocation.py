"""Which resources a visit takes: any combination if there is one, and of several the one that the strategy chooses."""

from itertools import product
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.allocation import Choice
from domain.interval import Interval
from domain.pool import Strategy
from domain.refusals import NothingOffersThis, Refusal, ResourceClosed, SlotTaken
from domain.resource import Closure, Resource
from domain.service import Requirement, Service
from domain.wall_clock import MINUTE
from tests.clinic import a_resource, a_service
from tests.diary import HOUR, MONDAY, NINE, POOL, Diary, allotted, chosen, rooms

# ── Any combination ──────────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def competitions(draw: st.DrawFn) -> tuple[Service, list[Choice[Resource]], Diary]:
    ones = rooms(draw(st.integers(1, 5)), capacity=2)
    needs = draw(st.lists(st.integers(1, 2), min_size=1, max_size=5))
    choices = [
        Choice(
            tuple(draw(st.lists(st.sampled_from(ones), unique_by=lambda one: one.id))),
            draw(st.sampled_from(Strategy)),
            POOL,
        )
        for _ in needs
    ]
    diary = Diary()
    for one in ones:
        for quantity in draw(st.lists(st.integers(1, 2), max_size=1)):
            start = NINE + draw(st.integers(-90, 90)) * MINUTE
            diary.claim(one, start, start + HOUR, quantity=quantity)
    return a_service(*(Requirement(pool_id=POOL, quantity=need) for need in needs)), choices, diary


def could_serve(service: Service, place: int, one: Resource, diary: Diary) -> bool:
    """The naive answer: this requirement alone."""
    alone = a_service(service.terms.requirements[place])
    try:
        allotted(alone, [Choice((one,))], diary)
    except Refusal:
        return False
    return True


@settings(max_examples=300)
@given(competitions())
def test_a_visit_is_refused_only_if_no_combination_exists(drawn: tuple[Service, list[Choice[Resource]], Diary]) -> None:
    service, choices, diary = drawn
    able = [
        [one.id for one in choice.candidates if could_serve(service, place, one, diary)]
        for place, choice in enumerate(choices)
    ]
    exists = any(len(set(combination)) == len(combination) for combination in product(*able))
    try:
        found = allotted(service, choices, diary)
    except Refusal:
        assert not exists
        return
    ids = [allotment.resource_id for allotment in found.allotments]
    assert len(set(ids)) == len(ids)
    assert all(one in could for one, could in zip(ids, able, strict=True))
    assert [allotment.quantity for allotment in found.allotments] == [r.quantity for r in service.terms.requirements]
    assert found == allotted(service, choices, diary)


def test_who_was_chosen_first_makes_room_for_who_has_no_choice() -> None:
    either, only = rooms(2)
    service = a_service(Requirement(pool_id=POOL), Requirement(kind="room"))
    assert chosen(service, [Choice((either, only)), Choice((either,))], Diary()) == [only.id, either.id]


def test_the_refusal_tells_what_keeps_others_from_making_room() -> None:
    either, closed = a_resource(1), a_resource(2, closures=(Closure(UUID(int=5), Interval(MONDAY, NINE + HOUR)),))
    service = a_service(Requirement(pool_id=POOL), Requirement(kind="room"))
    with pytest.raises(ResourceClosed):
        allotted(service, [Choice((either, closed)), Choice((either,))], Diary())


def test_nobody_is_looked_at_who_does_not_matter() -> None:
    ones = rooms(4)
    diary = Diary()
    diary.claim(ones[0], NINE, NINE + HOUR)
    assert chosen(a_service(), [Choice(ones)], diary) == [ones[1].id]
    assert len(diary.looked_at) == 2


def test_without_candidates_nothing_offers_it_and_taken_ones_say_so() -> None:
    (one,) = rooms(1)
    diary = Diary()
    with pytest.raises(NothingOffersThis):
        allotted(a_service(), [Choice(())], diary)
    diary.claim(one, NINE, NINE + HOUR)
    with pytest.raises(SlotTaken):
        allotted(a_service(), [Choice((one,))], diary)
