"""The ports of ``application.slots``, answered from a desk's streams."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from application.claiming import observed, suitable_resources
from application.decision import View
from application.masks import Block, BlockKey, Masks
from application.occupancy import Running
from application.slots import Offer, Sources
from domain.bit_planes import packed
from domain.booking_page import BookingPage
from domain.open_hours import OpenDays
from domain.organization import Organization
from domain.possible_starts import BLOCK_MIN
from domain.service import Service
from domain.session import Session
from tests.booked_out import claimed
from tests.desk import Desk


class DeskSources:
    """``position`` of each answer is 4711."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.sources = Sources(offers=self, masks=Masks(self), clock=self)

    def now(self) -> datetime:
        return self.desk.now

    async def offer(self, organization_id: UUID, service_id: UUID) -> Offer | None:
        view = View(self.desk)
        service = view.get(Service, service_id)
        if service is None or service.organization_id != organization_id:
            return None
        choices = suitable_resources(view, service, self.desk.staff, ())
        open_days = [choice.among(OpenDays(one) for one in choice.candidates) for choice in choices]
        organization = view.require(Organization, organization_id, self.desk.staff)
        return Offer(service, open_days, position=4711, time_zone=organization.time_zone)

    async def sessions(self, service_id: UUID, start: datetime, end: datetime) -> Sequence[Running]:
        sessions = [s.state for s in list(self.desk.streams.values()) if isinstance(s.state, Session)]
        return [
            Running(one, tuple(observed(View(self.desk), [a.resource_id for a in one.allotments], self.desk.staff)))
            for one in sessions
            if one.is_open and one.service_id == service_id and start <= one.visit.start < end
        ]

    async def counted(self, service_id: UUID, start: datetime, end: datetime, now: datetime) -> Sequence[datetime]:
        pages = [s.state for s in self.desk.streams.values() if isinstance(s.state, BookingPage)]
        visits = {one.appointment_id: one for page in pages if page.holder_id == service_id for one in page.visits}
        return [
            one.interval.start for one in visits.values() if one.counts_at(now) and start <= one.interval.start < end
        ]

    async def versions(
        self, resource_ids: Sequence[UUID], first: int, last: int, now: datetime
    ) -> Sequence[Sequence[bytes]]:
        blocks = claimed([self.desk], now)
        keys = [[BlockKey(resource_id, number) for number in range(first, last + 1)] for resource_id in resource_ids]
        return [[packed(blocks.get(key, ()), BLOCK_MIN) for key in its] for its in keys]

    async def read(self, keys: Sequence[BlockKey]) -> Mapping[BlockKey, Block]:
        assert not keys  # all were given with their versions
        return {}
