"""What can still be booked, and what is claimed, worked out the slow way from a desk's streams."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from application.booking import Book, book
from application.decision import View
from application.masks import BlockKey
from application.slots import Slot
from domain.availability import blocks_of, minutes_in_block
from domain.bit_planes import Planes, add
from domain.refusals import Refusal
from domain.resource_day import ResourceDay
from tests.desk import Desk

QUARTER = timedelta(minutes=15)


def bookable(
    desk: Desk, service_id: UUID, customer_id: UUID, start: datetime, end: datetime, *resource_ids: UUID
) -> list[Slot]:
    """Every quarter of an hour put to the use case that books; nothing is kept."""
    slots = []
    while start < end:
        wish = Book(
            appointment_id=desk.new_id(),
            service_id=service_id,
            customer_id=customer_id,
            start=start,
            resource_ids=resource_ids,
        )
        with suppress(Refusal):
            answer = book(View(desk), wish, desk.staff, desk.now).answer
            assert isinstance(answer, dict)
            slots.append(Slot(answer["start"], answer["end"], tuple(answer["resource_ids"])))
        start += QUARTER
    return slots


def claimed(desks: Iterable[Desk], now: datetime | None = None) -> dict[BlockKey, Planes]:
    """The planes of all that stands on the diary pages; at ``now``, without what is past its deadline."""
    planes: dict[BlockKey, Planes] = {}
    for page in [s.state for desk in desks for s in desk.streams.values() if isinstance(s.state, ResourceDay)]:
        for claim in page.claims:
            if now is not None and not claim.blocks_at(now):
                continue
            for number in blocks_of(claim.interval):
                key = BlockKey(page.resource_id, number)
                where = minutes_in_block(number, claim.interval)
                planes[key] = add(planes.get(key, ()), where, claim.quantity)
    return planes
