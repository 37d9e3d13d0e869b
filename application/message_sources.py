"""The ports of what messages are made from: the facts, the people, the words. Blocking."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from application.journal import Recorded
from application.notifying import Channel, Content, LetterOccasion, Occasion, Template
from application.vault import Person


class FactStreams(Protocol):
    def load(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[Recorded]]:
        """All facts of the streams, from the journal itself."""


class Contacts(Protocol):
    def people(self, subjects: Iterable[tuple[UUID, UUID]]) -> Mapping[UUID, Person]:
        """People by subject id; asked for as (organization, subject)."""


class Renderer(Protocol):
    def render(
        self, template: Template, channel: Channel, locale: str | None, about: Occasion | LetterOccasion
    ) -> Content: ...
