"""What the feed has brought, as it is handed to every sink."""

from collections.abc import Iterable
from dataclasses import dataclass

from application.feed import Delivery
from application.journal import Recorded


@dataclass(slots=True)
class Run:
    """What has arrived of a partition without a gap: each fact but the first names the one before it."""

    partition: int
    previous: int
    facts: list[Recorded]

    @property
    def upto(self) -> int:
        return self.facts[-1].position


def runs(deliveries: Iterable[Delivery]) -> list[Run]:
    """In the order of each partition. Found once, so that no sink asks each fact what it can ask a run."""
    found: list[Run] = []
    last: dict[int, Run] = {}
    for delivery in deliveries:
        run = last.get(delivery.partition)
        if run is not None and delivery.previous == run.upto < delivery.recorded.position:
            run.facts.append(delivery.recorded)
        else:
            last[delivery.partition] = run = Run(delivery.partition, delivery.previous, [delivery.recorded])
            found.append(run)
    return found
