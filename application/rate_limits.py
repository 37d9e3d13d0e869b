"""How often someone may ask: windows that are counted in memory and reconciled with the other processes beside.

A round trip to Redis for each request would cost more than a booking. So a process counts what it answers itself and
learns every half second what the others have: n processes let through, at the very worst, what comes in half a second
n times. That is far finer than the limits are.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

RECONCILED_EVERY_S = 0.5
KEYS_MAX = 20_000
"""Of one kind, in memory. Above it those are forgotten that have been quiet; if none has, all: Redis still counts."""
TOLD_AT_ONCE_MAX = 2_000

_log = logging.getLogger(__name__)


class LimitsUnavailable(Exception):  # noqa: N818
    """What is counted exactly cannot be counted: the server that all processes share is away."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` in ``window_s`` seconds; the window slides."""

    name: str
    count: int
    window_s: int

    def times(self, factor: float) -> "Limit":
        return Limit(self.name, max(1, round(self.count * factor)), self.window_s)


@dataclass(frozen=True, slots=True)
class Tell:
    """What a process has counted since it last told: ``key`` names a window of the clock, ``before`` the last one."""

    key: str
    before: str
    count: int
    lasts_s: int


class SharedCounts(Protocol):
    """What all processes have counted together. Raises ``LimitsUnavailable``."""

    async def add(self, counted: Sequence[Tell]) -> Sequence[tuple[int, int]]:
        """For each: how many in its window by now, and how many in the window before."""


@dataclass(slots=True, eq=False)
class Window:
    """One client's. ``now`` is the time of day in seconds, so that all processes cut time alike."""

    limit: Limit
    key: str
    ends: float = 0.0
    here: int = 0
    """Counted by this process in the present window."""
    told: int = 0
    elsewhere: int = 0
    """By the others, as far as is known."""
    before: int = 0
    """By all, in the window before."""

    def take(self, now: float) -> bool:
        """Whether one more is within the limit. What is refused is not counted: who waits gets in again."""
        if now >= self.ends:
            self._roll(now)
        limit = self.limit
        counted = self.here + self.elsewhere
        if self.before:
            counted += int(self.before * (self.ends - now) / limit.window_s)
        if counted >= limit.count:
            return False
        self.here += 1
        return True

    def left(self, now: float) -> int:
        left = self.limit.count - self.here - self.elsewhere
        if self.before:
            left -= int(self.before * max(0.0, self.ends - now) / self.limit.window_s)
        return max(0, left)

    def again_in_s(self, now: float) -> int:
        """When one more will be within the limit, in whole seconds, if nobody asks meanwhile."""
        over = self.here + self.elsewhere - self.limit.count
        rest = self.ends - now
        if over >= 0:  # not in this window; in the next, what was counted now fades
            rest += self.limit.window_s * (over + 1) / (over + self.limit.count)
        else:
            rest -= self.limit.window_s * -over / max(1, self.before)
        return max(1, min(2 * self.limit.window_s, int(rest) + 1))

    def tell(self) -> Tell:
        width = self.limit.window_s
        number = int(self.ends) // width
        return Tell(f"{self.key}:{number}", f"{self.key}:{number - 1}", self.here - self.told, 2 * width)

    def learn(self, told: Tell, total: int, before: int) -> None:
        if told.key == self.tell().key:  # else the window has ended meanwhile
            self.told += told.count
            self.elsewhere = max(0, total - self.told)
            self.before = max(self.before, before)

    def _roll(self, now: float) -> None:
        width = self.limit.window_s
        ends = (now // width + 1) * width
        self.before = self.here + self.elsewhere if ends - self.ends == width else 0
        self.here = self.told = self.elsewhere = 0
        self.ends = ends


@dataclass(slots=True)
class RateTally:
    """What was asked too often, and how often this process could not learn what the others have counted."""

    refused: int = 0
    shut: int = 0
    """Knocks at a door that could not be counted, and were not let in."""
    alone: int = 0
    """Rounds in which this process could not learn what the others have counted."""


@dataclass(slots=True)
class Windows:
    """All windows of this process. ``run`` reconciles them until cancelled."""

    shared: SharedCounts
    clock: Callable[[], float] = time.time
    tally: RateTally = field(default_factory=RateTally)
    _kinds: dict[str, dict[object, Window]] = field(default_factory=dict)
    _is_alone: bool = False

    def kind(self, name: str) -> dict[object, Window]:
        """The windows of one kind, by client; whoever looks often keeps hold of this."""
        return self._kinds.setdefault(name, {})

    def open(self, kind: str, client: object, limit: Limit) -> Window:
        """A new window, for a client whom its kind does not know."""
        windows = self.kind(kind)
        if len(windows) >= KEYS_MAX:
            self._forget(windows)
        window = windows[client] = Window(limit, f"{kind}:{client}")
        return window

    async def run(self, every_s: float = RECONCILED_EVERY_S) -> None:
        while True:
            await asyncio.sleep(every_s)
            await self.reconcile()

    async def reconcile(self) -> None:
        """Tell and learn, of those windows that something was counted in. Never raises: a count is not worth it."""
        asked = [one for windows in self._kinds.values() for one in windows.values() if one.here > one.told]
        for at in range(0, len(asked), TOLD_AT_ONCE_MAX):
            part = asked[at : at + TOLD_AT_ONCE_MAX]
            tells = [window.tell() for window in part]
            try:
                learnt = await self.shared.add(tells)
            except LimitsUnavailable as away:
                self._note_away(away)
                return
            for window, told, (total, before) in zip(part, tells, learnt, strict=True):
                window.learn(told, total, before)
        if asked and self._is_alone:
            self._is_alone = False
            _log.info("rate limits are shared with the other processes again")

    def _note_away(self, away: LimitsUnavailable) -> None:
        self.tally.alone += 1
        if not self._is_alone:
            self._is_alone = True
            _log.warning("rate limits are counted by each process alone: %r", away.__cause__)

    def _forget(self, windows: dict[object, Window]) -> None:
        now = self.clock()
        quiet = [client for client, one in windows.items() if one.ends + one.limit.window_s < now]
        for client in quiet:
            del windows[client]
        if not quiet:
            windows.clear()


class Doorman(Protocol):
    """Exact windows that all processes share, for what must not be tried often: one round trip each."""

    async def knock(self, limit: Limit, client: str) -> float:
        """0 for one who is let in, else how many seconds later to try again. Raises ``LimitsUnavailable``."""
