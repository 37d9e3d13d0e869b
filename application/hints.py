"""The port through which a projection says that there is something new to read."""

from collections.abc import Collection
from typing import Protocol
from uuid import UUID


class Hints(Protocol):
    """Synchronous. A hint may be lost, doubled or late: whoever needs certainty reads the changes by position."""

    def publish(self, organization_id: UUID, topics: Collection[str], position: int) -> None:
        """``topics`` of the organization have changes up to ``position``. Never raises: a lost hint is no failure."""


class HintReceiver(Protocol):
    """Whoever wants hints. Both calls come from the event loop and return at once."""

    def changed(self, organization_id: UUID, topics: Collection[str], position: int) -> None:
        """``topics`` of the organization have changes up to ``position``."""

    def missed(self) -> None:
        """Hints may have been lost: look at everything."""


class HintSource(Protocol):
    """The end of a node that holds sockets. It listens for the organizations in use only."""

    def listen(self, organization_id: UUID) -> None:
        """Returns at once; ``missed`` is called when hints begin to come."""

    def unlisten(self, organization_id: UUID) -> None: ...

    async def run(self, receiver: HintReceiver) -> None:
        """Hand hints to ``receiver`` until cancelled, reconnecting for ever."""
