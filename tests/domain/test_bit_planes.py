"""Arithmetic on masks agrees with arithmetic on lists of numbers."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from domain.bit_planes import (
    Planes,
    add,
    each_minute,
    eroded,
    free_mask,
    joined_up,
    minutes,
    packed,
    parts,
    subtract,
    unpacked,
)

WIDTH = 40

masks = st.integers(0, (1 << WIDTH) - 1)
quantities = st.integers(0, 37)
claims = st.lists(st.tuples(masks, quantities), max_size=12)


def quantity_at(planes: Planes, minute: int) -> int:
    return sum((plane >> minute & 1) << k for k, plane in enumerate(planes))


def added_up(several: list[tuple[int, int]]) -> Planes:
    planes: Planes = ()
    for where, quantity in several:
        planes = add(planes, where, quantity)
    return planes


def expected_at(several: list[tuple[int, int]], minute: int) -> int:
    return sum(quantity for where, quantity in several if where >> minute & 1)


@given(claims)
def test_adding_adds_at_each_minute_by_itself(several: list[tuple[int, int]]) -> None:
    planes = added_up(several)
    assert [quantity_at(planes, m) for m in range(WIDTH)] == [expected_at(several, m) for m in range(WIDTH)]


@given(claims, st.randoms(use_true_random=False))
def test_what_was_added_can_be_subtracted_in_any_order_and_leaves_no_trace(
    several: list[tuple[int, int]], random: Random
) -> None:
    planes = added_up(several)
    gone = [*several]
    random.shuffle(gone)
    while gone:
        planes = subtract(planes, *gone.pop())
        assert [quantity_at(planes, m) for m in range(WIDTH)] == [expected_at(gone, m) for m in range(WIDTH)]
    assert planes == ()


@given(claims, st.randoms(use_true_random=False))
def test_the_same_quantity_has_one_representation_whatever_the_order(
    several: list[tuple[int, int]], random: Random
) -> None:
    shuffled = [*several]
    random.shuffle(shuffled)
    assert added_up(several) == added_up(shuffled)


@given(claims, st.integers(1, 200), st.integers(1, 60))
def test_free_are_the_minutes_at_which_the_quantity_still_fits(
    several: list[tuple[int, int]], capacity: int, quantity: int
) -> None:
    free = free_mask(added_up(several), capacity, quantity, WIDTH)
    assert free == sum(1 << m for m in range(WIDTH) if expected_at(several, m) + quantity <= capacity)


@given(masks, st.integers(1, WIDTH + 5))
def test_eroded_are_the_minutes_from_which_a_run_fits(mask: int, length: int) -> None:
    run = minutes(0, length)
    assert eroded(mask, length) == sum(1 << m for m in range(WIDTH) if mask >> m & run == run)


@given(masks)
def test_the_minutes_of_a_mask_are_told_in_order(mask: int) -> None:
    assert each_minute(mask) == [m for m in range(WIDTH) if mask >> m & 1]


@given(masks, st.lists(st.tuples(st.integers(0, WIDTH + 20), st.integers(0, 40)), max_size=5))
def test_a_part_is_what_lies_between_its_bounds(mask: int, several: list[tuple[int, int]]) -> None:
    bounds = [(first, first + length) for first, length in several]
    assert list(parts(mask, bounds)) == [sum((mask >> m & 1) << m - a for m in range(a, b)) for a, b in bounds]


@given(st.lists(claims, min_size=1, max_size=4))
def test_packed_stretches_join_up_to_one_long_stretch(stretches: list[list[tuple[int, int]]]) -> None:
    stretched = [added_up(several) for several in stretches]
    long = joined_up([packed(planes, WIDTH) for planes in stretched], WIDTH)
    for number, planes in enumerate(stretched):
        assert unpacked(packed(planes, WIDTH), WIDTH) == planes
        for minute in range(WIDTH):
            assert quantity_at(long, number * WIDTH + minute) == quantity_at(planes, minute)


def test_no_minutes_lie_between_an_end_and_an_earlier_start() -> None:
    assert minutes(7, 7) == 0
    assert minutes(9, 7) == 0
    assert minutes(2, 5) == 0b11100
