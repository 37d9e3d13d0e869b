"""Which sessions are over although their tokens are not: known in every process, so that no request has to ask.

PostgreSQL is the truth and is read every second, and at once when a hint says so. A process that could not read it for
``UNKNOWN_AFTER_S`` lets nobody in: it cannot know who has signed out.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Protocol
from uuid import UUID

from application.sign_in import InvalidToken
from domain.permissions import Actor

LOOK_EVERY_S = 1.0
LOOK_WITHIN_S = 3.0
UNKNOWN_AFTER_S = 10.0
TOKENS_LAST_S = 15 * 60.0
"""Ten minutes, and what the clocks of an API process and the database may differ."""
RECENT_S = 60.0
"""How far each look goes back: whatever was committed since the last one began to be ended within that."""

_log = logging.getLogger(__name__)


class SessionOver(InvalidToken):
    """The token was good, and its session has ended."""

    def __init__(self, actor: Actor) -> None:
        super().__init__(actor)
        self.actor = actor


class SessionsUnknown(Exception):  # noqa: N818
    """Which sessions have ended could not be read for too long."""


class SessionsUnavailable(Exception):  # noqa: N818
    """The store of sessions cannot be read now."""


class Endings(Protocol):
    async def over_within(self, seconds: float) -> Collection[UUID]:
        """The sessions that ended or expired in so many seconds before now. Raises ``SessionsUnavailable``."""


@dataclass(slots=True)
class EndedSessions:
    """``look`` once before anyone is let in; ``run`` until cancelled; ``wake`` when something has ended."""

    endings: Endings
    monotonic: Callable[[], float] = time.monotonic
    _known_at: float = -math.inf
    _ended: dict[UUID, float] = field(default_factory=dict)
    """By when each was first seen, the oldest first."""
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self._ended)

    def ensure_goes_on(self, actor: Actor) -> None:
        """Raises ``SessionOver`` if the actor's session has ended, ``SessionsUnknown`` if that cannot be told."""
        if actor.session_id in self._ended:
            raise SessionOver(actor)
        if self.monotonic() - self._known_at > UNKNOWN_AFTER_S:
            raise SessionsUnknown

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self.look()
            except (SessionsUnavailable, TimeoutError) as unavailable:
                _log.warning("which sessions have ended cannot be read: %r", unavailable)

    async def look(self) -> None:
        """Raises ``SessionsUnavailable``, ``TimeoutError``."""
        now = self.monotonic()
        within = RECENT_S if now - self._known_at < RECENT_S / 2 else TOKENS_LAST_S
        async with asyncio.timeout(LOOK_WITHIN_S):
            over = await self.endings.over_within(within)
        for session_id in over:
            self._ended.setdefault(session_id, now)
        self._known_at = now
        forgotten = takewhile(lambda seen: seen[1] < now - TOKENS_LAST_S, self._ended.items())
        for session_id, _ in list(forgotten):
            del self._ended[session_id]
