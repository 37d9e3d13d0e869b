"""Which slots are free: what the read model knows, asked of the arithmetic in ``domain.availability``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from application.clock import Clock
from application.masks import Masks
from domain.service import Service

WINDOW_MAX = timedelta(days=62)
SLOTS_MAX = 10_000
ALTERNATIVES = 3
ALTERNATIVES_WITHIN = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Slot:
    """A visit that can be booked now: ``start``, ``end`` without buffers, UTC, and the resources it would take.

    ``resource_ids`` has one id for each requirement of the service, in order: those that a booking would choose.
    """

    start: datetime
    end: datetime
    resource_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """``position``: all facts of the organization up to it are in the answer (later ones may be)."""

    slots: Sequence[Slot]
    position: int


@dataclass(frozen=True, slots=True)
class Sources:
    """Where slots come from; composed once in infra."""

    offers: "Offers"
    masks: Masks
    clock: Clock


async def find_slots(
    sources: Sources,
    organization_id: UUID,
    service_id: UUID,
    start: datetime,
    end: datetime,
    *,
    resource_id: UUID | None = None,
    limit: int | None = None,
) -> Found:
    """The slots that start in [start, end), earliest first; ``limit`` at most (``SLOTS_MAX`` if None).

    With ``resource_id`` only those that a booking which asks for that resource would get. Raises ``NotFound``
    (service), ``ResourceNotSuitable`` (the service never takes that resource) and ``InvalidValue`` (``end`` not after
    ``start``, or more than 62 days).
    """
    raise NotImplementedError


async def alternatives(
    sources: Sources,
    organization_id: UUID,
    service_id: UUID,
    refused: datetime,
    *,
    resource_ids: Sequence[UUID] = (),
) -> Sequence[Slot]:
    """The next three slots after a ``refused`` start, within 14 days: with the resources asked for first, then others.

    Never raises a Refusal: where there is nothing to offer (no such service, say) the answer is empty.
    """
    raise NotImplementedError


async def time_zone_of(sources: Sources, organization_id: UUID, service_id: UUID) -> str:
    """The IANA zone in which the service's dates are meant by default: its first resource's. Raises ``NotFound``.

    "UTC" for a service that has no resource yet.
    """
    raise NotImplementedError
