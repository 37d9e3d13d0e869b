"""The feed of facts as followers receive it, whatever carries it: in order within a partition, at least once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from application.journal import Recorded


@dataclass(frozen=True, slots=True)
class Delivery:
    """A fact on its partition. ``previous`` is the position of the fact before it there, 0 for the first.

    In any case no fact of the partition lies between the two: one that has seen ``previous`` has missed nothing.
    """

    partition: int
    previous: int
    recorded: Recorded


def partition_of(organization_id: UUID, partitions: int) -> int:
    """The partition that carries an organization: fixed for the life of a topic."""
    return organization_id.int % partitions


class Feed(Protocol):
    """A consumer's end of the topic. Delivers again after any failure, and possibly not what came before it."""

    def poll(self, timeout_s: float) -> Sequence[Delivery]:
        """What has arrived, at most a batch; empty after ``timeout_s``. Raises ``TopicUnavailable``."""

    def partitions(self) -> frozenset[int]:
        """The partitions that are this consumer's at present; others belong to its fellows."""

    def close(self) -> None: ...


class Topic(Protocol):
    """The relay's end of the topic."""

    def tail(self) -> dict[int, int]:
        """The position last published on each partition, 0 where there is none."""

    def publish(self, deliveries: Sequence[Delivery]) -> None:
        """Returns when the broker has all of them. Raises ``TopicUnavailable``; then the tail must be read again.

        Raises ``FactTooLarge`` before anything is sent.
        """

    def close(self) -> None: ...


class TopicUnavailable(Exception):  # noqa: N818
    """The broker cannot be reached, or has lost what it had."""


class FactTooLarge(Exception):  # noqa: N818
    """The fact at ``position`` exceeds what the broker takes: it can only be read in the journal."""

    def __init__(self, position: int, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"the fact at position {position} has {size_bytes} bytes; a message holds {limit_bytes}")
        self.position = position
