"""Facts as they are stored, and what every part of the audit is asked."""

from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Protocol
from uuid import UUID

Span = tuple[datetime, datetime]
"""Start, inclusive, and end, exclusive."""


class StoredFact(NamedTuple):
    """``data`` is the JSON of the fact as the journal holds it."""

    position: int
    stream_id: UUID
    topic: str
    data: dict[str, Any]
    organization_id: str


class Audit(Protocol):
    """A part of the audit. The facts of one command are one step: what they bring about is judged at its end."""

    KINDS: ClassVar[tuple[str, ...]]
    """The kinds of stream whose facts it takes: the first word of their topics."""

    def take(self, fact: StoredFact) -> None:
        """Raises ``ValueError``, ``KeyError`` or ``TypeError`` for a fact that cannot be read."""

    def judge(self, now: datetime) -> None:
        """``now``: when the command was decided that ends here."""


def span(value: dict[str, str]) -> Span:
    return datetime.fromisoformat(value["start"]), datetime.fromisoformat(value["end"])


def deadline(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def meet(one: Span, other: Span) -> bool:
    """Whether they have an instant in common."""
    return one[0] < other[1] and other[0] < one[1]
