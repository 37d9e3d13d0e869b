"""Which slots are free: what the read model knows, asked of the arithmetic in ``domain.availability``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, overload
from uuid import UUID
from zoneinfo import ZoneInfo

from application.clock import Clock
from application.masks import Masks
from application.occupancy import Visits, occupancy
from application.sharing import Sharing
from domain.allocation import Choice, assigned
from domain.availability import looks_at_whole_dates, offered, window_of
from domain.interval import Interval
from domain.open_hours import OpenDays
from domain.possible_starts import Candidate, Window
from domain.refusals import InvalidValue, NotFound, ResourceNotSuitable
from domain.service import Service
from domain.wall_clock import MINUTE

WINDOW_MAX = timedelta(days=62)
SLOTS_MAX = 10_000

Choices = Sequence[Choice[OpenDays]]
"""For each requirement of a service, in order, who suits it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A visit that can be booked now: ``start``, ``end`` without buffers, UTC, and the resources it would take.

    ``resource_ids`` has one id for each requirement of the service, in order: those that a booking would choose.
    """

    start: datetime
    end: datetime
    resource_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class FreeSlots(Sequence[Slot]):
    """Slots as they were found, ascending; each is made of it when it is asked for, since most never are.

    ``visits``: for each the minute after ``origin`` at which it starts, and its resources.
    """

    origin: datetime
    duration_min: int
    visits: Sequence[tuple[int, tuple[UUID, ...]]]

    def __len__(self) -> int:
        return len(self.visits)

    @overload
    def __getitem__(self, place: int) -> Slot: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Slot]: ...
    def __getitem__(self, place: int | slice) -> Slot | Sequence[Slot]:
        if isinstance(place, slice):
            return FreeSlots(self.origin, self.duration_min, self.visits[place])
        minute, resource_ids = self.visits[place]
        start = self.origin + minute * MINUTE
        return Slot(start, start + self.duration_min * MINUTE, resource_ids)


@dataclass(frozen=True, slots=True)
class Found:
    """``position``: all facts of the organization up to it are in the answer (later ones may be)."""

    slots: Sequence[Slot]
    position: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A service and who can give it, as of ``position``; ``time_zone`` is the organization's."""

    service: Service
    choices: Choices
    position: int
    time_zone: str


class Offers(Visits, Protocol):
    """The port to the rules: services, the resources that meet their requirements, and what their visits take up."""

    async def offer(self, organization_id: UUID, service_id: UUID) -> Offer | None:
        """None if the organization has no such service."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where slots come from; composed once in infra. ``sharing``: whoever asks the same is told the same document."""

    offers: Offers
    masks: Masks
    clock: Clock
    sharing: Sharing[bytes] = field(default_factory=Sharing)


@dataclass(frozen=True, slots=True)
class _Wish:
    """``choices`` are made for ``resource_ids`` already."""

    choices: Choices
    resource_ids: Sequence[UUID]
    seats: int


async def find_slots(
    sources: Sources,
    organization_id: UUID,
    service_id: UUID,
    start: datetime,
    end: datetime,
    *,
    resource_id: UUID | None = None,
    seats: int = 1,
    limit: int | None = None,
) -> Found:
    """``slots_of`` a service. Raises ``NotFound`` as well."""
    offer = await offer_of(sources, organization_id, service_id)
    return await slots_of(sources, offer, start, end, resource_id=resource_id, seats=seats, limit=limit)


