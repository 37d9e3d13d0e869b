"""The port of the deliveries' ledger: what was to be sent, and what became of it. Blocking."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from application.notifying import Delivery, Notice


@dataclass(frozen=True, slots=True)
class Doubt:
    """A message whose fate is unknown, and since when (real time)."""

    delivery: Delivery
    attempted_at: datetime
    age: timedelta


class Taking(Protocol):
    """Rows that are this process's alone until the block ends; leaving it makes what was said durable."""

    @property
    def deliveries(self) -> Sequence[Delivery]: ...

    def doubt(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """About to be sent: from now on their fate is unknown. Returns them with their attempt counted."""

    def skip(self, delivery: Delivery, reason: str) -> None: ...


class FanOut(Protocol):
    @property
    def notices(self) -> Sequence[Notice]: ...

    def spread(self, deliveries: Sequence[Delivery]) -> None:
        """Replace the notices by deliveries."""


class Ledger(Protocol):
    """Durable state: intent → in doubt → sent | failed | skipped | unknown. Times are the database's."""

    def fan_out(self, limit: int) -> AbstractContextManager[FanOut]: ...

    def take(self, limit: int) -> AbstractContextManager[Taking]: ...

    def doubts(self, limit: int) -> Sequence[Doubt]:
        """In doubt and due to be looked into; no one else is given them for a while."""

    def sent(self, delivery: Delivery, provider_id: str) -> None: ...

    def failed(self, delivery: Delivery, reason: str) -> None: ...

    def again(self, delivery: Delivery, reason: str, after: timedelta) -> None:
        """Certainly not taken by the provider: an intent once more."""

    def ask_later(self, delivery: Delivery, reason: str, after: timedelta) -> None:
        """Still in doubt."""

    def park(self, delivery: Delivery, reason: str) -> None:
        """Unknown for good."""
