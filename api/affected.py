"""The appointments that a change of times concerns: told in the answer to the command that made it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from api.appointment_reads import shown_entry
from api.commanding import Call
from domain.interval import Interval
from projections import appointments
from projections.appointments import Appointments, Entry

AFFECTED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Affected:
    """``is_complete`` is false if the list may be behind the command, or was cut."""

    rows: Sequence[Entry]
    is_complete: bool

    def shown(self) -> dict[str, object]:
        return {
            "appointments": [shown_entry(row) for row in self.rows],
            "appointments_complete": self.is_complete,
        }


async def affected(
    call: Call,
    position: int,
    resource_ids: Collection[UUID],
    windows: Collection[Interval],
    concerns: Callable[[Entry], bool] = lambda _: True,
) -> Affected:
    """Those to come on these resources in these windows, as far as the change ``concerns`` them, by start.

    ``position`` is the command's: it took effect whether or not the list is as new as that, which is told too.
    """
    organization_id = call.actor.organization_id
    has_seen = await call.ports.fence.reached(Appointments.NAME, organization_id, position)
    found = await appointments.hits(
        call.reads, organization_id, resource_ids, windows, now=call.ports.clock.now(), limit=AFFECTED_MAX
    )
    return Affected([row for row in found if concerns(row)], has_seen and len(found) < AFFECTED_MAX)
