"""The ports of what delivers facts to webhooks: what is to be delivered, by whom, and what is noted of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One delivery at one attempt. ``body`` is the same at each; ``at`` is when the fact happened."""

    id: UUID
    webhook_id: UUID
    organization_id: UUID
    position: int
    topic: str
    url: str
    attempt: int
    at: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Reached:
    """The endpoint answered."""

    status: int


@dataclass(frozen=True, slots=True)
class Unreached:
    """It did not, or may not be asked: ``reason``, in one word."""

    reason: str


class Courier(Protocol):
    async def deliver(self, parcel: Parcel, secrets: Sequence[str]) -> Reached | Unreached:
        """Signed with every one of ``secrets``. Bounded in time, whatever the endpoint does."""


class Secrets(Protocol):
    """What deliveries are signed with. Kept sealed; told once, to whoever asked for it."""

    async def keep(self, organization_id: UUID, webhook_id: UUID, version: int) -> str | None:
        """The secret of this version of the endpoint, made if there is none yet; None if there is a later one.

        The one before stays good for a day.
        """

    async def signing(self, organization_id: UUID, webhook_id: UUID) -> Sequence[str]:
        """Those that are good now, the newest first; none if there is no such endpoint."""


class DeliveryLedger(Protocol):
    async def take(self, limit: int, *, per_endpoint: int, busy: Collection[UUID]) -> Sequence[Parcel]:
        """What is due, nobody else's for a while; of one endpoint at most so many, of those that are ``busy`` none."""

    async def delivered(self, parcel: Parcel, status: int) -> None: ...

    async def failed(
        self, parcel: Parcel, *, status: int | None, reason: str, again_after: timedelta | None
    ) -> timedelta:
        """Tried again after so long, or never. Returns for how long nothing has reached the endpoint."""

    async def dropped(self, parcel: Parcel, reason: str) -> None: ...
