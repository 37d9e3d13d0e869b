"""An end for clients whose ``close`` may never return.

librdkafka waits, when it is closed or dropped, for threads of its own, and some of these for a broker that has gone; no
limit can be set. Whoever waited with it would never follow, nor end, again.
"""

import logging
import time
from collections.abc import Callable
from threading import Thread

CLOSED_WITHIN_S = 10.0
"""Leaving a group took five seconds at most where the broker said nothing; joining it before that may take four."""
LEFT_BEHIND_MAX = 4

logger = logging.getLogger(__name__)


class ClosingApart:
    """Closes each client in a thread of its own, which nobody has to wait for and which no end of the process does."""

    def __init__(self) -> None:
        self._threads: list[Thread] = []
        self._deadline = 0.0

    def begin(self, close: Callable[[], object]) -> None:
        """``close`` holds all that its thread needs: drop the client, or it would be waited for where it is dropped."""
        thread = Thread(target=close, name="closing", daemon=True)
        thread.start()
        self._threads.append(thread)
        self._deadline = time.monotonic() + CLOSED_WITHIN_S

    def has_room(self) -> bool:
        """Whether another client may be made: not if too many do not end."""
        return self._alive() < LEFT_BEHIND_MAX

    def is_under_way(self) -> bool:
        """Whether a client is closing and may yet be done in time."""
        return self._alive() > 0 and time.monotonic() < self._deadline

    def wait(self) -> None:
        """For all of them, as long as one may take; what takes longer is left behind."""
        for thread in self._threads:
            thread.join(max(0.0, self._deadline - time.monotonic()))
        if left := self._alive():
            logger.warning("%d clients of the broker did not close within %.0f s: left behind", left, CLOSED_WITHIN_S)

    def _alive(self) -> int:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        return len(self._threads)
