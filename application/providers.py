"""The port of those who carry messages: an SMS, e-mail or push provider. Blocking, called from threads."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from application.notifying import Channel, Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a provider is given. ``reference`` is part of an SMS's text already.

    ``has_link``: it brings the only copy of a link, of which nothing is kept once the provider has taken it.
    """

    delivery_id: UUID
    to: str
    content: Content
    reference: str
    has_link: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    provider_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider certainly did not take it. ``reason`` holds no personal data. Not ``lasting``: try again."""

    reason: str
    lasting: bool = False
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may have been taken: no answer, or one that does not say."""

    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider knows of no such message."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """The provider has no way of saying, or none that this account may use."""

    reason: str


class Sender(Protocol):
    """One provider of one channel. Blocking, thread-safe; provider troubles are outcomes, not exceptions."""

    @property
    def channel(self) -> Channel: ...

    @property
    def conclusive_after(self) -> timedelta:
        """How long after a send its absence from the provider's list proves that it was not taken."""

    def send(self, message: Message) -> Accepted | Refused | Unclear: ...

    def find(self, delivery_id: UUID, to: str, since: datetime) -> Accepted | Absent | CannotTell | Unclear:
        """Whether the message was taken, at ``since`` or later; ``Unclear`` if that could not be asked now."""
