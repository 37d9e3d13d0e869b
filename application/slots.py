"""Which slots are free: what the read model knows, asked of the arithmetic in ``domain.availability``."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, overload
from uuid import UUID
from zoneinfo import ZoneInfo

from application.clock import Clock
from application.lru import Lru
from application.masks import Masks, Stamp
from application.occupancy import Visits, occupancy
from application.sharing import Sharing
from domain.allocation import Choice, assigned
from domain.availability import looks_at_whole_dates, minutes_bookable, offered_within, window_of
from domain.interval import Interval
from domain.open_hours import OpenDays
from domain.possible_starts import Window
from domain.refusals import InvalidValue, NotFound, ResourceNotSuitable
from domain.service import Service
from domain.wall_clock import MINUTE

WINDOW_MAX = timedelta(days=62)
SLOTS_MAX = 10_000
TOLD_BYTES_MAX = 8 * 2**20
"""Unless it is told otherwise: a month's slots of about a hundred services."""

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
class Outlook:
    """All that free slots depend on, so that equal outlooks have equal slots.

    ``bounds``: from which minute of the window up to which one visits may start; none ``besides``. ``stamps`` run
    parallel to ``resources``. ``joinable``: the sessions that can be joined.
    """

    service: Service
    choices: Choices
    window: Window
    bounds: tuple[int, int]
    stamps: Sequence[Stamp | Sequence[bytes]]
    besides: Sequence[Interval] = ()
    joinable: Sequence[Slot] = ()


class Told(NamedTuple):
    """``slots``, as JSON, are right as long as the outlook is this one."""

    outlook: Outlook | None
    slots: bytes


def told_before(bytes_max: int = TOLD_BYTES_MAX) -> Lru[Hashable, Told]:
    """Room for answers, by their questions."""
    return Lru(bytes_max, lambda told: len(told.slots) + sum(map(len, told.outlook.stamps if told.outlook else ())))


@dataclass(frozen=True, slots=True)
class Sources:
    """Where slots come from; composed once in infra. ``sharing``: whoever asks the same is told the same document."""

    offers: Offers
    masks: Masks
    clock: Clock
    sharing: Sharing[bytes] = field(default_factory=Sharing)
    told: Lru[Hashable, Told] = field(default_factory=told_before)


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
    only those that a booking which asks for that resource would get. Raises what ``outlook_of`` does.
    """
    outlook = await outlook_of(sources, offer, start, end, resource_id=resource_id, seats=seats)
    return Found(await free_slots(sources.masks, outlook, limit or SLOTS_MAX) if outlook else (), offer.position)


async def outlook_of(
    sources: Sources, offer: Offer, start: datetime, end: datetime, *, resource_id: UUID | None = None, seats: int = 1
) -> Outlook | None:
    """What the slots in [start, end) depend on; None where notice and horizon leave nothing of it.

    Raises ``ResourceNotSuitable`` (the service never takes that resource) and ``InvalidValue`` (``end`` not after
    ``start``, or more than 62 days; more ``seats`` than the service has).
    """
    if not start < end:
        raise InvalidValue("end", "after start")
    if end - start > WINDOW_MAX:
        raise InvalidValue("end", f"at most {WINDOW_MAX.days} days after start")
    service, now = offer.service, sources.clock.now()
    if not 1 <= seats <= service.terms.seats:
        raise InvalidValue("seats", f"between 1 and {service.terms.seats}")
    wanted = (resource_id,) if resource_id else ()
    choices = assigned(service, offer.choices, wanted, _id_of)
    starts = bookable(service, start, end, now)
    if starts is None:
        return None
    # Asked before the diaries: a session that opens meanwhile is then in the way, and none is offered twice.
    taken_up = await occupancy(sources.offers, service, ZoneInfo(offer.time_zone), starts, now)
    window = window_of(service, starts, whole_dates=looks_at_whole_dates(choices))
    joined = taken_up.joinable(service, starts, seats, wanted, now)
    return Outlook(
        service,
        choices,
        window,
        minutes_bookable(service, window, starts, now),
        await sources.masks.stamps(_resources(choices), window, now),
        tuple(taken_up.not_for_new()),
        [Slot(one.visit.start, one.visit.end, tuple(a.resource_id for a in one.allotments)) for one in joined],
    )


async def free_slots(masks: Masks, outlook: Outlook, limit: int = SLOTS_MAX) -> Sequence[Slot]:
    """The first ``limit`` slots."""
    service, window = outlook.service, outlook.window
    by_id = await masks.candidates(_resources(outlook.choices), outlook.stamps, window)
    suitable = [choice.among([by_id[_id_of(one)] for one in choice.candidates]) for choice in outlook.choices]
    found = offered_within(service, suitable, window, outlook.bounds, outlook.besides)
    slots = FreeSlots(window.origin, service.terms.duration_min, list(found.by_minute(limit)))
    joinable = outlook.joinable
    return sorted([*slots, *joinable], key=lambda slot: slot.start)[:limit] if joinable else slots


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


def _resources(choices: Choices) -> Sequence[OpenDays]:
    """Each once."""
    return list({_id_of(one): one for choice in choices for one in choice.candidates}.values())


def bookable(service: Service, start: datetime, end: datetime, now: datetime) -> Interval | None:
    """The part of [start, end) between notice and horizon: nothing beyond need be read, whatever was asked for."""
    earliest = now + timedelta(minutes=service.terms.min_notice_min)
    latest = now + timedelta(days=service.terms.max_advance_days)
    first, last = max(start, earliest), min(end, latest + MINUTE)
    return Interval(first, last) if first < last else None
