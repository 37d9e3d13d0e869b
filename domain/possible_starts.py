"""At which minutes of a window one resource alone could serve a service."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.bit_planes import Mask, Planes, eroded, free_mask
from domain.open_hours import EPOCH, OpenDays, grid_mask
from domain.service import Service
from domain.wall_clock import A_DAY, MINUTES_PER_DAY

BLOCK_DAYS = 8
"""Claims are kept in blocks of this many UTC days. 8 × 180 bytes: large enough that a month of 200 resources is few
values to fetch, small enough that a row stays inside its PostgreSQL page."""
BLOCK_MIN = BLOCK_DAYS * MINUTES_PER_DAY


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
    """A resource that suits a requirement; ``used`` is the claimed quantity over the window."""

    open_days: OpenDays
    used: Planes

    @property
    def id(self) -> UUID:
        return self.open_days.resource.id


class PossibleStarts:
    """At which minutes one resource alone could serve the service, each worked out once."""

    def __init__(self, service: Service, window: Window) -> None:
        terms = service.terms
        self.before_min = terms.buffer_before_min
        self.claim_min = terms.buffer_before_min + terms.duration_min + terms.buffer_after_min
        self._step_min = terms.slot_step_min
        self.window = window
        self._grids: dict[str, Mask] = {}
        self._known: dict[tuple[UUID, int], Mask] = {}

    def of(self, candidate: Candidate, quantity: int) -> Mask:
        key = candidate.id, quantity
        if key not in self._known:
            # A claim starts before its visit by the buffer.
            fits = eroded(self.free(candidate, quantity), self.claim_min) << self.before_min
            self._known[key] = fits & self._grid(candidate.open_days.resource.time_zone)
        return self._known[key]

    def free(self, candidate: Candidate, quantity: int) -> Mask:
        """The minutes that are open and at which so much is left."""
        window, resource = self.window, candidate.open_days.resource
        free = free_mask(candidate.used, resource.capacity, quantity, window.days * MINUTES_PER_DAY)
        return free & candidate.open_days.mask(window.first_day, window.days) if free else 0

    def _grid(self, time_zone: str) -> Mask:
        if time_zone not in self._grids:
            self._grids[time_zone] = grid_mask(time_zone, self._step_min, self.window.first_day, self.window.days)
        return self._grids[time_zone]
