"""What is kept is bounded by bytes; what was used least recently goes first, and all of it is counted."""

from application.lru import ENTRY_BYTES, CacheTally, Lru

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
