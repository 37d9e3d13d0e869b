"""A topic in memory, for tests of what is upstream and downstream of a broker: one process, nothing survives."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from application.feed import Delivery, TopicUnavailable

POLL_FACTS_MAX = 500


@dataclass(slots=True)
class MemoryBroker:
    """One topic. ``wipe`` is a broker that came back empty; ``reachable = False`` one that is down."""

    partitions: int
    reachable: bool = True
    logs: list[list[Delivery]] = field(init=False)

    def __post_init__(self) -> None:
        self.wipe()

    def wipe(self) -> None:
        self.logs = [[] for _ in range(self.partitions)]

    def ensure_reachable(self) -> None:
        if not self.reachable:
            raise TopicUnavailable("the broker is down")


@dataclass(slots=True)
class MemoryTopic:
    """The relay's end."""

    broker: MemoryBroker

    def tail(self) -> dict[int, int]:
        self.broker.ensure_reachable()
        return {p: log[-1].recorded.position if log else 0 for p, log in enumerate(self.broker.logs)}

    def publish(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self.broker.ensure_reachable()
            self.broker.logs[delivery.partition].append(delivery)

    def close(self) -> None:
        """Nothing is held."""


@dataclass(slots=True)
class MemoryFeed:
    """A follower's end. ``assigned`` may be changed at any time, as a rebalance would; reading starts at the end."""

    broker: MemoryBroker
    assigned: frozenset[int]
    offsets: dict[int, int] = field(default_factory=dict)

    def poll(self, timeout_s: float) -> Sequence[Delivery]:  # noqa: ARG002  what is not here will not come by waiting
        self.broker.ensure_reachable()
        arrived: list[Delivery] = []
        for partition in sorted(self.assigned):
            log = self.broker.logs[partition]
            offset = min(self.offsets.setdefault(partition, len(log)), len(log))
            taken = log[offset : offset + POLL_FACTS_MAX]
            self.offsets[partition] = offset + len(taken)
            arrived += taken
        return arrived

    def partitions(self) -> frozenset[int]:
        return self.assigned

    def close(self) -> None:
        """Nothing is held."""
