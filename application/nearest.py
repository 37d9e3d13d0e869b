"""For many starts that cannot be had at once: the nearest that can, each worked out around its own date only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from application.occupancy import Occupancy, occupancy
from application.slots import Choices, Offer, Slot, Sources, bookable, wished_for
from domain.availability import Offered, looks_at_whole_dates, offered, window_of
from domain.bit_planes import Mask, joined_up, minutes
from domain.interval import Interval, joined
from domain.possible_starts import BLOCK_MIN, Candidate, Window
from domain.service import Service
from domain.wall_clock import MINUTE

LOOKED_FOR_WITHIN = (timedelta(days=1), timedelta(days=14))
"""First near, then far: most visits that meet another one on a day still find a place on it."""


async def nearest(
    sources: Sources,
    organization_id: UUID,
    service_id: UUID,
    refused: Iterable[datetime],
    *,
    resource_ids: Sequence[UUID] = (),
    seats: int = 1,
    busy: Sequence[Interval] = (),
    planned: Iterable[datetime] = (),
) -> Mapping[datetime, Slot]:
    """For each of the ``refused`` starts the free one that is nearest to it, the earlier of two that are as near.

    With the resources asked for first, then with others; not more than 14 days away, else there is none. No visit
    found overlaps one of the ``busy`` intervals, or a visit to the service that is ``planned`` to start then. Two may
    overlap one another: who takes one asks again.
    """
    offer = await sources.offers.offer(organization_id, service_id)
    if offer is None:
        return {}
    service, now = offer.service, sources.clock.now()
    out = tuple(_starts_into(service, [*busy, *(service.visit(start) for start in planned)]))
    # Of what was too soon, or long past, the nearest start is looked for from the earliest that there is.
    earliest = now + timedelta(minutes=service.terms.min_notice_min)
    aims = {start: max(start, earliest) for start in refused}
    found: dict[datetime, Slot] = {}
    for wanted_ids in (resource_ids, ()) if resource_ids else ((),):
        search = _Search(sources, offer, wished_for(offer, wanted_ids), tuple(wanted_ids), seats, out, now)
        for within in LOOKED_FOR_WITHIN:
            left = {start: aim for start, aim in aims.items() if start not in found}
            if left:
                found.update(await search.nearest(left, within))
    return found


def _starts_into(service: Service, busy: Iterable[Interval]) -> Iterator[Interval]:
    """The starts of visits that would overlap one of ``busy``."""
    for interval in busy:
        yield interval.widened(before=timedelta(minutes=service.terms.duration_min) - MINUTE, after=timedelta())


@dataclass(frozen=True, slots=True)
class _Planes:
    """What is claimed of each resource from ``first_block`` on."""

    first_block: int
    by_resource: Mapping[UUID, Sequence[bytes]]

    def within(self, resource_id: UUID, window: Window) -> Sequence[bytes]:
        blocks = self.by_resource[resource_id]
        return blocks[window.first_block - self.first_block : window.last_block - self.first_block + 1]


@dataclass(frozen=True, slots=True)
class _Free:
    """The free starts of a window: of visits of their own, and of sessions that can be ``joined``, by their start."""

    offered: Offered
    joined: Mapping[datetime, Slot]

    def minute(self, moment: datetime) -> int:
        return (moment - self.offered.window.origin) // MINUTE

    def starts(self) -> Mask:
        return self.offered.starts | sum(1 << self.minute(start) for start in self.joined)


@dataclass(frozen=True, slots=True)
class _Search:
    """``choices`` are made for ``wanted_ids`` already; no start lies in ``out``."""

    sources: Sources
    offer: Offer
    choices: Choices
    wanted_ids: tuple[UUID, ...]
    seats: int
    out: tuple[Interval, ...]
    now: datetime

    async def nearest(self, aims: Mapping[datetime, datetime], within: timedelta) -> Mapping[datetime, Slot]:
        """The nearest to each aim, by the start for which it stands: all that is known is read in one go."""
        service, now = self.offer.service, self.now
        looked_at = (bookable(service, aim - within, aim + within + MINUTE, now) for aim in aims.values())
        around = joined(interval for interval in looked_at if interval)
        if not around:
            return {}
        whole = Interval(around[0].start, around[-1].end)
        # Asked before the diaries: a session that opens meanwhile is then in the way, and none is offered twice.
        taken_up = await occupancy(self.sources.offers, service, ZoneInfo(self.offer.time_zone), whole, now)
        planes = await self._planes(whole)
        found: dict[datetime, Slot] = {}
        for interval in around:
            inside = interval.widened(before=within, after=within)
            near = {start: aim for start, aim in aims.items() if inside.start <= aim < inside.end}
            found.update(_nearest_of(service, self._free(interval, planes, taken_up), near, within))
        return found

    async def _planes(self, starts: Interval) -> _Planes:
        window = self._window(starts)
        resource_ids = list({one.resource.id for choice in self.choices for one in choice.candidates})
        masks = self.sources.masks
        return _Planes(
            window.first_block, await masks.read(resource_ids, window.first_block, window.last_block, self.now)
        )

    def _window(self, starts: Interval) -> Window:
        return window_of(self.offer.service, starts, whole_dates=looks_at_whole_dates(self.choices))

    def _free(self, starts: Interval, planes: _Planes, taken_up: Occupancy) -> _Free:
        service, window = self.offer.service, self._window(starts)
        candidates = {
            one.resource.id: Candidate(one, joined_up(planes.within(one.resource.id, window), BLOCK_MIN))
            for choice in self.choices
            for one in choice.candidates
        }
        suitable = [choice.among([candidates[one.resource.id] for one in choice.candidates]) for choice in self.choices]
        out = [one for one in (*self.out, *taken_up.not_for_new()) if one.overlaps(starts)]
        sessions = taken_up.joinable(service, starts, self.seats, self.wanted_ids, self.now)
        visits = ((one.visit, tuple(allotment.resource_id for allotment in one.allotments)) for one in sessions)
        return _Free(
            offered(service, suitable, window, starts, now=self.now, besides=out),
            {
                visit.start: Slot(visit.start, visit.end, resource_ids)
                for visit, resource_ids in visits
                if not any(one.start <= visit.start < one.end for one in self.out)
            },
        )


def _nearest_of(
    service: Service, free: _Free, aims: Mapping[datetime, datetime], within: timedelta
) -> Iterator[tuple[datetime, Slot]]:
    starts, minute_of = free.starts(), {}
    for start, aim in aims.items():
        # What was refused is no alternative to itself, whatever the diaries say: it was refused for the person, maybe.
        minute = _nearest_minute(starts, free.minute(aim), within // MINUTE, itself=aim != start)
        if minute is not None:
            minute_of[start] = minute
    window = free.offered.window
    chosen = sum(1 << minute for minute in set(minute_of.values())) & free.offered.starts
    visits = Offered(window, chosen, free.offered.choices).visits(len(minute_of))
    slots = {**free.joined, **{at: Slot(at, service.visit(at).end, resource_ids) for at, resource_ids in visits}}
    for start, minute in minute_of.items():
        yield start, slots[window.origin + minute * MINUTE]


def _nearest_minute(starts: Mask, aim: int, reach: int, *, itself: bool) -> int | None:
    if itself and starts >> aim & 1:
        return aim
    first = max(aim - reach, 0)
    before = starts >> first & minutes(0, aim - first)
    after = starts >> aim + 1 & minutes(0, reach)
    earlier = first + before.bit_length() - 1 if before else None
    later = aim + (after & -after).bit_length() if after else None
    if earlier is None or later is None:
        return later if earlier is None else earlier
    return earlier if aim - earlier <= later - aim else later
