"""At which minutes of a window one resource alone could serve a service."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from domain.bit_planes import Mask, Planes, eroded, free_mask
from domain.open_hours import EPOCH, OpenDays, grid_mask
from domain.service import Service
from domain.wall_clock import A_DAY, MINUTES_PER_DAY

BLOCK_DAYS = 8
"""Claims are kept in blocks of this many UTC days. 8 × 180 bytes: large enough that a month of 200 resources is few
values to fetch, small enough that a row stays inside its PostgreSQL page."""
BLOCK_MIN = BLOCK_DAYS * MINUTES_PER_DAY
KNOWN_MAX = 8
"""Of each candidate so much is kept that was worked out; few services ask for the same resource in turns."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """Blocks ``first_block`` … ``last_block``, whose first minute is bit 0 of every mask."""

    first_block: int
    last_block: int

    @property
    def first_day(self) -> int:
        return self.first_block * BLOCK_DAYS

    @property
    def days(self) -> int:
        return (self.last_block - self.first_block + 1) * BLOCK_DAYS

    @property
    def origin(self) -> datetime:
        return EPOCH + self.first_day * A_DAY


@dataclass(frozen=True, slots=True)
class Candidate:
    """A resource that suits a requirement; ``used`` is the claimed quantity over ``window``.

    It never changes, so what was worked out of it holds as long as it is there.
    """

    open_days: OpenDays
    used: Planes
    window: Window
    _known: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def id(self) -> UUID:
        return self.open_days.resource.id

    def known(self, key: Hashable, work_out: Callable[[], T]) -> T:
        """What ``work_out`` says, which depends on the candidate and on ``key`` alone."""
        if key not in self._known:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[key] = work_out()
        found: T = self._known[key]
        return found


class PossibleStarts:
    """At which minutes of a window one resource alone could serve the service; ``key``: all that this depends on."""

    def __init__(self, service: Service, window: Window) -> None:
        terms = service.terms
        self.before_min = terms.buffer_before_min
        self.claim_min = terms.buffer_before_min + terms.duration_min + terms.buffer_after_min
        self._step_min = terms.slot_step_min
        self.key = (self.before_min, self.claim_min, self._step_min)
        self.window = window
        self._grids: dict[str, Mask] = {}

    def of(self, candidate: Candidate, quantity: int) -> Mask:
        return candidate.known((quantity, self.key), lambda: self._of(candidate, quantity))

    def _of(self, candidate: Candidate, quantity: int) -> Mask:
        # A claim starts before its visit by the buffer.
        fits = eroded(self.free(candidate, quantity), self.claim_min) << self.before_min
        return fits & self._grid(candidate.open_days.resource.time_zone)

    def free(self, candidate: Candidate, quantity: int) -> Mask:
        """The minutes that are open and at which so much is left."""
        window, resource = self.window, candidate.open_days.resource
        free = free_mask(candidate.used, resource.capacity, quantity, window.days * MINUTES_PER_DAY)
        return free & candidate.open_days.mask(window.first_day, window.days) if free else 0

    def _grid(self, time_zone: str) -> Mask:
        if time_zone not in self._grids:
            self._grids[time_zone] = grid_mask(time_zone, self._step_min, self.window.first_day, self.window.days)
        return self._grids[time_zone]
