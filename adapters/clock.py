"""Clocks: the system's, and one that a replay of old data moves. Tokens never use the latter."""

import mmap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
WORD_BYTES = 8


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class ReplayClockRefused(Exception):  # noqa: N818
    """A clock that can be set has no place in production: it would let anyone with the file rewrite deadlines."""


class ReplayClock:
    """A clock in a file of 8 bytes (microseconds since 1970, UTC) that all processes of a replay map into memory.

    One process sets it, the others see it at once. It stands still in between and never goes back. An aligned
    8-byte copy is one machine instruction on every platform that we support, so no reader sees half a time.
    """

    def __init__(self, path: Path, *, environment: str) -> None:
        """Raises ``ReplayClockRefused`` in production; makes the file, at 1970, if it does not exist."""
        if environment == "production":
            raise ReplayClockRefused("replay_clock must not be set when environment is production")
        with path.open("a+b") as file:
            # Extending it twice is harmless; writing it anew would pull the pages from under another process.
            if path.stat().st_size < WORD_BYTES:
                file.truncate(WORD_BYTES)
            self._memory = mmap.mmap(file.fileno(), WORD_BYTES)
        # A view of one whole word: item access copies 8 bytes at once, slicing the map might not.
        self._word = memoryview(self._memory).cast("q")

    def now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self._word[0])

    def set(self, now: datetime) -> None:
        """Move the clock for everyone. Raises ``ValueError`` for a time before the present one."""
        micros = (now - _EPOCH) // _MICROSECOND
        if micros < self._word[0]:
            raise ValueError(f"the replay clock is at {self.now().isoformat()} and never goes back")
        self._word[0] = micros

    def close(self) -> None:
        self._word.release()
        self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
