"""What is kept is bounded by bytes; what was used least recently goes first, and all of it is counted."""

import gc
import tracemalloc
from datetime import timedelta
from functools import lru_cache
from uuid import UUID

import pytest

from application.lru import ENTRY_BYTES, CacheTally, Lru, Memoized
from domain.resource_day import PAGE_ID_BYTES, page_id
from tests.desk import NINE

A, B, C = "a", "b", "c"


def keeping(count: int, *, each: int = 1_000) -> Lru[str, bytes]:
    """Room for ``count`` values of ``each`` bytes."""
    return Lru(count * (each + ENTRY_BYTES), weigh=len)


def test_what_was_used_least_recently_goes_first() -> None:
    kept = keeping(2)
    kept.put(A, bytes(1_000))
    kept.put(B, bytes(1_000))
    assert kept.get(A)
    kept.put(C, bytes(1_000))
    kept.trim()
    assert (kept.find(A) is None, kept.find(B) is None, kept.find(C) is None) == (False, True, False)
    assert kept.tally == CacheTally(hits=1, misses=0, evictions=1)


def test_looking_again_is_a_use_that_is_not_counted() -> None:
    kept = keeping(2)
    kept.put(A, bytes(1_000))
    kept.put(B, bytes(1_000))
    assert kept.find(A) == bytes(1_000)
    assert kept.find(C) is None
    kept.put(C, bytes(1_000))
    kept.trim()
    assert (kept.find(A) is None, kept.find(B) is None) == (False, True)
    assert kept.tally == CacheTally(evictions=1)


def test_bytes_are_those_of_the_values_that_are_there() -> None:
    kept = keeping(10)
    kept.put(A, bytes(1_000))
    kept.put(A, bytes(500))
    kept.put(B, bytes(200))
    assert kept.bytes == 700 + 2 * ENTRY_BYTES
    kept.drop(A)
    kept.drop(A)
    assert (len(kept), kept.bytes) == (1, 200 + ENTRY_BYTES)
    kept.clear()
    assert (len(kept), kept.bytes) == (0, 0)


def test_nothing_goes_before_it_is_time() -> None:
    kept = keeping(1)
    for key in (A, B, C):
        kept.put(key, bytes(1_000))
    assert len(kept) == 3
    kept.trim()
    assert len(kept) == 1
    assert kept.get(C)
    assert kept.get(A) is None
    assert kept.tally == CacheTally(hits=1, misses=1, evictions=2)


def test_a_value_larger_than_all_room_is_not_kept() -> None:
    kept = keeping(1)
    kept.put(A, bytes(2_000))
    kept.trim()
    assert (len(kept), kept.bytes) == (0, 0)


def test_a_memoized_function_tells_the_same_of_itself() -> None:
    doubled = lru_cache(2)(lambda number: 2 * number)
    for number in (1, 1, 2, 3):
        doubled(number)
    told = Memoized(doubled, entry_bytes=400)
    assert (len(told), told.bytes) == (2, 800)
    assert told.tally == CacheTally(hits=1, misses=3, evictions=1)


def test_a_page_id_takes_about_as_much_as_is_said() -> None:
    kept = lru_cache(1_000)(page_id.__wrapped__)
    kept(UUID(int=1), NINE.date())
    tracemalloc.start()
    try:
        for number in range(1_000):
            kept(UUID(int=2**127 + number), NINE.date() + number * timedelta(days=1))
        gc.collect()
        took = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert pytest.approx(took / 1_000, rel=0.3) == PAGE_ID_BYTES
