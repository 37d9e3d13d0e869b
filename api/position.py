"""Read your writes: a query that carries ``Journal-Position`` waits until the read model it asks has come that far."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from application.feed import partition_of

WAIT_MAX_S = 2.0
RETRY_AFTER_S = 1
POSITION_MAX = 2**63 - 1

Place = tuple[str, int]
"""A sink and one of its partitions."""


class MalformedPosition(Exception):  # noqa: N818
    """The header is no position. Answered as 400."""


class NotReached(Exception):  # noqa: N818
    """The read model has not come that far in time. Answered as 503 with Retry-After."""

    def __init__(self, sink: str, position: int) -> None:
        super().__init__(sink, position)
        self.sink = sink
        self.position = position
        self.retry_after_s = RETRY_AFTER_S


@dataclass(slots=True)
class FenceTally:
    """What fenced queries have met, for metrics."""

    passed: int = 0
    waited: int = 0
    timed_out: int = 0
    waited_s: float = 0.0


@dataclass(slots=True)
class Fence:
    """The followers' positions in memory, as a ``ProgressReceiver``, and the queries that wait for them.

    A position may go back: read models commit asynchronously, so PostgreSQL may lose their newest rows in a
    crash. The connection breaks then, and ``lost`` forgets everything: better to wait than to read too early.
    """

    partitions: int
    tally: FenceTally = field(default_factory=FenceTally)
    _positions: dict[Place, int] = field(default_factory=dict)
    _waiting: defaultdict[Place, set[tuple[int, asyncio.Future[None]]]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def moved(self, sink: str, partition: int, position: int) -> None:
        place = (sink, partition)
        self._positions[place] = position
        if place not in self._waiting:
            return
        for wanted, reached in self._waiting[place]:
            if wanted <= position and not reached.done():
                reached.set_result(None)

    def lost(self) -> None:
        self._positions.clear()

    def position(self, sink: str, organization_id: UUID) -> int | None:
        """How far the sink is known to have come for the organization; None right after a lost connection."""
        return self._positions.get((sink, partition_of(organization_id, self.partitions)))

    async def reached(self, sink: str, organization_id: UUID, position: int, *, timeout_s: float = WAIT_MAX_S) -> bool:
        """Wait until the sink has applied the organization's facts up to ``position``; False: not in time."""
        place = (sink, partition_of(organization_id, self.partitions))
        if self._positions.get(place, 0) >= position:
            self.tally.passed += 1
            return True
        return await self._wait(place, position, timeout_s)

    async def _wait(self, place: Place, position: int, timeout_s: float) -> bool:
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ticket = (position, reached)
        self._waiting[place].add(ticket)
        began = time.monotonic()
        self.tally.waited += 1
        try:
            async with asyncio.timeout(timeout_s):
                await reached
        except TimeoutError:
            self.tally.timed_out += 1
            return False
        else:
            return True
        finally:
            self.tally.waited_s += time.monotonic() - began
            self._waiting[place].discard(ticket)
            if not self._waiting[place]:
                del self._waiting[place]

    async def pass_or_raise(self, sink: str, organization_id: UUID, header: str | None) -> None:
        """Wait for the header's position, if there is one. Raises ``MalformedPosition``, ``NotReached``."""
        if header is None:
            return
        position = parsed_position(header)
        if not await self.reached(sink, organization_id, position):
            raise NotReached(sink, position)


def parsed_position(text: str) -> int:
    """The position in a header. Raises ``MalformedPosition``."""
    # isdecimal alone would let other scripts' digits through, and int() signs, spaces and underscores.
    if not (text.isascii() and text.isdecimal() and len(text) <= 19) or int(text) > POSITION_MAX:
        raise MalformedPosition(text)
    return int(text)
