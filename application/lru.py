"""What a process keeps in memory to be fast: bounded by bytes, least recently used first out, and counted."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ENTRY_BYTES = 300
"""What an entry takes besides its value: its place in the order, in the table, and a UUID for its key."""


@dataclass(slots=True)
class CacheTally:
    """How often a cache had what it was asked for, how often it had not, and what it let go for want of room."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0


@dataclass(frozen=True, slots=True)
class Memoized:
    """What ``functools.lru_cache`` knows of a function, told as ``Lru`` tells it. ``entry_bytes``: of each result."""

    function: Any
    entry_bytes: int

    def __len__(self) -> int:
        return int(self.function.cache_info().currsize)

    @property
    def bytes(self) -> int:
        return len(self) * self.entry_bytes

    @property
    def tally(self) -> CacheTally:
        info = self.function.cache_info()
        return CacheTally(info.hits, info.misses, info.misses - info.currsize)


class Lru(Generic[K, V]):
    """``weigh`` estimates the bytes of a value; it is asked once, when the value is put.

    What is kept may be over ``bytes_max`` until ``trim``: whoever needs several values together trims when done.
    """

    def __init__(self, bytes_max: int, weigh: Callable[[V], int]) -> None:
        self.bytes_max = bytes_max
        self.tally = CacheTally()
        self.bytes = 0
        self._weigh = weigh
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """The value, counted, and now the most recently used one."""
        found = self.find(key)
        if found is None:
            self.tally.misses += 1
        else:
            self.tally.hits += 1
        return found

    def find(self, key: K) -> V | None:
        """As ``get``, but not counted: for one who looks several times for one purpose."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        return kept[0]

    def put(self, key: K, value: V) -> None:
        """Keep ``value``, as the most recently used one, in place of what was under its key."""
        size = ENTRY_BYTES + self._weigh(value)
        before = self._kept.pop(key, None)
        self.bytes += size if before is None else size - before[1]
        self._kept[key] = (value, size)

    def drop(self, key: K) -> None:
        """It is wrong, or over: no eviction."""
        before = self._kept.pop(key, None)
        if before is not None:
            self.bytes -= before[1]

    def clear(self) -> None:
        self._kept.clear()
        self.bytes = 0

    def trim(self) -> None:
        """Let the least recently used go until the rest fits."""
        while self.bytes > self.bytes_max:
            _, (_, size) = self._kept.popitem(last=False)
            self.bytes -= size
            self.tally.evictions += 1
