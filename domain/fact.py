"""Facts: what happened, in the past tense, frozen, under a name that outlives the code."""

from collections.abc import Callable
from typing import ClassVar, TypeVar, dataclass_transform

from domain.value import value


class Fact:
    """A domain event. Its stream and provenance travel beside it, never inside."""

    __slots__ = ()
    TOPIC: ClassVar[str]


F = TypeVar("F", bound=type[Fact])

FACTS: dict[str, type[Fact]] = {}
"""Every fact type by its permanent topic name: the journal knows topics, never import paths."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def fact(topic: str) -> Callable[[F], F]:
    """Declare a fact type under ``topic`` (``stream_kind.what_happened.vN``), never changed and never reused."""

    def declare(cls: F) -> F:
        if topic in FACTS:
            raise ValueError(f"the topic {topic} is taken by {FACTS[topic].__name__}")
        cls.TOPIC = topic
        declared: F = value(frozen=True, slots=True, kw_only=True)(cls)  # type: ignore[assignment]
        FACTS[topic] = declared
        return declared

    return declare
