"""The wish that a loop should end: told by a signal handler or another thread, heard between two steps."""

import time

HEARS_WITHIN_S = 0.1


class StopRequest:
    """Takes no lock. A handler interrupts the very thread that waits: ``threading.Event.set`` could wait for itself."""

    def __init__(self) -> None:
        self.made = False

    def make(self) -> None:
        self.made = True

    def pause(self, seconds: float) -> None:
        """Sleep, but not much longer than until the request is made."""
        until = time.monotonic() + seconds
        while not self.made and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, HEARS_WITHIN_S))
