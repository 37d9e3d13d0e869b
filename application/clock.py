"""The port through which time enters: the domain gets ``now`` as an argument."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, UTC."""
