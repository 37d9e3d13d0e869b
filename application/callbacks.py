"""What a provider reports later: whether a message that it took reached the person. Verified before it is believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Outcome(StrEnum):
    """What became of a message, the later the weightier: the weightiest that was ever reported holds.

    So it does not matter in which order reports arrive, or how often. A mail may bounce after it was delivered.
    """

    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    BOUNCED = "bounced"


WEIGHT: Mapping[Outcome, int] = {outcome: weight for weight, outcome in enumerate(Outcome, 1)}


class CallbackRefused(Exception):  # noqa: N818  an answer, not an error
    """Whoever sent this has not shown that it is the provider, or it was sent too long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A request as it came in: ``body`` byte for byte, header names in lower case, ``query`` as it was written."""

    headers: Mapping[str, str]
    path: str
    query: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``event_id`` is the provider's own name for the event, the same however often it is sent.

    ``delivery_id`` is ours, as the provider was told it. ``reason`` holds no personal data.
    """

    event_id: str
    delivery_id: UUID
    provider_id: str
    outcome: Outcome
    reason: str | None = None


class CallbackReader(Protocol):
    """One provider's callbacks."""

    def read(self, callback: Callback) -> Sequence[Report]:
        """What it reports of messages of ours; nothing else in it counts. Raises ``CallbackRefused``."""


class Reports(Protocol):
    """Where reports are kept, beside the messages that they are about."""

    async def note(self, provider: str, reports: Sequence[Report]) -> None:
        """A report that was noted before, or is of a message that does not exist, changes nothing."""
