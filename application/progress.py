"""How far the followers have come, as their NOTIFY tells it. A sink is a read model or ledger, named by its schema."""

from typing import Protocol


class ProgressReceiver(Protocol):
    """Whoever wants to know. Both calls come from the event loop and must return at once."""

    def moved(self, sink: str, partition: int, position: int) -> None:
        """The sink has applied every fact of ``partition`` up to ``position``, and committed it."""

    def lost(self) -> None:
        """The connection broke: what was known may no longer hold, since a read model may lose its newest commits."""
