"""Diary pages without a front desk: what a visit would be given, put to the decision itself."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.allocation import Allocation, Choice, allocate, pages_touched
from domain.interval import Interval
from domain.resource import Resource
from domain.resource_day import ResourceDay, SlotClaimed, evolve
from domain.service import Service
from tests.clinic import a_resource

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
NINE = MONDAY + timedelta(hours=9)
HOUR = timedelta(hours=1)
POOL = UUID(int=70)


class Diary(dict[UUID, ResourceDay]):
    """Diary pages, blank where nothing was claimed; remembers which were looked at."""

    def __init__(self) -> None:
        self.looked_at: set[UUID] = set()

    def __getitem__(self, stream_id: UUID) -> ResourceDay | None:  # type: ignore[override]
        self.looked_at.add(stream_id)
        return self.get(stream_id)

    def claim(self, resource: Resource, start: datetime, end: datetime, **claim: object) -> None:
        for stream_id, day, part in pages_touched(resource, Interval(start, end)):
            plain: dict[str, object] = {
                "appointment_id": UUID(int=9_000 + len(self) + int(start.timestamp())),
                "quantity": 1,
            }
            fact = SlotClaimed(resource_id=resource.id, day=day, claim=part, **(plain | claim))  # type: ignore[arg-type]
            self[stream_id] = evolve(self.get(stream_id), fact)


def allotted(
    service: Service,
    choices: Sequence[Choice[Resource]],
    diary: Diary,
    start: datetime = NINE,
    now: datetime = MONDAY,
    appointment_id: UUID = UUID(int=7),  # noqa: B008  it is immutable
) -> Allocation:
    return allocate(service, choices, diary, appointment_id=appointment_id, start=start, until=None, now=now)


def chosen(*asked: object, **when: object) -> list[UUID]:
    return [allotment.resource_id for allotment in allotted(*asked, **when).allotments]  # type: ignore[arg-type]


def rooms(count: int, **differently: object) -> tuple[Resource, ...]:
    return tuple(a_resource(number, **differently) for number in range(count))
