"""Two houses to begin with, each on a partition of its own: made once, the journal of every run begins with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID, uuid5

from application.feed import partition_of
from application.journal import Draft, Entry, Provenance
from domain.permissions import Actor
from domain.service import Requirement
from tests.desk import MONDAY, SEED, Desk

PARTITIONS = 2
CUSTOMERS = 4


@dataclass(frozen=True, slots=True)
class SimulatedHouse:
    """One room for one at a time, and one for two: few starts, so that there is something to fight for."""

    service_ids: tuple[UUID, ...]
    customer_ids: tuple[UUID, ...]
    staff: Actor
    clock: Actor


@cache
def houses() -> tuple[Sequence[SimulatedHouse], Sequence[Entry]]:
    """And the entries that a journal begins with."""
    found: list[SimulatedHouse] = []
    entries: list[Entry] = []
    for partition in range(PARTITIONS):
        desk = next(
            desk
            for desk in (Desk(seed=uuid5(SEED, f"house {number}")) for number in range(100))
            if partition_of(desk.organization_id, PARTITIONS) == partition
        )
        desk.resource("room")
        desk.resource("hall", capacity=2)
        services = (desk.service(slot_step_min=30), desk.service(Requirement(kind="hall"), slot_step_min=30))
        customers = tuple(desk.customer() for _ in range(CUSTOMERS))
        found.append(SimulatedHouse(services, customers, desk.staff, desk.clock))
        entries += _entries(desk)
    return found, entries


def _entries(desk: Desk) -> list[Entry]:
    versions: dict[UUID, int] = {}
    entries = []
    for number, (stream_id, fact) in enumerate(desk.facts):
        version = versions.get(stream_id, 0)
        versions[stream_id] = version + 1
        command_id = uuid5(desk.organization_id, f"begin {number}")
        provenance = Provenance(
            organization_id=desk.organization_id, actor_id=desk.owner.account_id, at=MONDAY, command_id=command_id
        )
        entries.append(
            Entry(
                command_id=command_id,
                fingerprint=b"",
                provenance=provenance,
                reads={stream_id: 0},
                drafts=(Draft(stream_id, version, (fact,)),),
            )
        )
    return entries
