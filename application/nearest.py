"""For many starts that cannot be had at once: the nearest that can, each worked out around its own date only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from application.slots import Choices, Slot, Sources, bookable, wished_for
from domain.availability import BLOCK_MIN, Candidate, Offered, Window, looks_at_whole_dates, offered, window_of
from domain.bit_planes import Mask, joined_up, minutes
from domain.interval import Interval, joined
from domain.service import Service
from domain.wall_clock import MINUTE

LOOKED_FOR_WITHIN = (timedelta(days=1), timedelta(days=14))
"""First near, then far: most visits that meet another one on a day still find a place on it."""


@dataclass(frozen=True, slots=True)
class _Planes:
    """What is claimed of each resource from ``first_block`` on."""

    first_block: int
    by_resource: Mapping[UUID, Sequence[bytes]]

    def within(self, resource_id: UUID, window: Window) -> Sequence[bytes]:
        blocks = self.by_resource[resource_id]
        return blocks[window.first_block - self.first_block : window.last_block - self.first_block + 1]


async def nearest(
    sources: Sources,
    organization_id: UUID,
    service_id: UUID,
    refused: Iterable[datetime],
    *,
    resource_ids: Sequence[UUID] = (),
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
    service = offer.service
    taken = [*busy, *(service.visit(start) for start in planned)]
    # Of what was too soon, or long past, the nearest start is looked for from the earliest that there is.
    earliest = sources.clock.now() + timedelta(minutes=service.terms.min_notice_min)
    found: dict[datetime, Slot] = {}
    left = sorted(set(refused))
    wishes = [wished_for(offer, resource_ids), wished_for(offer, ())] if resource_ids else [wished_for(offer, ())]
    for choices in wishes:
        for within in LOOKED_FOR_WITHIN:
            aims = {start: max(start, earliest) for start in left}
            around = _around(service, aims.values(), within, sources.clock.now())
            planes = await _planes(sources, service, choices, around)
            for interval in around:
                near = [start for start in left if start not in found and _lies_in(aims[start], interval, within)]
                free = _free(service, choices, planes, interval, taken, sources.clock.now())
                found.update(_nearest_of(service, free, {start: aims[start] for start in near}, within))
            left = [start for start in left if start not in found]
            if not left:
                return found
    return found


def _around(service: Service, aims: Iterable[datetime], within: timedelta, now: datetime) -> list[Interval]:
    """Where to look, each minute once."""
    looked_at = (bookable(service, aim - within, aim + within + MINUTE, now) for aim in aims)
    return joined(interval for interval in looked_at if interval)


def _lies_in(aim: datetime, interval: Interval, within: timedelta) -> bool:
    return interval.start <= aim + within and aim - within < interval.end


async def _planes(sources: Sources, service: Service, choices: Choices, around: Sequence[Interval]) -> _Planes:
    """All that is claimed from the first interval to the last, in one round trip."""
    if not around:
        return _Planes(0, {})
    window = _window(service, choices, Interval(around[0].start, around[-1].end))
    resource_ids = list({one.resource.id for choice in choices for one in choice.candidates})
    first, last = window.first_block, window.last_block
    return _Planes(first, await sources.masks.read(resource_ids, first, last, sources.clock.now()))


def _window(service: Service, choices: Choices, starts: Interval) -> Window:
    return window_of(service, starts, whole_dates=looks_at_whole_dates(choices))


def _free(
    service: Service, choices: Choices, planes: _Planes, starts: Interval, busy: Sequence[Interval], now: datetime
) -> Offered:
    window = _window(service, choices, starts)
    candidates = {
        one.resource.id: Candidate(one, joined_up(planes.within(one.resource.id, window), BLOCK_MIN))
        for choice in choices
        for one in choice.candidates
    }
    suitable = [choice.among([candidates[one.resource.id] for one in choice.candidates]) for choice in choices]
    free = offered(service, suitable, window, starts, now=now)
    taken = 0
    for interval in busy:
        taken |= _minutes_before(
            free, interval.start - timedelta(minutes=service.terms.duration_min) + MINUTE, interval.end
        )
    return Offered(window, free.starts & ~taken, free.choices)


def _minutes_before(free: Offered, start: datetime, end: datetime) -> Mask:
    first, last = (-(-(moment - free.window.origin) // MINUTE) for moment in (start, end))
    return minutes(max(first, 0), min(last, free.window.days * 24 * 60))


def _nearest_of(
    service: Service, free: Offered, aims: Mapping[datetime, datetime], within: timedelta
) -> Iterator[tuple[datetime, Slot]]:
    reach = within // MINUTE
    minute_of: dict[datetime, int] = {}
    for start, aim in aims.items():
        # What was refused is no alternative to itself, whatever the diaries say: it was refused for the person, maybe.
        minute = _nearest_minute(free.starts, (aim - free.window.origin) // MINUTE, reach, itself=aim != start)
        if minute is not None:
            minute_of[start] = minute
    chosen = sum(1 << minute for minute in set(minute_of.values()))
    slots = {
        at: Slot(at, service.visit(at).end, resource_ids)
        for at, resource_ids in Offered(free.window, chosen, free.choices).visits(len(minute_of))
    }
    for start, minute in minute_of.items():
        yield start, slots[free.window.origin + minute * MINUTE]


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
