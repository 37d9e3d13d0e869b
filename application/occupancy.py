"""How far a service is taken up by its own visits: the sessions that run, the periods that are full."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.booking_page import period_of
from domain.interval import Interval
from domain.resource import Resource
from domain.service import BookingLimit, Holder, Service
from domain.session import Session
from domain.wall_clock import A_DAY, MINUTE, instant

PERIOD_MAX = timedelta(days=32)
"""No period of a limit reaches further from any of its instants."""


@dataclass(frozen=True, slots=True)
class Running:
    """A session that somebody has a seat of, and its resources in the order of its allotments."""

    session: Session
    resources: tuple[Resource, ...]


class Visits(Protocol):
    """The port to what a service's visits have left behind."""

    async def sessions(self, service_id: UUID, start: datetime, end: datetime) -> Sequence[Running]:
        """All that were opened and not closed, and start in [start, end)."""

    async def counted(self, service_id: UUID, start: datetime, end: datetime, now: datetime) -> Sequence[datetime]:
        """The starts in [start, end) of the visits on the service's booking pages that count at ``now``."""


@dataclass(frozen=True, slots=True)
class Occupancy:
    """``running``: the sessions that are held. ``full``: the periods in which a limit of the service is reached."""

    running: Sequence[Running] = ()
    full: Sequence[Interval] = ()

    def not_for_new(self) -> Iterator[Interval]:
        """Where no visit can start that is not part of a running session."""
        yield from self.full
        for one in self.running:
            yield Interval(one.session.visit.start, one.session.visit.start + MINUTE)

    def joinable(
        self, service: Service, starts: Interval, seats: int, wanted_ids: Sequence[UUID], now: datetime
    ) -> Iterator[Session]:
        """The sessions that start in ``starts`` and that a booking for so many seats would join."""
        for one in self.running:
            session, start = one.session, one.session.visit.start
            if (
                starts.start <= start < starts.end
                and start >= now
                and session.seats_free(now=now) >= seats
                and set(wanted_ids) <= {allotment.resource_id for allotment in session.allotments}
                and not any(period.start <= start < period.end for period in self.full)
                and not any(service.reasons_against(start, now=now))
                and not any(reason for resource in one.resources for reason in resource.reasons_against(session.claim))
            ):
                yield session


async def occupancy(visits: Visits, service: Service, zone: ZoneInfo, starts: Interval, now: datetime) -> Occupancy:
    """Of a service for one at a time without limits there is nothing to ask. ``zone`` is the organization's."""
    running: Sequence[Running] = ()
    if service.terms.seats > 1:
        opened = await visits.sessions(service.id, starts.start, starts.end)
        running = [one for one in opened if one.session.is_held_at(now)]
    full: list[Interval] = []
    limits = [limit for limit in service.terms.booking_limits if limit.per is Holder.SERVICE]
    if limits:
        counted = await visits.counted(service.id, starts.start - PERIOD_MAX, starts.end + PERIOD_MAX, now)
        full = [period for limit in limits for period in _full(limit, counted, zone)]
    return Occupancy(running, full)


def _full(limit: BookingLimit, counted: Sequence[datetime], zone: ZoneInfo) -> Iterator[Interval]:
    for (first, last), count in Counter(period_of(limit.period, start, zone) for start in counted).items():
        if count >= limit.count:
            yield Interval(instant(first, 0, zone), instant(last + A_DAY, 0, zone))
