"""What a socket has yet to send: bounded, so that a client that does not read costs no more than this."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

FRAMES_MAX = 2_000
CHARACTERS_MAX = 2 * 1024 * 1024


@dataclass(slots=True, eq=False)
class Outbox:
    """``overflowed`` is called once, when a frame finds no room; from then on frames are dropped."""

    overflowed: Callable[[], None]
    frames_max: int = FRAMES_MAX
    _frames: deque[str] = field(default_factory=deque)
    _characters: int = 0
    _full: bool = False
    _filled: asyncio.Event = field(default_factory=asyncio.Event)
    _drained: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: str) -> None:
        """Never waits: for what happens now."""
        if self._full:
            return
        if len(self._frames) >= self.frames_max or self._characters >= CHARACTERS_MAX:
            # What is dropped from here on the client gets by resuming after the last frame that it was sent.
            self._full = True
            self.overflowed()
            return
        self._frames.append(frame)
        self._characters += len(frame)
        self._filled.set()

    async def put_patiently(self, frame: str) -> None:
        """Wait until half is free: for history, which must not crowd out what happens now."""
        while 2 * len(self._frames) >= self.frames_max or 2 * self._characters >= CHARACTERS_MAX:
            self._drained.clear()
            await self._drained.wait()
        self.put(frame)

    async def take(self) -> str:
        """The next frame to send."""
        while not self._frames:
            self._filled.clear()
            await self._filled.wait()
        frame = self._frames.popleft()
        self._characters -= len(frame)
        self._drained.set()
        return frame
