"""What the strategies of pools go by: how loaded a resource is, how much of its time a visit would break up.

Both are whole minutes; a minute that a claim or a closure touches is taken. ``domain.ranking`` works the same out
for all starts at once.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from domain.interval import Interval
from domain.open_hours import minute_after, minute_after_rounded_up
from domain.resource import Resource
from domain.resource_day import ResourceDay
from domain.wall_clock import A_DAY, local_day


def load_min(pages: Sequence[ResourceDay], *, now: datetime, besides: UUID) -> int:
    """Claimed quantity × minutes on these pages; claims past their deadline do not count."""
    return sum(
        claim.quantity * _minutes_touched(claim.interval)
        for page in pages
        for claim in page.claims
        if claim.appointment_id != besides and claim.blocks_at(now)
    )


def stretch_min(
    resource: Resource,
    pages: Sequence[ResourceDay],
    wanted: Interval,
    quantity: int,
    *,
    now: datetime,
    besides: UUID,
) -> int:
    """The length of the stretch around ``wanted`` that is open, and free for ``quantity``, on the dates of ``pages``.

    ``pages`` are those that ``wanted`` lies on, and it is open and free itself; where it is not open, because the
    house waives that, it is all there is.
    """
    dates = [local_day(page.day, resource.zone) for page in pages]
    around = [date for date in dates if date]
    hours = resource.working_hours(pages[0].day - A_DAY, pages[-1].day + A_DAY)
    opened = next((one for one in hours if one.contains(wanted)), wanted)
    left, right = max(around[0].start, opened.start), min(around[-1].end, opened.end)
    if resource.retired_at is not None:
        right = min(right, max(resource.retired_at, wanted.end))
    closed = [closure.interval for closure in resource.closures]
    for taken in (*closed, *_full(pages, resource.capacity - quantity, now, besides)):
        if taken.end <= wanted.start:
            left = max(left, taken.end)
        elif taken.start >= wanted.end:
            right = min(right, taken.start)
    return minute_after(0, right) - minute_after_rounded_up(0, left)


def _full(pages: Sequence[ResourceDay], most: int, now: datetime, besides: UUID) -> Iterator[Interval]:
    """Where more than ``most`` is claimed."""
    steps: list[tuple[datetime, int]] = []
    for page in pages:
        for claim in page.claims:
            if claim.appointment_id != besides and claim.blocks_at(now):
                steps += [(claim.interval.start, claim.quantity), (claim.interval.end, -claim.quantity)]
    level, begun = 0, None
    for at, change in sorted(steps):
        level += change
        if level > most and begun is None:
            begun = at
        elif level <= most and begun is not None:
            if begun < at:
                yield Interval(begun, at)
            begun = None


def _minutes_touched(interval: Interval) -> int:
    return minute_after_rounded_up(0, interval.end) - minute_after(0, interval.start)
