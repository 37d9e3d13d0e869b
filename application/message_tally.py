"""What became of messages in one process, counted."""

from threading import Lock


class Tally:
    """What became of messages in this process, by state, for metrics and log lines. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, int] = {}

    def add(self, state: str, count: int = 1) -> None:
        with self._lock:
            self._counts[state] = self._counts.get(state, 0) + count

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)