async def slots_of(
    sources: Sources,
    offer: Offer,
    start: datetime,
    end: datetime,
    *,
    resource_id: UUID | None = None,
    seats: int = 1,
    limit: int | None = None,
) -> Found:
    """The slots that start in [start, end), earliest first; ``limit`` at most (``SLOTS_MAX`` if None).

    They can be booked by anyone whom nothing keeps elsewhere, and who has not reached a limit for each customer: what
    holds for one person is no matter of slots. Of a group appointment those with ``seats`` free. With ``resource_id``
    only those that a booking which asks for that resource would get. Raises ``ResourceNotSuitable`` (the service never
    takes that resource) and ``InvalidValue`` (``end`` not after ``start``, or more than 62 days; more ``seats`` than
    the service has).
    """
    if not start < end:
        raise InvalidValue("end", "after start")
    if end - start > WINDOW_MAX:
        raise InvalidValue("end", f"at most {WINDOW_MAX.days} days after start")
    if not 1 <= seats <= offer.service.terms.seats:
        raise InvalidValue("seats", f"between 1 and {offer.service.terms.seats}")
    wanted = (resource_id,) if resource_id else ()
    wish = _Wish(assigned(offer.service, offer.choices, wanted, _id_of), wanted, seats)
    return Found(await _free(sources, offer, wish, start, end, limit or SLOTS_MAX), offer.position)


async def offer_of(sources: Sources, organization_id: UUID, service_id: UUID) -> Offer:
    """Raises ``NotFound``."""
    offer = await sources.offers.offer(organization_id, service_id)
    if offer is None:
        raise NotFound("service", service_id)
    return offer


def time_zone_of(offer: Offer) -> str:
    """The IANA zone in which the service's dates are meant by default: its first resource's.

    "UTC" for a service that has no resource yet.
    """
    return next((one.resource.time_zone for choice in offer.choices for one in choice.candidates), "UTC")


def wished_for(offer: Offer, wanted_ids: Sequence[UUID]) -> Choices:
    """Those who were asked for where they suit; else all."""
    try:
        return assigned(offer.service, offer.choices, wanted_ids, _id_of)
    except ResourceNotSuitable:
        return assigned(offer.service, offer.choices, (), _id_of)


def _id_of(one: OpenDays) -> UUID:
    return one.resource.id


async def _free(
    sources: Sources, offer: Offer, wish: _Wish, start: datetime, end: datetime, limit: int
) -> Sequence[Slot]:
    """The first ``limit`` slots that start in [start, end)."""
    now, service = sources.clock.now(), offer.service
    starts = bookable(service, start, end, now)
    if starts is None:
        return ()
    # Asked before the diaries: a session that opens meanwhile is then in the way, and none is offered twice.
    taken_up = await occupancy(sources.offers, service, ZoneInfo(offer.time_zone), starts, now)
    window = window_of(service, starts, whole_dates=looks_at_whole_dates(wish.choices))
    suitable = await candidates(sources.masks, wish.choices, window, now)
    found = offered(service, suitable, window, starts, now=now, besides=taken_up.not_for_new())
    slots = FreeSlots(window.origin, service.terms.duration_min, list(found.by_minute(limit)))
    joined = taken_up.joinable(service, starts, wish.seats, wish.resource_ids, now)
    seated = [Slot(one.visit.start, one.visit.end, tuple(a.resource_id for a in one.allotments)) for one in joined]
    return sorted([*slots, *seated], key=lambda slot: slot.start)[:limit] if seated else slots


async def candidates(masks: Masks, choices: Choices, window: Window, now: datetime) -> Sequence[Choice[Candidate]]:
    """The same choices, of resources with what is left of them."""
    days = {one.resource.id: one for choice in choices for one in choice.candidates}
    by_id = await masks.candidates(list(days.values()), window, now)
    return [choice.among([by_id[one.resource.id] for one in choice.candidates]) for choice in choices]


def bookable(service: Service, start: datetime, end: datetime, now: datetime) -> Interval | None:
    """The part of [start, end) between notice and horizon: nothing beyond need be read, whatever was asked for."""
    earliest = now + timedelta(minutes=service.terms.min_notice_min)
    latest = now + timedelta(days=service.terms.max_advance_days)
    first, last = max(start, earliest), min(end, latest + MINUTE)
    return Interval(first, last) if first < last else None
