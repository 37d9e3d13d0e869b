"""The ports of what is kept of visitors besides the journal: their links, and whom to forget."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from application.notifying import Template

CARRIERS = frozenset({Template.CONFIRMATION, Template.REQUEST, Template.CHANGE, Template.REMINDER})
"""The messages that bring a link along which was not sent before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManageLink:
    """What a link is for: one visit. The journal says whether it still is the one that is good."""

    id: UUID
    organization_id: UUID
    appointment_id: UUID
    customer_id: UUID


def manage_url(public_url: str, organization_id: UUID, token: str) -> str:
    """The page that shows the visit. What stands behind # is sent to no server, and so is in nobody's logs."""
    return f"{public_url.rstrip('/')}/book/{organization_id}#manage={token}"


class ManageLinks(Protocol):
    """Links are 256 random bits, of which a digest is kept; and, sealed until it is sent, the link itself."""

    async def issue(self, link: ManageLink) -> str:
        """Its token. One that was issued under the same id before is gone."""

    async def find(self, token: str) -> ManageLink | None: ...

    async def unsent(self, link: ManageLink) -> str | None:
        """Its token as long as it waits to be sent."""


class LinksToSend(Protocol):
    """The notifier's side. Blocking, thread-safe."""

    def tokens(self, visits: Iterable[tuple[UUID, UUID]]) -> Mapping[UUID, str]:
        """Those that wait to be sent, by appointment; asked for as (organization, appointment)."""

    def sent(self, appointment_id: UUID) -> None:
        """From now on nobody knows the token but who received it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproved:
    """Someone whose data is in the vault before their contact is proved."""

    organization_id: UUID
    customer_id: UUID
    appointment_id: UUID


class TakenUnproved(Protocol):
    """Rows that nobody else is given until the block ends."""

    @property
    def people(self) -> Sequence[Unproved]: ...

    async def settled(self, people: Sequence[Unproved]) -> None:
        """Kept or forgotten: there is nothing left to look after."""

    async def put_off(self, people: Sequence[Unproved], until: datetime) -> None: ...


class UnprovedPeople(Protocol):
    async def remember(self, one: Unproved, due_at: datetime) -> None:
        """Before their data is stored: so that it is looked after whatever dies on the way."""

    def take(self, limit: int, now: datetime) -> AbstractAsyncContextManager[TakenUnproved]: ...
