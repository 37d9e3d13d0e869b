"""For starts that cannot be had: the nearest that can, each worked out around its own date only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is looked for: ``count`` visits to the service near each start, with these resources first, then others.

    No visit that is found overlaps one of the ``busy`` intervals, or a visit to the service that is ``planned`` to
    start then. Two that are found may overlap one another: who takes one asks again.
    """

    service_id: UUID
    resource_ids: tuple[UUID, ...] = ()
    seats: int = 1
    count: int = 1
    busy: tuple[Interval, ...] = ()
    planned: tuple[datetime, ...] = ()


async def nearest(
    sources: Sources, organization_id: UUID, sought: Sought, refused: Iterable[datetime]
) -> Mapping[datetime, Sequence[Slot]]:
    """For each of the ``refused`` starts the free ones that are nearest to it, the nearest first.

    Of two that are as near the earlier; not more than 14 days away, so there may be fewer than are sought. Never
    raises a Refusal: where there is nothing to offer (no such service, say) the answer is empty.
    """
    offer = await sources.offers.offer(organization_id, sought.service_id)
    if offer is None:
        return {}
    service, now = offer.service, sources.clock.now()
    out = tuple(_starts_into(service, [*sought.busy, *(service.visit(start) for start in sought.planned)]))
    # Of what was too soon, or long past, the nearest start is looked for from the earliest that there is.
    earliest = now + timedelta(minutes=service.terms.min_notice_min)
    last = now + timedelta(days=service.terms.max_advance_days) + LOOKED_FOR_WITHIN[-1]
    aims = {start: max(start, earliest) for start in refused if start <= last}
    found: dict[datetime, list[Slot]] = {start: [] for start in aims}
    for wanted_ids in dict.fromkeys((sought.resource_ids, ())):
        search = _Search(
            sources, offer, wished_for(offer, wanted_ids), replace(sought, resource_ids=wanted_ids), out, now
        )
        for within in LOOKED_FOR_WITHIN:
            left = {start: aim for start, aim in aims.items() if len(found[start]) < sought.count}
            for start, slots in (await search.nearest(left, within)).items() if left else ():
                known = {slot.start for slot in found[start]}
                found[start] = [*found[start], *(slot for slot in slots if slot.start not in known)][: sought.count]
    return {start: slots for start, slots in found.items() if slots}


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
    """``choices`` are made for the resources that are ``sought`` already; no start lies in ``out``."""

    sources: Sources
    offer: Offer
    choices: Choices
    sought: Sought
    out: tuple[Interval, ...]
    now: datetime

    async def nearest(self, aims: Mapping[datetime, datetime], within: timedelta) -> Mapping[datetime, Sequence[Slot]]:
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
        found: dict[datetime, Sequence[Slot]] = {}
        for interval in around:
            inside = interval.widened(before=within, after=within)
            near = {start: aim for start, aim in aims.items() if inside.start <= aim < inside.end}
            # As many more as may be known already.
            found.update(
                _nearest_of(service, self._free(interval, planes, taken_up), near, within, 2 * self.sought.count)
            )
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
            one.resource.id: Candidate(one, joined_up(planes.within(one.resource.id, window), BLOCK_MIN), window)
            for choice in self.choices
            for one in choice.candidates
        }
        suitable = [choice.among([candidates[one.resource.id] for one in choice.candidates]) for choice in self.choices]
        out = [one for one in (*self.out, *taken_up.not_for_new()) if one.overlaps(starts)]
        sessions = taken_up.joinable(service, starts, self.sought.seats, self.sought.resource_ids, self.now)
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
    service: Service, free: _Free, aims: Mapping[datetime, datetime], within: timedelta, count: int
) -> Iterator[tuple[datetime, Sequence[Slot]]]:
    starts, found = free.starts(), {}
    for start, aim in aims.items():
        # What was refused is no alternative to itself, whatever the diaries say: it was refused for the person, maybe.
        nearest_first = _nearest_minutes(starts, free.minute(aim), within // MINUTE, itself=aim != start)
        found[start] = list(islice(nearest_first, count))
    window = free.offered.window
    chosen = sum(1 << minute for minute in {minute for ones in found.values() for minute in ones})
    visits = Offered(window, chosen & free.offered.starts, free.offered.choices).visits(chosen.bit_count())
    slots = {**free.joined, **{at: Slot(at, service.visit(at).end, resource_ids) for at, resource_ids in visits}}
    for start, minutes_found in found.items():
        yield start, [slots[window.origin + minute * MINUTE] for minute in minutes_found]


def _nearest_minutes(starts: Mask, aim: int, reach: int, *, itself: bool) -> Iterator[int]:
    """The minutes of ``starts`` within ``reach`` of ``aim``, the nearest first."""
    if itself and starts >> aim & 1:
        yield aim
    first = max(aim - reach, 0)
    before = starts >> first & minutes(0, aim - first)
    after = starts >> aim + 1 & minutes(0, reach)
    while before or after:
        earlier = first + before.bit_length() - 1
        later = aim + (after & -after).bit_length()
        if not after or (before and aim - earlier <= later - aim):
            before ^= 1 << earlier - first
            yield earlier
        else:
            after &= after - 1
            yield later
