"""The port through which a projection says that there is something new to read."""

from collections.abc import Collection
from typing import Protocol
from uuid import UUID


class Hints(Protocol):
    """Synchronous. A hint may be lost, doubled or late: whoever needs certainty reads the changes by position."""

    def publish(self, organization_id: UUID, topics: Collection[str], position: int) -> None:
        """``topics`` of the organization have changes up to ``position``. Never raises: a lost hint is no failure."""
