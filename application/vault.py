"""The port of the vault: personal data, encrypted with a key per subject, erasable. Never in a fact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is known of a subject. Of a resource only ``display_name``. ``phone`` is E.164, ``locale`` BCP 47."""

    display_name: str | None = None
    email: str | None = None
    phone: str | None = None
    push_token: str | None = None
    locale: str | None = None


class Vault(Protocol):
    """Asynchronous. All calls name the organization, so that no id of another one ever answers."""

    async def store(self, organization_id: UUID, subject_id: UUID, person: Person) -> None:
        """Create or replace."""

    async def person(self, organization_id: UUID, subject_id: UUID) -> Person | None:
        """None if there is no such subject, or it was erased."""

    async def people(self, organization_id: UUID, subject_ids: Sequence[UUID]) -> Mapping[UUID, Person]:
        """Those that exist, in one round trip."""

    async def write_note(self, organization_id: UUID, subject_id: UUID, note_id: UUID, text: str) -> None:
        """A free text about a subject: an appointment's notes, a cancellation's or a closure's reason."""

    async def notes(self, organization_id: UUID, subject_id: UUID) -> Mapping[UUID, str]: ...

    async def erase(self, organization_id: UUID, subject_id: UUID) -> None:
        """Delete key and rows: whatever copies remain anywhere can no longer be read."""
